"""A loop and blocking code in turns on one thread."""

import threading
from asyncio import AbstractEventLoop
from collections.abc import Callable
from enum import Enum, auto
from queue import Empty
from threading import get_ident
from typing import Final, final

from ..loops import RecyclableLoop, turn
from ..types import Outcome
from ._inbox import Inbox
from ._threads import ThreadCache, ThreadLease

__all__ = ("Drive",)

# How often what became ready is run before the loop polls again.
ROUNDS: Final = 16
CHECK_SECONDS: Final = 0.5


class State(Enum):
    """What the loop of a drive is doing."""

    TURNING = auto()  # on the caller's thread, by hand: it comes back soon
    RUNNING = auto()  # on the caller's thread, polling
    PARKED = auto()  # not running: the caller's thread runs a call
    MOVED = auto()  # running on a thread of its own, to the end of the drive


@final
class Drive:
    """Runs one loop on the caller's thread, and calls of its coroutines there too.

    While a call runs the loop stands still, if nothing could happen on it
    meanwhile but that somebody calls it.  Otherwise, or as soon as somebody
    does, the loop moves to a thread of its own, where it goes on.
    """

    __slots__ = (
        "_due",
        "_inbox",
        "_is_plain",
        "_knocked",
        "_lease",
        "_lock",
        "_loop",
        "_mover",
        "_state",
        "_thread",
        "_threads",
    )

    def __init__(
        self, loop: AbstractEventLoop, inbox: Inbox, threads: ThreadCache
    ) -> None:
        self._loop = loop
        self._inbox = inbox
        self._threads = threads
        self._thread = get_ident()
        # Turning by hand is for loops that tell when they are quiet.
        self._is_plain = not isinstance(loop, RecyclableLoop) or loop.get_debug()
        self._lock = threading.Lock()
        self._state = State.TURNING  # guarded by _lock
        self._knocked = False  # guarded by _lock
        # What the next turn begins with; guarded by _lock, as far as others go.
        self._due: Callable[[], None] | None = None
        self._mover: _Mover | None = None  # guarded by _lock
        self._lease: ThreadLease | None = None

    # -- on the caller's thread --

    def drive(self, outcome: Outcome) -> None:
        """Run the loop and the work of the inbox until *outcome* is done."""
        queue = self._inbox.queue
        outer = self._enter(State.TURNING)  # PARKED, if a call waits for a coroutine
        try:
            while not outcome.is_done:
                if self._has_moved():
                    self._serve(outcome)
                    continue
                if not self._is_plain:
                    due, self._due = self._due, None
                    turn(self._loop, ROUNDS, due)
                if outcome.is_done:
                    break
                if queue.empty():
                    self._run()
                elif self._park():
                    try:
                        queue.get_nowait().run()
                    finally:
                        self._enter(State.TURNING)
        finally:
            self._enter(outer)

    def end(self) -> None:
        """Bring the loop back to the caller's thread, standing still."""
        mover, lease = self._mover, self._lease
        if mover is not None and lease is not None:
            self._loop.call_soon_threadsafe(self._loop.stop)
            mover.has_ended.wait()
            lease.release()
            self._mover = self._lease = None

    def _has_moved(self) -> bool:
        return self._state is State.MOVED

    def _serve(self, outcome: Outcome) -> None:
        try:
            self._inbox.queue.get(True, CHECK_SECONDS).run()
        except Empty:
            outcome.check()

    def _run(self) -> None:
        """Let the loop poll until it is stopped."""
        self._schedule_due()
        self._state = State.RUNNING
        # ring() is called after something was put, and we look after we said
        # that we are running: one of the two sees the other.
        if not self._inbox.queue.empty():
            self._loop.call_soon(self._loop.stop)
        try:
            self._loop.run_forever()
        finally:
            self._state = State.TURNING

    def _enter(self, state: State) -> State:
        """Change the state and return the one before; a moved loop stays away."""
        with self._lock:
            before = self._state
            if before is not State.MOVED:
                self._state = state
            return before

    def _park(self) -> bool:
        """Have the loop out of the way of a call; False if it has to poll first."""
        is_quiet = (
            self._due is None
            and isinstance(self._loop, RecyclableLoop)
            and self._loop.is_quiet()
        )
        with self._lock:
            if not self._knocked:
                self._state = State.PARKED
                if not is_quiet:
                    self._move()
                return True
            self._knocked = False
        # Another thread has something for the loop: let it see that.
        self._run()
        return False

    def _schedule_due(self) -> None:
        """Leave to the loop itself what the next turn would have begun with."""
        due, self._due = self._due, None
        if due is not None:
            self._loop.call_soon(due)

    def _move(self) -> None:
        """Have the loop go on on a thread of its own; the lock is held."""
        self._schedule_due()
        self._state = State.MOVED
        self._mover = _Mover(self._loop)
        self._lease = self._threads.lease()
        self._lease.post(self._mover)

    # -- on any thread --

    def ring(self) -> None:
        """Look into the inbox soon."""
        if self._state is State.RUNNING:
            if get_ident() == self._thread:
                self._loop.stop()
            else:
                self._loop.call_soon_threadsafe(self._loop.stop)

    def call_soon(self, function: Callable[[], None]) -> bool:
        """Schedule *function*, if the loop stands still on the current thread."""
        if get_ident() == self._thread:
            with self._lock:
                if self._state is State.PARKED or self._state is State.TURNING:
                    # The mailbox of one bridge, and it announces itself once.
                    if self._due is None and not self._is_plain:
                        self._due = function
                    else:
                        self._loop.call_soon(function)
                    return True
        self.knock()
        return False

    def knock(self) -> None:
        """Have the loop run if it stands still: something waits for it."""
        with self._lock:
            if self._state is State.PARKED:
                self._move()
            elif self._state is State.TURNING:
                self._knocked = True


@final
class _Mover:
    """What the thread does that a loop has moved to."""

    __slots__ = ("_loop", "has_ended")

    def __init__(self, loop: AbstractEventLoop) -> None:
        self._loop = loop
        self.has_ended = threading.Event()

    def __str__(self) -> str:
        return f"the loop {self._loop!r}"

    def run(self) -> None:
        """Run the loop until it is stopped."""
        try:
            self._loop.run_forever()
        finally:
            self.has_ended.set()
