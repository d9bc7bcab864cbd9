"""Undoing what code that runs in steps has set in its caller's context."""

from contextvars import Context, Token
from typing import Any, final

from ._context import write_back

__all__ = ("Tokens",)


@final
class Tokens:
    """Remembers which variables the caller had no value for.

    A step sets a variable, and the caller gets the value; a later step resets
    it, and the caller's goes as well.
    """

    __slots__ = ("_tokens",)

    def __init__(self) -> None:
        self._tokens: list[Token[Any]] = []

    def take_over(self, changed: Context, base: Context) -> None:
        """Set, in the current context, what *changed* has that *base* had not.

        What it has no longer and had from an earlier step is taken away.
        """
        kept: list[Token[Any]] = []
        for token in self._tokens:
            if token.var in changed:
                kept.append(token)
            else:
                _undo(token)
        self._tokens = kept + write_back(changed, base)


def _undo(token: Token[Any]) -> None:
    try:
        token.var.reset(token)
    except ValueError:
        return  # the steps are made from different contexts
