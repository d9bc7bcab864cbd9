"""Waking the requests of one event loop from other threads, many at a time."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import final

import attrs

__all__ = ("Hub",)


@final
@attrs.define(eq=False)
class Hub:
    """Runs callbacks on one loop; a burst of them costs one wake-up.

    Args:
        loop: The loop; it may be closed at any time.
    """

    loop: asyncio.AbstractEventLoop
    _calls: deque[Callable[[], object]] = attrs.field(
        factory=deque[Callable[[], object]], init=False
    )
    # Whether the loop was told to run _drain and has not begun to.
    _armed: bool = attrs.field(default=False, init=False)

    def post(self, call: Callable[[], object]) -> None:
        """Run *call* on the loop soon; from any thread.

        Does nothing once the loop is closed: nobody there waits any more.
        """
        # Appended before the flag is read; _drain clears the flag before it
        # looks at the calls.  So each call is either seen or armed for.
        self._calls.append(call)
        if not self._armed:
            self._armed = True
            try:
                self.loop.call_soon_threadsafe(self._drain)
            except RuntimeError:  # the loop is closed
                self._calls.clear()

    def _drain(self) -> None:
        self._armed = False
        calls = self._calls
        # Bounded, so that others on the loop have their turn.
        for _ in range(len(calls)):
            calls.popleft()()
        if calls and not self._armed:
            self._armed = True
            self.loop.call_soon(self._drain)
