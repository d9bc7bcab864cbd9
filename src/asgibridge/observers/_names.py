"""What functions and exceptions are called."""

import functools
from collections.abc import Callable
from typing import Any

__all__ = ("message_of", "name_of")


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


def message_of(exception: BaseException) -> str:
    """Return the message of an exception, also of one that cannot tell it."""
    try:
        return str(exception)
    except Exception:  # noqa: BLE001 - a foreign class may raise anything
        return "(a message that cannot be read)"
