"""What is for sale."""

from django.db import models


class Item(models.Model):
    """One thing that can be bought."""

    # Annotated, so that type checkers need no plugin to know what is in them;
    # as text, since Django's classes take no parameters when they run.
    name: "models.CharField[str, str]" = models.CharField(max_length=100, unique=True)
    stock: "models.IntegerField[int, int]" = models.IntegerField(default=0)

    def __str__(self) -> str:
        return self.name
