"""A loop and blocking code in turns on one thread."""

import threading
from asyncio import AbstractEventLoop
from collections.abc import Callable
from queue import Empty
from threading import get_ident
from typing import Final, final

from ..errors import LoopStoppedError, NoThreadError
from ..loops import RecyclableLoop, turn
from ..types import Outcome
from ._inbox import Inbox
from ._threads import ThreadCache, ThreadLease

__all__ = ("Drive",)

# How often what became ready is run before the loop polls again.
ROUNDS: Final = 16
CHECK_SECONDS: Final = 0.5
# Shared by all, and always empty: most drives never run a call.
_NO_TICKET: Final[list[bool]] = []


@final
class Drive:
    """Runs one loop on the caller's thread, and calls of its coroutines there too.

    While a call runs the loop stands still, if nothing could happen on it
    meanwhile but that somebody calls it.  Otherwise, or as soon as somebody
    does, the loop moves to a thread of its own, where it goes on.

    While a call runs there is a ticket.  Whoever takes it may touch the loop:
    another thread that moves it, or the caller's thread, which puts it back or
    goes on with the loop.
    """

    __slots__ = (
        "_due",
        "_has_polled",
        "_has_rung",
        "_has_stopped",
        "_inbox",
        "_is_parked",
        "_is_plain",
        "_is_polling",
        "_items",
        "_knocked",
        "_lease",
        "_mover",
        "_moving",
        "_run_number",
        "_threads",
        "_tickets",
        "has_moved",
        "loop",
    )

    def __init__(
        self,
        loop: AbstractEventLoop,
        inbox: Inbox,
        threads: ThreadCache,
        moving: threading.Lock,
    ) -> None:
        """Make the drive of *loop* on the thread of *inbox*, the current one.

        Args:
            loop: Stands still.
            inbox: Gets the calls.
            threads: Has one for the loop, should it have to move.
            moving: Held while another thread moves a loop: for this one, and for
                all drives that share it.
        """
        self.loop = loop
        self._inbox = inbox
        self._items = inbox.queue.items
        self._threads = threads
        # Whether the loop polls, on the caller's thread, and is not turned by hand.
        self._is_polling = False
        # Whether it runs on a thread of its own, to the end of the drive.
        self.has_moved: bool = False
        self._is_plain = (
            not isinstance(loop, RecyclableLoop) or not loop.can_be_turned()
        )
        # Whether what was ready has been run, in debug mode.
        self._has_polled = False
        # Whether we have the loop stopped ourselves.
        self._has_rung = False
        # Which run of the loop this is, and whether it was stopped: what is left
        # of one run must not stop the next.
        self._run_number = 0
        self._has_stopped = False
        self._tickets: list[bool] = _NO_TICKET
        self._is_parked = False  # only for the caller's thread
        self._moving = moving
        # Whether another thread has something for the loop.
        self._knocked = False
        # What the next turn begins with.
        self._due: Callable[[], None] | None = None
        self._mover: _Mover | None = None
        self._lease: ThreadLease | None = None

    # -- on the caller's thread --

    def drive(self, outcome: Outcome) -> None:
        """Run the loop and the work of the inbox until *outcome* is done."""
        is_nested = self._is_parked  # a call waits for a coroutine
        if is_nested:
            self._unpark()
        try:
            while not outcome.is_done:
                if self.has_moved:
                    self._serve(outcome)
                else:
                    self._take_turns(outcome)
        finally:
            if is_nested:
                self._park()
                if self._knocked:
                    self.knock()  # the call goes on, the loop need not wait for it

    def _take_turns(self, outcome: Outcome) -> None:
        """Once the loop, and then whatever is to be done next."""
        if not self._is_plain:
            due, self._due = self._due, None
            turn(self.loop, ROUNDS, due)
            if outcome.is_done:
                return
        if not self._items:
            self._run()
        elif self._is_plain and not self._has_polled:
            self._has_polled = True
            self._run()  # once, since there is something in the inbox
        elif self._is_quiet() or not self._move():
            self._call()

    def _call(self) -> None:
        """Run a call while the loop stands still."""
        self._park()
        try:
            if not self._knocked:
                self._items.popleft().run()
        finally:
            self._unpark()
        self._has_polled = False
        if self._knocked and not self.has_moved:
            # Another thread has something: poll for it, once.
            self.loop.call_soon(self.ring)
            self._run()

    def take_first_turn(self) -> None:
        """Run what is ready, which may be all there is."""
        if not self._is_plain:
            turn(self.loop, ROUNDS)

    def end(self) -> None:
        """Bring the loop back to the caller's thread, standing still."""
        mover, lease = self._mover, self._lease
        if mover is not None and lease is not None:
            self.loop.call_soon_threadsafe(self.loop.stop)
            mover.has_ended.wait()
            lease.release()
            self._mover = self._lease = None

    def _serve(self, outcome: Outcome) -> None:
        try:
            self._inbox.queue.get(CHECK_SECONDS).run()
        except Empty:
            outcome.check()

    def _run(self) -> None:
        """Let the loop poll until it is stopped."""
        if self.has_moved:
            return
        self._schedule_due()
        self._has_rung = self._has_stopped = False
        self._run_number += 1
        self._is_polling = True
        # ring() is called after something was put, and we look after we said
        # that we are running: one of the two sees the other.
        if self._items:
            self._has_rung = True
            self.loop.call_soon(self._stop, self._run_number)
        self._knocked = False  # what it was about is polled for now
        try:
            self.loop.run_forever()
        finally:
            self._is_polling = False
        if not self._has_rung:
            msg = (
                f"{self.loop!r} was stopped by the code that it runs, before the "
                f"coroutine had ended that its caller waits for"
            )
            raise LoopStoppedError(msg)

    def _stop(self, run_number: int) -> None:
        """End a run of the loop, once; in a callback of the loop."""
        if run_number == self._run_number and not self._has_stopped:
            self._has_stopped = True
            self.loop.stop()

    def _is_quiet(self) -> bool:
        """Whether the loop may stand still while a call runs."""
        return (
            self._due is None
            and isinstance(self.loop, RecyclableLoop)
            and self.loop.is_quiet()
        )

    def _park(self) -> None:
        """Lay down the ticket: others may move the loop from now on."""
        self._is_parked = True
        if not self.has_moved:
            self._tickets = [True]

    def _unpark(self) -> None:
        """Take the ticket up again, or wait until the loop has moved."""
        self._is_parked = False
        try:
            self._tickets.pop()  # as in _take_ticket(), which would cost time here
        except IndexError:
            with self._moving:
                pass

    def _take_ticket(self) -> bool:
        try:
            self._tickets.pop()  # atomic, with a GIL and without
        except IndexError:
            return False
        return True

    # -- for whoever has the ticket --

    def _schedule_due(self) -> None:
        """Leave to the loop itself what the next turn would have begun with."""
        due, self._due = self._due, None
        if due is not None:
            self.loop.call_soon(due)

    def _move(self) -> bool:
        """Have the loop go on on a thread of its own; False if there is none."""
        self._schedule_due()
        mover = _Mover(self.loop, self._inbox.thread)
        # The runner may have been closed since the call began, which ends first.
        lease = self._threads.lease(outlives_close=True)
        self.has_moved = True
        self._run_number += 1
        try:
            lease.post(mover)
        except NoThreadError:
            self.has_moved = False
            return False
        self._mover, self._lease = mover, lease
        return True

    # -- on any thread --

    def ring(self) -> None:
        """Look into the inbox soon."""
        if self._is_polling and not self.has_moved:
            self._has_rung = True
            if get_ident() != self._inbox.thread:
                self.loop.call_soon_threadsafe(self._stop, self._run_number)
            elif self._is_plain:  # whose stop() may be a callback itself
                self.loop.call_soon(self._stop, self._run_number)
            else:
                self.loop.stop()

    def call_soon(self, function: Callable[[], None]) -> bool:
        """Schedule *function*, if the loop stands still on the current thread."""
        if get_ident() != self._inbox.thread or self._is_polling or self.has_moved:
            self.knock()
            return False
        tickets = self._tickets
        if self._is_parked:
            try:
                tickets.pop()  # as in _take_ticket(), which would cost time here
            except IndexError:  # the loop has just been moved, or is being
                return False
        if self._due is None and not self._is_plain:
            self._due = function
        else:
            self.loop.call_soon(function)
        if self._is_parked:
            tickets.append(True)
        return True

    def knock(self) -> None:
        """Have the loop run if it stands still: something waits for it."""
        # First the flag, then the ticket: drive() does it the other way round.
        self._knocked = True
        with self._moving:
            if self._take_ticket():
                # Where there is no thread to move to, it runs when the call has
                # ended, which takes up the ticket whether it is there or not.
                _ = self._move()


@final
class _Mover:
    """What the thread does that a loop has moved to."""

    __slots__ = ("_caller", "_loop", "has_ended")

    def __init__(self, loop: AbstractEventLoop, caller: int) -> None:
        self._loop = loop
        self._caller = caller
        self.has_ended = threading.Event()

    def __str__(self) -> str:
        return f"the loop {self._loop!r}"

    def needs_this_thread(self) -> bool:
        """Whether the current thread is the one that the loop has moved from."""
        return not self.has_ended.is_set() and self._caller == get_ident()

    def run(self) -> None:
        """Run the loop until it is stopped."""
        try:
            self._loop.run_forever()
        finally:
            self.has_ended.set()
