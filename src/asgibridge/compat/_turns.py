"""Calls that are given one and the same context, one after the other."""

import asyncio
from contextvars import Context
from typing import Final, final
from weakref import WeakValueDictionary

__all__ = ("turn_of",)


@final
class _Turn(asyncio.Lock):
    """Held by a call until what it set has been put into the context."""

    def __init__(self, context: Context) -> None:
        super().__init__()
        # Kept alive with the lock, so that its number stays its own.
        self._context = context


# (id(context), id(loop)) -> the lock, while a call holds it or waits for it.
_TURNS: Final[WeakValueDictionary[tuple[int, int], _Turn]] = WeakValueDictionary()


def turn_of(context: Context) -> asyncio.Lock:
    """Return the lock for calls in *context* from the running loop."""
    key = (id(context), id(asyncio.get_running_loop()))
    turn = _TURNS.get(key)
    if turn is None:
        turn = _TURNS[key] = _Turn(context)
    return turn
