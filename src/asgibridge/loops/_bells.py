"""Waking one thread that waits for work."""

import os
import select
import sys
import threading
from contextlib import suppress
from typing import Protocol, final

from ._eventfd import HAS_EVENTFD, open_eventfd, signal, signal_and_go_on

__all__ = ("Bell", "EventFdBell", "LockBell", "open_bell")


class Bell(Protocol):
    """Wakes the one thread that waits.

    Rings are not counted: several before a wait, or during it, may be one.  A
    wait may end without any, so whoever waits looks for what it waits for.
    """

    def ring(self, *, goes_on: bool = False) -> None:
        """End the wait, or the next one.

        Args:
            goes_on: Whether the ringing thread has more to do: then it is not
                put aside for the other one if that can be helped.
        """
        ...

    def wait(self, timeout: float | None) -> bool:
        """Wait for a ring; False if *timeout* seconds were over before it."""
        ...


@final
class EventFdBell:
    """An eventfd, and a poller that tells only of new rings.

    Two descriptors, given back with the object; any number of processors.
    """

    __slots__ = ("__weakref__", "_fd", "_poll")

    def __init__(self) -> None:
        self._fd = -1  # for the finalizer, if there are no descriptors left
        self._fd = open_eventfd()
        poller = select.epoll(1)
        # Told of each write once, so that nobody has to read.
        poller.register(self._fd, select.EPOLLIN | select.EPOLLET)
        self._poll = poller.poll

    def ring(self, *, goes_on: bool = False) -> None:
        """End the wait, or the next one."""
        if goes_on:
            signal_and_go_on(self._fd)
        else:
            signal(self._fd)

    def wait(self, timeout: float | None) -> bool:
        """Wait for a ring; False if *timeout* seconds were over before it."""
        return bool(self._poll(timeout, 1))

    def __del__(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)


@final
class LockBell:
    """A lock that is held while nobody has rung; for every system."""

    __slots__ = ("_lock",)

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lock.acquire()

    def ring(self, *, goes_on: bool = False) -> None:  # it always does
        """End the wait, or the next one."""
        with suppress(RuntimeError):  # it rings already
            self._lock.release()

    def wait(self, timeout: float | None) -> bool:
        """Wait for a ring; False if *timeout* seconds were over before it."""
        return self._lock.acquire(timeout=-1 if timeout is None else timeout)


def open_bell() -> Bell:
    """Return the best bell that there is, and descriptors for."""
    if HAS_EVENTFD and sys.platform == "linux":
        with suppress(OSError):
            return EventFdBell()
    return LockBell()
