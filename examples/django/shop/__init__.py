"""A small Django project on asgibridge: see README.md beside it."""
