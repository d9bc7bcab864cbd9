"""Carrying context variables across."""

from contextvars import Context
from typing import Final

from ..loops import context_unchanged

__all__ = ("write_back",)

_MISSING: Final = object()


def write_back(changed: Context, base: Context) -> None:
    """Set, in the current context, what *changed* has that *base* had not.

    Values are compared by identity, so that nobody's ``__eq__`` is called; only
    what was changed is set, so that changes made meanwhile to other variables
    stay.  Costs nothing per variable when nothing at all was changed.

    A variable that was reset to having no value keeps the value it has here:
    a context offers no way to remove one but the token it was set with.
    """
    if context_unchanged(changed, base):
        return
    for variable, value in changed.items():
        if base.get(variable, _MISSING) is not value:
            variable.set(value)
