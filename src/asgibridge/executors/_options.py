"""What executors and runners can be configured with."""

from collections.abc import Callable
from typing import Any

import attrs

from ..errors import OptionError, OptionValueError

__all__ = ("at_least", "check_is_factory", "check_seconds")


def at_least(minimum: int) -> Callable[[object, "attrs.Attribute[Any]", object], None]:
    """Return a validator for whole numbers."""

    def check(owner: object, option: "attrs.Attribute[Any]", value: object) -> None:
        if not isinstance(value, int):
            raise OptionError(_text(owner, option, "a whole number", value))
        if value < minimum:
            raise OptionValueError(_text(owner, option, f"at least {minimum}", value))

    return check


def check_seconds(owner: object, option: "attrs.Attribute[Any]", value: object) -> None:
    """Validate a time that something is kept."""
    if not isinstance(value, int | float):
        raise OptionError(_text(owner, option, "a number of seconds", value))
    if not value > 0:  # nor is a NaN
        raise OptionValueError(_text(owner, option, "in seconds and above 0", value))


def check_is_factory(
    owner: object, option: "attrs.Attribute[Any]", value: object
) -> None:
    """Validate something that is called to make another, or is left out."""
    if value is not None and not callable(value):
        raise OptionError(_text(owner, option, "a callable without arguments", value))


def _text(
    owner: object, option: "attrs.Attribute[Any]", wanted: str, got: object
) -> str:
    return f"{option.name} of {type(owner).__name__} is {wanted}, got {got!r}"
