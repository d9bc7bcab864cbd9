"""The typed bridge between blocking and async Python."""

from .bridge import Bridge as Bridge

__all__ = ("Bridge",)
