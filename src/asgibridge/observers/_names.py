"""What functions, threads and loops are called."""

import functools
from collections.abc import Callable
from typing import Any

__all__ = ("name_of",)


def name_of(function: Callable[..., Any]) -> str:
    """Return the name of a function, for people to recognize it.

    That of the function inside of a partial; that of its class for an object
    that can be called.
    """
    try:
        return function.__qualname__
    except AttributeError:
        if isinstance(function, functools.partial):
            return name_of(function.func)
        return type(function).__qualname__
