"""What is for sale."""

from django.db import models


class Item(models.Model):
    """One thing that can be bought."""

    name = models.CharField(max_length=100, unique=True)
    stock = models.IntegerField(default=0)

    def __str__(self) -> str:
        return self.name
