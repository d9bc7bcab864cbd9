"""Where one thread sleeps until others have something for it."""

import os
import threading
from collections.abc import Callable
from typing import final

import attrs

from ..loops import Bell, has_more_ready, open_bell

__all__ = ("Gate", "Gates")


@final
@attrs.define(eq=False)
class Gate:
    """Lets its thread wait for a condition; a wake-up is never lost.

    Nobody holds a lock while looking.
    """

    _bell: Bell = attrs.field(factory=open_bell, init=False)
    is_idle: bool = attrs.field(default=False, init=False)
    """Whether the thread sleeps, or is about to."""

    def wait(self, ready: Callable[[], object], timeout: float | None = None) -> bool:
        """Sleep until *ready* returns something true; return whether it did.

        Args:
            ready: Is asked again after each `wake`.
            timeout: Longest sleep between two wake-ups, in seconds; None sets
                no limit.
        """
        while not ready():
            self.is_idle = True
            # What makes *ready* true happens before wake() looks at the flag, so
            # either this look sees it or wake() sees the flag.
            if not (ready() or self._bell.wait(timeout)):
                self.is_idle = False
                return bool(ready())
            self.is_idle = False
        return True

    def wake(self, *, goes_on: bool = False) -> None:
        """Let the sleeper look again; does nothing if nobody sleeps.

        Args:
            goes_on: Whether more for the sleeper is about to come.
        """
        if self.is_idle:
            self.is_idle = False
            self._bell.ring(goes_on=goes_on or has_more_ready())


@final
class Gates(threading.local):
    """The gate of each thread: to open one for each wait would cost more than it."""

    # Opened by a thread's first wait: an adapter alone has no descriptors.
    _gate: Gate | None = None
    _process: int | None = None

    @property
    def gate(self) -> Gate:
        """That of the current thread."""
        process = os.getpid()
        # A forked child has its parent's descriptors.  Who rings in one of the
        # processes would wake the other, and its own thread would sleep on.
        if self._gate is None or self._process != process:
            self._gate = Gate()
            self._process = process
        return self._gate
