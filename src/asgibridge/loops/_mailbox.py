"""Telling an event loop, from other threads, that something is finished."""

import sys
import weakref
from asyncio import AbstractEventLoop
from collections import deque
from typing import Protocol, final

from ._eventfd import HAS_EVENTFD
from ._recycling import RecyclableLoop
from ._wakers import DrivenWaker, EventFdWaker, Reason, ThreadsafeWaker, Waker

__all__ = ("Letter", "Mailbox", "MailboxRegistry")


class Letter(Reason, Protocol):
    """Something that concerns a loop."""

    def deliver(self) -> None:
        """Do what there is to do, on the loop's thread, inside a callback."""
        ...


@final
class Mailbox:
    """Collects letters for one loop and wakes it once per burst.

    `post` may be called from any thread; letters are delivered in order on the
    loop's thread.  The loop keeps its mailbox, not the mailbox its loop.
    """

    __slots__ = (
        "__weakref__",
        "_waker",
        "is_armed",
        "is_brief",
        "letters",
        "loop",
        "watch",
    )

    def __init__(self, loop: AbstractEventLoop) -> None:
        """Open a mailbox for *loop*, which runs on the current thread."""
        self.loop: weakref.ref[AbstractEventLoop] = weakref.ref(loop)
        # Free for use by those who look after waiting calls of this loop.
        self.watch: object = None
        # Whether the loop is there for single calls.
        self.is_brief: bool = isinstance(loop, RecyclableLoop)
        self.letters: deque[Letter] = deque()
        # Whether the loop is about to look for letters.  Its own thread may set
        # it for a moment, so that nobody wakes the loop meanwhile: it takes it
        # back then, and first after that sees whether there are any.
        self.is_armed: bool = False
        self._waker: Waker
        if HAS_EVENTFD and _can_read(loop):
            self._waker = EventFdWaker.on_running_loop(loop, self.drain)
        else:
            self._waker = ThreadsafeWaker(self.loop, self.drain)
        if isinstance(loop, RecyclableLoop):
            self._waker = DrivenWaker(weakref.ref(loop), self.drain, self._waker)

    def close(self) -> None:
        """Give back what the loop and the system hold for the mailbox."""
        self._waker.close()

    def post(self, letter: Letter) -> None:
        """Have *letter* delivered.

        Raises:
            RuntimeError: If the loop is closed, as far as that is known.
        """
        # The letter first, the flag after it: drain() does it the other way
        # round, so that one of the two always sees the other.
        self.letters.append(letter)
        if not self.is_armed:
            self.is_armed = True
            self._waker.wake(letter)

    def look(self, loop: AbstractEventLoop) -> None:
        """Have delivered what has come, unless it is being done; on *loop*'s thread."""
        if not self.is_armed:
            self.is_armed = True
            loop.call_soon(self.drain)

    def drain(self) -> None:
        """Deliver what has arrived; on the loop's thread."""
        self.is_armed = False
        letters = self.letters
        try:
            # Bounded by what is here now: fast workers must not starve the loop.
            for _ in range(len(letters)):
                letters.popleft().deliver()
        finally:
            # Something is left that nobody woke the loop for only after a
            # KeyboardInterrupt or SystemExit went through here.
            if letters and not self.is_armed:
                self.is_armed = True
                self._waker.wake()


def _can_read(loop: AbstractEventLoop) -> bool:
    """Whether *loop* still looks after readers and asynchronous generators."""
    return not getattr(loop, "_asyncgens_shutdown_called", False) and (
        sys.platform != "win32"
    )


@final
class MailboxRegistry:
    """Knows the mailbox of every loop, for as long as the loop lives."""

    __slots__ = ("__weakref__", "_mailboxes")

    def __init__(self) -> None:
        self._mailboxes: weakref.WeakKeyDictionary[AbstractEventLoop, Mailbox] = (
            weakref.WeakKeyDictionary()
        )
        weakref.finalize(self, _close_all, self._mailboxes).atexit = False

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


def _close_all(
    mailboxes: weakref.WeakKeyDictionary[AbstractEventLoop, Mailbox],
) -> None:
    for mailbox in list(mailboxes.values()):
        mailbox.close()
