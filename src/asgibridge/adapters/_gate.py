"""Where one thread sleeps until others have something for it."""

import threading
from collections import deque
from collections.abc import Callable
from typing import final

import attrs

__all__ = ("Gate",)


def _closed_lock() -> threading.Lock:
    lock = threading.Lock()
    lock.acquire()
    return lock


def _no_tokens() -> deque[None]:
    return deque()  # deque[None]() takes three times as long


@final
@attrs.define(eq=False)
class Gate:
    """Lets one thread wait for a condition; a wake-up is never lost or stored.

    Cheaper than `threading.Condition`: nobody holds a lock while looking.
    """

    _lock: threading.Lock = attrs.field(factory=_closed_lock, init=False)
    # A token says that the sleeper sleeps, or is about to.  Whoever takes it
    # owes the lock one release; taking is atomic.
    _tokens: deque[None] = attrs.field(factory=_no_tokens, init=False)

    def wait(self, ready: Callable[[], object], timeout: float = -1) -> bool:
        """Sleep until *ready* returns something true; return whether it did.

        Args:
            ready: Is asked again after each `wake`.
            timeout: Longest sleep between two wake-ups, in seconds; -1 sets
                no limit.
        """
        while not ready():
            self._tokens.append(None)
            # What makes *ready* true happens before wake() looks for the token,
            # so either this look sees it or wake() sees the token.
            if (ready() or not self._lock.acquire(timeout=timeout)) and not (
                self._disarm()
            ):
                return bool(ready())
        return True

    def wake(self) -> None:
        """Let the sleeper look again; does nothing if nobody sleeps."""
        if not self._tokens:
            return
        try:
            self._tokens.pop()
        except IndexError:  # another was faster
            return
        self._lock.release()

    def _disarm(self) -> bool:
        """Take the token back; return whether a wake-up was under way instead."""
        try:
            self._tokens.pop()
        except IndexError:
            self._lock.acquire()  # its release is certain
            return True
        return False
