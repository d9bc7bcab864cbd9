"""Many deadlines of the same length, one timer."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from typing import Final, Generic, TypeVar, final

import attrs

from ..types import Clock

__all__ = ("Deadlines",)

K = TypeVar("K")

# Loops run a timer up to their clock's resolution early.
_EARLY: Final = 1e-6


@final
@attrs.define(eq=False)
class Deadlines(Generic[K]):
    """Calls back for each key that stays longer than a fixed time.

    As the time is the same for all, the order of arrival is the order of
    expiry: adding, removing and finding the oldest are O(1), and one timer is
    enough.  The timer is left alone when its key is removed; it then finds
    nothing to do, and is set for the key that is oldest by then.

    Not thread-safe: for one event loop.

    Args:
        seconds: How long a key may stay; None is for ever.
        expired: Called with each key that has stayed that long; it is removed
            by then.
        clock: Tells the time.
        loop: Runs the timer.
    """

    _seconds: float | None = attrs.field(alias="seconds")
    _expired: Callable[[K], None] = attrs.field(alias="expired")
    _clock: Clock = attrs.field(alias="clock")
    _loop: asyncio.AbstractEventLoop = attrs.field(alias="loop")
    # In order of expiry; an OrderedDict, because the front of a plain dict
    # gets slower to find with every key removed from it.
    _keys: OrderedDict[K, float] = attrs.field(
        factory=OrderedDict[K, float], init=False
    )
    _timer: asyncio.TimerHandle | None = attrs.field(default=None, init=False)

    def __len__(self) -> int:
        """Return how many keys there are."""
        return len(self._keys)

    def __contains__(self, key: K) -> bool:
        """Tell whether *key* is there."""
        return key in self._keys

    def add(self, key: K) -> None:
        """Add a key that is not there, as the youngest."""
        if self._seconds is None:
            self._keys[key] = 0.0
            return
        self._keys[key] = self._clock() + self._seconds
        if self._timer is None:
            self._timer = self._loop.call_later(self._seconds, self._fire)

    def discard(self, key: K) -> None:
        """Remove a key, if it is there."""
        self._keys.pop(key, None)

    def pop_oldest(self) -> K:
        """Remove and return the key that has been there longest."""
        return self._keys.popitem(last=False)[0]

    def drain(self) -> list[K]:
        """Remove and return all keys, oldest first."""
        keys = list(self._keys)
        self._keys.clear()
        return keys

    def close(self) -> None:
        """Stop the timer and forget the keys."""
        self._keys.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _fire(self) -> None:
        self._timer = None
        now = self._clock() + _EARLY
        while self._keys:
            key, deadline = next(iter(self._keys.items()))
            if deadline > now:
                # A callback may have set it already, by adding a key.
                if self._timer is None:
                    self._timer = self._loop.call_later(deadline - now, self._fire)
                return
            del self._keys[key]
            self._expired(key)
