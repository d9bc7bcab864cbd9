"""Getting on with other people's ideas of cancellation."""

import sys
from contextlib import AbstractContextManager, nullcontext

__all__ = ("shielded",)


def shielded() -> AbstractContextManager[object]:
    """Return a context manager for waiting on in spite of a cancellation.

    An anyio scope repeats its cancellation until the task leaves the scope,
    which a task that must wait for a thread cannot do: it would spin.  A shield
    stops that (https://github.com/agronholm/anyio/issues/1257).  Where anyio is
    not loaded nobody can have such a scope.
    """
    anyio = sys.modules.get("anyio")
    if anyio is None:
        return nullcontext()
    shield: AbstractContextManager[object] = anyio.CancelScope(shield=True)
    return shield
