"""Threads that share one queue of work."""

import threading
from collections import deque
from threading import get_ident
from time import perf_counter
from typing import Final, final

from ..errors import ExecutorClosedError, NoThreadError
from ..loops import Bell, LockBell, has_more_ready, open_bell
from ..types import Runnable
from ._worker import deadlock_at_close, start

__all__ = ("Crew", "CrewThread")

# A thread needs some ten microseconds to wake up, more on an idle processor.
# Work that is shorter is sooner done by the threads that are awake already.
QUICK_SECONDS: Final = 100e-6
# How long work may lie there without any being finished before that judgement
# counts as mistaken and all the threads are woken that it needs.
STALL_SECONDS: Final = 1e-3
# How many times in a row a guard finds nothing to do before it leaves.
QUIET_LOOKS: Final = 20
# Above this share of work that is not quick every piece wakes a thread.
MAX_SLOW_SHARE: Final = 0.25


@final
class Crew:
    """The threads of a `WorkerPool`, and what they have to do.

    Apart from the pool's options: attrs watches every assignment to an object
    that has options to watch, and here there are many for each piece of work.
    """

    __slots__ = (
        "_awake",
        "_finished",
        "_has_guard",
        "_idle",
        "_lock",
        "_max_workers",
        "_name",
        "_queue",
        "_quiet_looks",
        "_slow_share",
        "_started",
        "idle_timeout",
        "is_closed",
        "threads",
    )

    def __init__(self, name: str, *, max_workers: int, idle_timeout: float) -> None:
        """Make a crew without threads; the options are those of the pool."""
        self._name = name
        self._max_workers = max_workers
        self.idle_timeout: float = idle_timeout
        self._lock = threading.Lock()
        self._queue: deque[Runnable] = deque()
        # all guarded by _lock:
        self.threads: list[CrewThread] = []
        self._idle: list[CrewThread] = []
        self._started = 0
        self._awake = 0
        self._has_guard = False
        self._quiet_looks = 0
        self.is_closed: bool = False
        # Estimates; a lost update of theirs does no harm.
        self._slow_share = 0.0
        self._finished = 0

    @property
    def is_saturated(self) -> bool:
        """Whether work waits and no thread is free to run it."""
        return bool(self._queue) and self._awake >= self._max_workers

    @property
    def has_more(self) -> bool:
        """Whether work waits for a thread."""
        return bool(self._queue)

    def post(self, work: Runnable, /) -> None:
        """Schedule *work*; raises as `WorkerPool.post` says."""
        with self._lock:
            if self.is_closed:
                msg = (
                    f"cannot run {work}: executor {self._name!r} is closed; "
                    f"submit before closing, or make a new one"
                )
                raise ExecutorClosedError(msg)
            if not self._awake or self._slow_share >= MAX_SLOW_SHARE:
                thread = self._rouse()
            elif self._has_guard:
                thread = None
            else:
                thread = self._guard()
            # Last: work that there is no thread for was not accepted.
            self._queue.append(work)
        if thread is not None:
            thread.wake()

    def close(self, *, wait: bool) -> None:
        """End the threads as `WorkerPool.close` says."""
        with self._lock:
            self.is_closed = True
            threads = list(self.threads)
            idle, self._idle = self._idle, []
            self._awake += len(idle)
        for thread in idle:
            thread.wake()
        if not wait:
            return
        if any(thread.ident == get_ident() for thread in threads):
            raise deadlock_at_close(self._name, threading.current_thread().name)
        while threads:
            for thread in threads:
                thread.join()
            # A guard may have started more meanwhile.
            with self._lock:
                threads = [thread for thread in self.threads if thread.is_alive]

    # -- what follows is for the threads; with the lock held where it says so --

    def _rouse(self) -> "CrewThread | None":
        """Choose a thread to wake, or start one; the lock is held."""
        if self._idle:
            thread = self._idle.pop()
        elif len(self.threads) < self._max_workers:
            try:
                thread = self._start()
            except NoThreadError:
                if not self.threads:
                    raise
                return None  # those that there are come to it
        else:
            return None
        self._awake += 1
        return thread

    def _guard(self) -> "CrewThread | None":
        """Choose a thread that looks after the others; the lock is held."""
        thread = self._rouse()
        if thread is not None:
            self._awake -= 1
            self._has_guard = thread.is_guard = True
        return thread

    def _start(self) -> "CrewThread":
        self._started += 1
        thread = CrewThread(self, f"{self._name}-{self._started}")
        self.threads.append(thread)
        return thread

    def take(self, thread: "CrewThread") -> Runnable | None:
        """Return the next work for *thread*; None if it is to be idle, or to end."""
        try:
            return self._queue.popleft()
        except IndexError:
            pass
        with self._lock:
            if self._queue:
                return self._queue.popleft()
            self._awake -= 1
            if self.is_closed:
                thread.is_over = True
            else:
                self._idle.append(thread)
            return None

    def note(self, seconds: float) -> None:
        """Learn from work that took *seconds*."""
        self._finished += 1
        share = self._slow_share * 0.9
        self._slow_share = share + 0.1 if seconds > QUICK_SECONDS else share

    def may_end(self, thread: "CrewThread") -> bool:
        """Whether *thread*, which nobody woke for a while, ends."""
        with self._lock:
            if thread not in self._idle:
                return False  # it was chosen just now, and is about to be woken
            self._idle.remove(thread)
            self.threads.remove(thread)
            return True

    def _goes_well(self, finished: int) -> bool:
        """Whether the guard stays on guard; the lock is held."""
        was_quiet = self._quiet_looks > 0
        if not self._queue:
            # Work that comes one by one finds the guard in its place.
            self._quiet_looks += 1
            return self._quiet_looks <= QUIET_LOOKS
        self._quiet_looks = 0
        return was_quiet or self._finished != finished

    def look(self, finished: int) -> int | None:
        """Wake threads if nothing was finished since the guard's last look.

        Returns:
            What to ask with the next time; None when no guard is needed.
        """
        with self._lock:
            if not self.is_closed and self._goes_well(finished):
                return self._finished
            self._has_guard = False
            self._quiet_looks = 0
            self._awake += 1  # the guard itself
            others = [self._rouse() for _ in range(len(self._queue) - 1)]
        for thread in others:
            if thread is not None:
                thread.wake()
        return None


