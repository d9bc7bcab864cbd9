"""Validators of options, for attrs: what a value may be, and a message that says so."""

import re
from collections.abc import Callable
from typing import Any, TypeAlias

import attrs

from .errors import OptionError, OptionValueError

__all__ = (
    "Validator",
    "a_callable",
    "factory",
    "matching",
    "number",
    "one_of",
    "seconds",
    "text",
    "whole",
)

Validator: TypeAlias = Callable[[object, "attrs.Attribute[Any]", Any], None]


def whole(minimum: int, maximum: int | None = None) -> Validator:
    """Return a validator for whole numbers within limits."""

    def check(owner: object, option: "attrs.Attribute[Any]", value: object) -> None:
        if not isinstance(value, int):
            raise OptionError(_text(owner, option, "a whole number", value))
        _check_limits(owner, option, value, minimum, maximum)

    return check


def number(minimum: float, maximum: float | None = None) -> Validator:
    """Return a validator for numbers within limits."""

    def check(owner: object, option: "attrs.Attribute[Any]", value: object) -> None:
        if not isinstance(value, int | float):
            raise OptionError(_text(owner, option, "a number", value))
        _check_limits(owner, option, value, minimum, maximum)

    return check


def seconds(owner: object, option: "attrs.Attribute[Any]", value: object) -> None:
    """Validate a time."""
    if not isinstance(value, int | float):
        raise OptionError(_text(owner, option, "a number of seconds", value))
    if not value > 0:  # nor is a NaN
        raise OptionValueError(_text(owner, option, "in seconds and above 0", value))


def one_of(*choices: str) -> Validator:
    """Return a validator for one of some words."""
    words = " or ".join(f'"{choice}"' for choice in choices)

    def check(owner: object, option: "attrs.Attribute[Any]", value: object) -> None:
        if value not in choices:
            raise OptionValueError(_text(owner, option, words, value))

    return check


def matching(pattern: str, wanted: str) -> Validator:
    """Return a validator for text that *pattern* matches, which means *wanted*."""

    def check(owner: object, option: "attrs.Attribute[Any]", value: object) -> None:
        text(owner, option, value)
        if not re.fullmatch(pattern, str(value)):
            raise OptionValueError(_text(owner, option, wanted, value))

    return check


def text(owner: object, option: "attrs.Attribute[Any]", value: object) -> None:
    """Validate a text."""
    if not isinstance(value, str):
        raise OptionError(_text(owner, option, "a text", value))


def a_callable(owner: object, option: "attrs.Attribute[Any]", value: object) -> None:
    """Validate something that can be called."""
    if not callable(value):
        raise OptionError(_text(owner, option, "a callable", value))


def factory(owner: object, option: "attrs.Attribute[Any]", value: object) -> None:
    """Validate something that is called to make another, or is left out."""
    if value is not None and not callable(value):
        raise OptionError(_text(owner, option, "a callable without arguments", value))


def _check_limits(
    owner: object,
    option: "attrs.Attribute[Any]",
    value: float,
    minimum: float,
    maximum: float | None,
) -> None:
    if not value >= minimum:  # nor is a NaN
        raise OptionValueError(_text(owner, option, f"at least {minimum}", value))
    if maximum is not None and value > maximum:
        raise OptionValueError(_text(owner, option, f"at most {maximum}", value))


def _text(
    owner: object, option: "attrs.Attribute[Any]", wanted: str, got: object
) -> str:
    return f"{option.name} of {type(owner).__name__} is {wanted}, got {got!r}"
