"""A clock that goes on when told to."""

import threading
from typing import final

import attrs

from ..errors import OptionValueError

__all__ = ("ManualClock",)


@final
@attrs.define(eq=False)
class ManualClock:
    """A `Clock` that stands still until `advance` is called.

    Give it to whatever takes a clock, and test minutes in no time.
    Thread-safe.

    Args:
        start: The first time it tells, in seconds.
    """

    _now: float = attrs.field(default=0.0, alias="start")  # guarded by _lock
    _lock: threading.Lock = attrs.field(factory=threading.Lock, init=False, repr=False)

    def __call__(self) -> float:
        """Return the current time, in seconds."""
        with self._lock:
            return self._now

    def advance(self, seconds: float) -> float:
        """Let *seconds* pass and return the new time.

        Raises:
            OptionValueError: If *seconds* is negative: clocks never go backwards.
        """
        if seconds < 0:
            msg = f"cannot advance by {seconds} s: a clock never goes backwards"
            raise OptionValueError(msg)
        with self._lock:
            self._now += seconds
            return self._now
