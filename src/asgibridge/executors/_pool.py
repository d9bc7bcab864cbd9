"""Threads for code that may run anywhere."""

import os
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from threading import get_ident
from time import perf_counter
from types import TracebackType
from typing import Final, ParamSpec, Self, TypeVar, final

import attrs

from ..errors import ExecutorClosedError, NoThreadError
from ..loops import Bell, LockBell, has_more_ready, open_bell
from ..types import Runnable
from ._forks import forget_after_fork
from ._work import FutureWork
from ._worker import deadlock_at_close, start

__all__ = ("WorkerPool",)

P = ParamSpec("P")
T = TypeVar("T")

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


def _default_max_workers() -> int:
    return min(32, (os.cpu_count() or 1) + 4)  # as concurrent.futures has it


@final
@attrs.define(eq=False, weakref_slot=True)
class WorkerPool:
    """Runs calls on a bounded number of threads, first in, first out.

    For code that is not thread-sensitive.  Threads are started when they are
    needed and end after they were idle for a while.  While the work is quick
    few threads are woken for it; work that blocks is noticed within a
    millisecond and gets as many threads as it needs.

    Thread-safe.  Creating a pool starts nothing; a forked child starts without
    threads.  Whoever creates a pool closes it.

    Args:
        max_workers: How many threads there may be.
        idle_timeout: How long an idle thread is kept, in seconds.
        name: The beginning of the threads' names.
    """

    max_workers: int = attrs.field(
        factory=_default_max_workers,
        kw_only=True,
        validator=attrs.validators.ge(1),
        on_setattr=attrs.setters.frozen,
    )
    idle_timeout: float = attrs.field(
        default=10.0,
        kw_only=True,
        validator=attrs.validators.gt(0),
        on_setattr=attrs.setters.frozen,
    )
    name: str = attrs.field(
        default="asgibridge-worker", kw_only=True, on_setattr=attrs.setters.frozen
    )
    _lock: threading.Lock = attrs.field(init=False, repr=False)
    _queue: deque[Runnable] = attrs.field(init=False, repr=False)
    # all guarded by _lock:
    _threads: "list[_PoolThread]" = attrs.field(init=False, repr=False)
    _idle: "list[_PoolThread]" = attrs.field(init=False, repr=False)
    _started: int = attrs.field(init=False, repr=False)
    _awake: int = attrs.field(init=False, repr=False)
    _has_guard: bool = attrs.field(init=False, repr=False)
    _quiet_looks: int = attrs.field(init=False, repr=False)
    is_closed: bool = attrs.field(init=False)
    # Estimates; a lost update of theirs does no harm.
    _slow_share: float = attrs.field(init=False, repr=False)
    _finished: int = attrs.field(init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        self.forget()
        forget_after_fork(self)

    def forget(self) -> None:
        """Become as new, in a forked child."""
        self._lock = threading.Lock()
        self._queue = deque()
        self._threads = []
        self._idle = []
        self._started = 0
        self._awake = 0
        self._has_guard = False
        self._quiet_looks = 0
        self.is_closed = False
        self._slow_share = 0.0
        self._finished = 0

    @property
    def is_saturated(self) -> bool:
        """Whether work waits and no thread is free to run it."""
        return bool(self._queue) and self._awake >= self.max_workers

    @property
    def has_more(self) -> bool:
        """Whether work waits for a thread."""
        return bool(self._queue)

    def post(self, work: Runnable, /) -> None:
        """Schedule *work*.

        Raises:
            ExecutorClosedError: After `close`.
            NoThreadError: If the first thread cannot be started.
        """
        with self._lock:
            if self.is_closed:
                msg = (
                    f"cannot run {work}: executor {self.name!r} is closed; "
                    f"submit before closing, or make a new one"
                )
                raise ExecutorClosedError(msg)
            if self._awake and self._slow_share < MAX_SLOW_SHARE:
                thread = self._guard()
            else:
                thread = self._rouse()
            # Last: work that there is no thread for was not accepted.
            self._queue.append(work)
        if thread is not None:
            thread.wake()

    def submit(
        self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs
    ) -> Future[T]:
        """Schedule a call and return the future of its result.

        Raises:
            ExecutorClosedError: After `close`.
        """
        work = FutureWork(fn, args, kwargs)
        self.post(work)
        return work.future

    def close(self, *, wait: bool = True) -> None:
        """Refuse new work, run what is queued, and end the threads.

        Args:
            wait: Return only when the threads have ended.

        Raises:
            DeadlockError: If a thread of this pool would wait for itself.
        """
        with self._lock:
            self.is_closed = True
            threads = list(self._threads)
            idle, self._idle = self._idle, []
            self._awake += len(idle)
        for thread in idle:
            thread.wake()
        if not wait:
            return
        if any(thread.ident == get_ident() for thread in threads):
            raise deadlock_at_close(self.name, threading.current_thread().name)
        while threads:
            for thread in threads:
                thread.join()
            # A guard may have started more meanwhile.
            with self._lock:
                threads = [thread for thread in self._threads if thread.is_alive]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    # -- what follows is for the threads; with the lock held where it says so --

    def _rouse(self) -> "_PoolThread | None":
        """Choose a thread to wake, or start one; the lock is held."""
        if self._idle:
            thread = self._idle.pop()
        elif len(self._threads) < self.max_workers:
            try:
                thread = self._start()
            except NoThreadError:
                if not self._threads:
                    raise
                return None  # those that there are come to it
        else:
            return None
        self._awake += 1
        return thread

    def _guard(self) -> "_PoolThread | None":
        """Choose a thread that looks after the others; the lock is held."""
        if self._has_guard:
            return None
        thread = self._rouse()
        if thread is not None:
            self._awake -= 1
            self._has_guard = thread.is_guard = True
        return thread

    def _start(self) -> "_PoolThread":
        self._started += 1
        thread = _PoolThread(self, f"{self.name}-{self._started}")
        self._threads.append(thread)
        return thread

    def take(self, thread: "_PoolThread") -> Runnable | None:
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
        self._slow_share += ((seconds > QUICK_SECONDS) - self._slow_share) * 0.1

    def may_end(self, thread: "_PoolThread") -> bool:
        """Whether *thread*, which nobody woke for a while, ends."""
        with self._lock:
            if thread not in self._idle:
                return False  # it was chosen just now, and is about to be woken
            self._idle.remove(thread)
            self._threads.remove(thread)
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
class _PoolThread:
    """One thread of a `WorkerPool`, which waits for a bell while it is idle."""

    __slots__ = (
        "_bell",
        "_is_woken",
        "_pool",
        "_thread",
        "ident",
        "is_guard",
        "is_over",
    )

    def __init__(self, pool: WorkerPool, name: str) -> None:
        self._pool = pool
        self._bell: Bell = open_bell()
        # Whether its rest is over: a bell may also end a wait for no reason.
        self._is_woken = False
        self.is_guard: bool = False
        # Whether nothing can come any more.  Told by the pool in one step with the
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
            has_rung = self._bell.wait(self._pool.idle_timeout)
            if self._is_woken:
                self._is_woken = False
                return True
            if not has_rung and self._pool.may_end(self):
                return False

    def _stand_guard(self) -> None:
        finished: int | None = -1
        while finished is not None:
            if finished >= 0:
                # Nobody wakes a guard: this only lets a moment pass.
                self._bell.wait(STALL_SECONDS)
            finished = self._pool.look(finished)
        self.is_guard = False

    def _work(self) -> None:
        take, note = self._pool.take, self._pool.note
        while (work := take(self)) is not None:
            started = perf_counter()
            work.run()
            note(perf_counter() - started)
            del work
