"""Values in messages: short, and safe whatever the value does."""

import reprlib
from typing import Any, Final

__all__ = ("class_name", "show")

_LONGEST: Final = 60
# The descriptor itself: a metaclass may have a __name__ of its own, that raises.
_NAME: Final[Any] = type.__dict__["__name__"]


def _new_repr() -> reprlib.Repr:
    # Small numbers: this is one line of a message, and a body may be megabytes.
    short = reprlib.Repr()
    short.maxstring = short.maxother = short.maxlong = _LONGEST
    short.maxlist = short.maxtuple = short.maxdict = short.maxset = 4
    short.maxlevel = 3
    return short


def class_name(value: object) -> str:
    """Return the name of the class of *value*, whatever that class may do."""
    return str(_NAME.__get__(type(value)))


def show(value: object) -> str:
    """Return a short text for *value*; its own methods may raise or lie."""
    kind = class_name(value)
    if type(value) is bytes and len(value) > _LONGEST:
        # reprlib would make the text of all of it before it cuts.
        return f"{value[:_LONGEST]!r}... ({len(value)} bytes)"
    try:
        return f"{_new_repr().repr(value)} ({kind})"
    except Exception:  # noqa: BLE001 - any class may raise anything from __repr__
        return f"<{kind} object that cannot be shown>"
