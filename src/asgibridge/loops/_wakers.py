"""Two ways of making a loop run a function soon, from other threads."""

import os
import sys
import threading
import weakref
from asyncio import AbstractEventLoop
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress
from typing import Protocol, final

import attrs

from ._eventfd import open_eventfd, signal, signal_and_go_on
from ._recycling import RecyclableLoop

__all__ = ("DrivenWaker", "EventFdWaker", "Reason", "ThreadsafeWaker", "Waker")


class Reason(Protocol):
    """Why a loop is woken."""

    @property
    def goes_on(self) -> bool:
        """Whether the waking thread goes on to more of the same kind."""
        ...


class Waker(Protocol):
    """Makes one loop call one function soon."""

    def wake(self, why: "Reason | None" = None) -> None:
        """Have the function called; RuntimeError if the loop is closed.

        Args:
            why: Tells, if it is asked, whether the waking thread has more to do:
                then it is not put aside for the loop if that can be helped.
        """
        ...

    def close(self) -> None:
        """Give back what the loop and the system hold for this."""
        ...


@final
@attrs.frozen(eq=False)
class ThreadsafeWaker:
    """The public way, for every loop.  Nothing of it needs closing."""

    _loop: weakref.ref[AbstractEventLoop]
    _function: Callable[[], None]

    def wake(self, why: "Reason | None" = None) -> None:  # asyncio decides
        """Have the function called; RuntimeError if the loop is closed."""
        loop = self._loop()
        if loop is None:
            msg = "Event loop is closed"  # as the loop itself would say it
            raise RuntimeError(msg)
        loop.call_soon_threadsafe(self._function)

    def close(self) -> None:
        """Do nothing."""


@final
@attrs.define(eq=False)
class EventFdWaker:
    """An eventfd that the loop reads: no handle, one system call each side.

    The descriptor lives until the loop shuts down its asynchronous generators,
    as `asyncio.run` does at its end, or until `close`.  From then on the public
    way is used.
    """

    _loop: weakref.ref[AbstractEventLoop]
    _function: Callable[[], None]
    _fd: int = attrs.field(init=False, factory=open_eventfd)
    # Guards the descriptor's number, which the system may give to somebody
    # else as soon as it is closed.
    _lock: threading.Lock = attrs.field(factory=threading.Lock, init=False)
    _is_open: bool = attrs.field(default=True, init=False)  # guarded by _lock
    _keeper: AsyncGenerator[None] | None = attrs.field(default=None, init=False)

    @classmethod
    def on_running_loop(
        cls, loop: AbstractEventLoop, function: Callable[[], None]
    ) -> "EventFdWaker":
        """Watch a new eventfd on *loop*, which runs on this thread."""
        waker = cls(weakref.ref(loop), function)
        fd = waker._fd

        def read() -> None:
            os.eventfd_read(fd)
            function()

        loop.add_reader(fd, read)
        # A suspended asynchronous generator is the only thing that every loop
        # promises to end while it can still remove a reader.
        waker._keeper = keeper = _call_at_shutdown(waker._close_here)
        # It needs no finalizer of the loop's: close() is its only other end.
        finalizer = sys.get_asyncgen_hooks().finalizer
        sys.set_asyncgen_hooks(finalizer=None)
        try:
            with suppress(StopIteration):
                keeper.asend(None).send(None)
        finally:
            sys.set_asyncgen_hooks(finalizer=finalizer)
        if isinstance(loop, RecyclableLoop):
            loop.closers.add(waker)
        return waker

    def wake(self, why: "Reason | None" = None) -> None:
        """Have the function called; RuntimeError if the loop is closed."""
        with self._lock:
            if self._is_open:
                if why is not None and why.goes_on:
                    signal_and_go_on(self._fd)
                else:
                    signal(self._fd)
                return
        ThreadsafeWaker(self._loop, self._function).wake(why)

    def close(self) -> None:
        """Have the loop forget the descriptor; from any thread."""
        loop = self._loop()
        if loop is not None:
            with suppress(RuntimeError):  # closed, and its selector with it
                loop.call_soon_threadsafe(self._close_here)
                return
        self._close_fd()

    def close_before(self, loop: AbstractEventLoop) -> None:
        """Give the descriptor back; *loop* is idle and about to be closed."""
        if self._is_open:
            loop.remove_reader(self._fd)
            self._close_fd()

    def _close_here(self) -> None:
        loop = self._loop()
        if self._is_open and loop is not None:
            loop.remove_reader(self._fd)
        self._close_fd()
        # What was announced through the descriptor is not announced again.
        self._function()

    def _close_fd(self) -> None:
        with self._lock:
            if self._is_open:
                self._is_open = False
                os.close(self._fd)
        self._keeper = None  # it refers to this object


@final
@attrs.frozen(eq=False)
class DrivenWaker:
    """Needs no system call where the loop stands still on the waking thread."""

    _loop: weakref.ref[RecyclableLoop]
    _function: Callable[[], None]
    _otherwise: Waker

    def wake(self, why: "Reason | None" = None) -> None:
        """Have the function called; RuntimeError if the loop is closed."""
        loop = self._loop()
        driver = None if loop is None else loop.driver
        del loop  # which may be looked at before this returns: see RecyclableLoop
        if driver is None or not driver.call_soon(self._function):
            self._otherwise.wake(why)

    def close(self) -> None:
        """Give back what the loop and the system hold for this."""
        self._otherwise.close()


async def _call_at_shutdown(function: Callable[[], None]) -> AsyncGenerator[None]:
    try:
        yield
    finally:
        function()