@final
class CrewThread:
    """One thread of a crew, which waits for a bell while it is idle."""

    __slots__ = (
        "_bell",
        "_crew",
        "_is_woken",
        "_thread",
        "ident",
        "is_guard",
        "is_over",
    )

    def __init__(self, crew: Crew, name: str) -> None:
        self._crew = crew
        self._bell: Bell = open_bell()
        # Whether its rest is over: a bell may also end a wait for no reason.
        self._is_woken = False
        self.is_guard: bool = False
        # Whether nothing can come any more.  Told by the crew in one step with the
        # look that found nothing: who is idle may have been chosen for more.
        self.is_over: bool = False
        self._thread = threading.Thread(target=self._main, name=name, daemon=True)
        start(self._thread)
        self.ident: int | None = self._thread.ident

    def wake(self) -> None:
        """End the thread's rest; once for each time it was chosen."""
        self._is_woken = True
        self._bell.ring(goes_on=has_more_ready())

    @property
    def is_alive(self) -> bool:
        """Whether the thread has not ended."""
        return self._thread.is_alive()

    def join(self) -> None:
        """Wait until the thread has ended."""
        self._thread.join()

    def _main(self) -> None:
        while not self.is_over and self._rest():
            if self.is_guard:
                self._stand_guard()
            self._work()
        self._bell = LockBell()  # which holds nothing of the system's

    def _rest(self) -> bool:
        """Wait to be woken; False if that took so long that the thread ends."""
        # First the wait, so that the ring is used up: no guard wakes of it.
        while True:
            has_rung = self._bell.wait(self._crew.idle_timeout)
            if self._is_woken:
                self._is_woken = False
                return True
            if not has_rung and self._crew.may_end(self):
                return False

    def _stand_guard(self) -> None:
        finished: int | None = -1
        while finished is not None:
            if finished >= 0:
                # Nobody wakes a guard: this only lets a moment pass.
                self._bell.wait(STALL_SECONDS)
            finished = self._crew.look(finished)
        self.is_guard = False

    def _work(self) -> None:
        take, note = self._crew.take, self._crew.note
        started = perf_counter()
        while (work := take(self)) is not None:
            work.run()
            del work
            ended = perf_counter()
            note(ended - started)
            started = ended
