"""Carrying context variables across."""

from collections.abc import Iterable
from contextvars import Context, Token
from typing import Any, Final

from ..local import ThreadBound, note_thread
from ..loops import context_unchanged

__all__ = ("take_back", "write_back")

_MISSING: Final = object()


def write_back(changed: Context, base: Context) -> list[Token[Any]]:
    """Set, in the current context, what *changed* has that *base* had not.

    Values are compared by identity, so that nobody's ``__eq__`` is called; only
    what was changed is set, so that changes made meanwhile to other variables
    stay.  Costs nothing per variable when nothing at all was changed.  Values
    that are of use on one thread only stay behind.

    A variable that was reset to having no value keeps the value it has here:
    a context offers no way to remove one but the token it was set with.

    Returns:
        The tokens of the variables that *base* had no value for; see `take_back`.
    """
    tokens: list[Token[Any]] = []
    if context_unchanged(changed, base):
        return tokens
    note_thread()
    for variable, value in changed.items():
        before = base.get(variable, _MISSING)
        if before is not value and type(value) is not ThreadBound:
            token = variable.set(value)
            if before is _MISSING:
                tokens.append(token)
    return tokens


def take_back(tokens: Iterable[Token[Any]], final: Context) -> None:
    """Undo the tokens of variables that *final* has no value for any more.

    In the context that the tokens were made in.
    """
    for token in tokens:
        if token.var not in final:
            token.var.reset(token)
