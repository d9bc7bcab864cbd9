"""Telling an event loop, from other threads, that something is finished."""

import asyncio
import sys
import weakref
from asyncio import AbstractEventLoop
from collections import deque
from typing import Protocol, final

from ._recycling import RecyclableLoop
from ._wakers import HAS_EVENTFD, EventFdWaker, ThreadsafeWaker, Waker

__all__ = ("Letter", "Mailbox", "MailboxRegistry")


class Letter(Protocol):
    """Something that concerns a loop."""

    def deliver(self) -> None:
        """Do what there is to do, on the loop's thread, inside a callback."""
        ...


@final
class Mailbox:
    """Collects letters for one loop and wakes it once per burst.

    `post` may be called from any thread; letters are delivered in order on the
    loop's thread.  A mailbox does not keep its loop alive.
    """

    __slots__ = ("__weakref__", "_armed", "_letters", "_waker", "loop", "watch")

    def __init__(self, loop: AbstractEventLoop) -> None:
        """Open a mailbox for *loop*, which runs on the current thread."""
        self.loop = weakref.ref(loop)
        # Free for use by those who look after waiting calls of this loop.
        self.watch: asyncio.TimerHandle | None = None
        self._letters: deque[Letter] = deque()
        self._armed = False
        drain = weakref.WeakMethod(self.drain)

        def drain_if_alive() -> None:
            if (function := drain()) is not None:
                function()

        self._waker: Waker
        if HAS_EVENTFD and _can_read(loop):
            self._waker = EventFdWaker.on_running_loop(loop, drain_if_alive)
        else:
            self._waker = ThreadsafeWaker(self.loop, drain_if_alive)
        weakref.finalize(self, self._waker.close).atexit = False

    def post(self, letter: Letter) -> None:
        """Have *letter* delivered.

        Raises:
            RuntimeError: If the loop is closed, as far as that is known.
        """
        # The letter first, the flag after it: drain() does it the other way
        # round, so that one of the two always sees the other.
        self._letters.append(letter)
        if not self._armed:
            self._armed = True
            self._waker.wake()

    def drain(self) -> None:
        """Deliver what has arrived; on the loop's thread."""
        self._armed = False
        letters = self._letters
        try:
            # Bounded by what is here now: fast workers must not starve the loop.
            for _ in range(len(letters)):
                letters.popleft().deliver()
        finally:
            # Something is left that nobody woke the loop for only after a
            # KeyboardInterrupt or SystemExit went through here.
            if letters and not self._armed:
                self._armed = True
                self._waker.wake()


def _can_read(loop: AbstractEventLoop) -> bool:
    """Whether *loop* still looks after readers and asynchronous generators."""
    return not getattr(loop, "_asyncgens_shutdown_called", False) and (
        sys.platform != "win32"
    )


@final
class MailboxRegistry:
    """Knows the mailbox of every loop, for as long as the loop lives."""

    __slots__ = ("_mailboxes",)

    def __init__(self) -> None:
        self._mailboxes: weakref.WeakKeyDictionary[AbstractEventLoop, Mailbox] = (
            weakref.WeakKeyDictionary()
        )

    def of(self, loop: AbstractEventLoop) -> Mailbox:
        """Return the mailbox of *loop*, which runs on the current thread."""
        mailbox = self._mailboxes.get(loop)
        if mailbox is None:
            if isinstance(loop, RecyclableLoop):
                mailbox = loop.tolerate(self._open)
            else:
                mailbox = self._open(loop)
        return mailbox

    def _open(self, loop: AbstractEventLoop) -> Mailbox:
        mailbox = self._mailboxes[loop] = Mailbox(loop)
        return mailbox
