"""Threads on loan: reused instead of started, ended when long idle."""

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import ParamSpec, Protocol, TypeVar, final

from ..errors import ExecutorClosedError
from ..types import Runnable
from ._work import FutureWork
from ._worker import WorkerThread

__all__ = ("ThreadCache", "ThreadLease", "Visitor")

P = ParamSpec("P")
T = TypeVar("T")


@final
class ThreadLease:
    """One thread of a `ThreadCache`, taken when it is first needed.

    Thread-safe.  Work runs in the order of submission.  When every thread of a
    capped cache is lent out, work waits here, first lease in, first served.
    """

    __slots__ = (
        "__weakref__",
        "_cache",
        "backlog",
        "is_released",
        "outlives_close",
        "worker",
    )

    def __init__(
        self,
        cache: "ThreadCache",
        outlives_close: bool = False,  # noqa: FBT001, FBT002  # see ThreadCache.lease
    ) -> None:
        self._cache = cache
        # Whether it gets a thread after the close as well.
        self.outlives_close: bool = outlives_close
        self.worker: WorkerThread | None = None
        # guarded by the cache's lock:
        self.backlog: deque[Runnable] | None = None
        self.is_released: bool = False

    @property
    def thread(self) -> int | None:
        """The identifier of the leased thread; None before there is one."""
        worker = self.worker
        return None if worker is None else worker.ident

    @property
    def current(self) -> Runnable | None:
        """What the leased thread is running."""
        worker = self.worker
        return None if worker is None else worker.current

    @property
    def has_more(self) -> bool:
        """Whether more work waits for the leased thread."""
        worker = self.worker
        return worker is not None and not worker.inbox.empty()

    def post(self, work: Runnable, /) -> None:
        """Schedule *work*."""
        worker = self.worker
        if worker is None or self.is_released or not worker.put(work):
            self._cache.post_first(self, work)

    def submit(
        self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs
    ) -> Future[T]:
        """Schedule a call and return the future of its result."""
        work = FutureWork(fn, args, kwargs, thread=lambda: self.thread)
        self.post(work)
        return work.future

    def release(self) -> None:
        """Give the thread back; calls already submitted run first."""
        self._cache.take_back(self)


class Visitor(Runnable, Protocol):
    """Work that a thread is taken for, and that gives it back.

    It may be run twice, and does nothing the second time.
    """

    worker: WorkerThread | None


@final
class ThreadCache:
    """Lends threads, the most recently used one first.

    Thread-safe.  Threads are started when no idle one is left, and end after
    they were idle for a while.
    """

    __slots__ = (
        "__weakref__",
        "_count",
        "_idle",
        "_idle_timeout",
        "_is_closed",
        "_lent",
        "_lock",
        "_max_workers",
        "_name",
        "_waiting",
        "_workers",
    )

    def __init__(
        self, name: str, *, max_workers: int | None, idle_timeout: float
    ) -> None:
        """Make an empty cache; nothing is started.

        Args:
            name: The beginning of the threads' names.
            max_workers: How many may be lent at once; None is no limit.
            idle_timeout: How long an idle thread is kept, in seconds.
        """
        self._name = name
        self._max_workers = max_workers
        self._idle_timeout = idle_timeout
        self.forget()

    def forget(self) -> None:
        """Become as new, in a forked child."""
        self._lock = threading.Lock()
        # all guarded by _lock:
        self._idle: list[WorkerThread] = []
        self._workers: set[WorkerThread] = set()
        self._waiting: deque[ThreadLease] = deque()
        self._lent = 0
        self._count = 0
        self._is_closed = False

    def lease(self, *, outlives_close: bool = False) -> ThreadLease:
        """Return a lease; a thread is taken when it is first used.

        Args:
            outlives_close: Whether that may be after `close`, since it is for a
                call that was accepted before.  The lease is then for one piece of
                work.
        """
        return ThreadLease(self, outlives_close)

    def check_is_open(self) -> None:
        """Raise `ExecutorClosedError` after `close`."""
        if self._is_closed:
            msg = f"executor {self._name!r} is closed; make a new one"
            raise ExecutorClosedError(msg)

    def send(self, visitor: Visitor) -> None:
        """Have *visitor* run by a thread of a cache without a cap.

        Its `worker` is set, and is to be given back by itself.
        """
        with self._lock:
            if self._is_closed:
                msg = (
                    f"cannot run {visitor}: executor {self._name!r} is closed; "
                    f"submit before closing, or make a new one"
                )
                raise ExecutorClosedError(msg)
            self._lent += 1
            visitor.worker = worker = self._take()
            # Under the lock: behind a close() it would never be run.
            try:
                worker.inbox.put(visitor)
            except BaseException:  # Ctrl-C: it may not be there, or unnoticed
                worker.inbox.put(visitor)
                raise

    def give_back(self, worker: WorkerThread) -> None:
        """Give back a thread that was taken with `send`."""
        with self._lock:
            self._pass_on(worker)

    def post_first(self, lease: ThreadLease, work: Runnable) -> None:
        """Find a thread for *lease*, or a place in the queue, and post *work*."""
        with self._lock:
            if self._is_closed and lease.outlives_close:
                last = WorkerThread(self._name)
                last.inbox.put(work)
                last.stop()
                return
            if self._is_closed or lease.is_released:
                msg = (
                    f"cannot run {work}: the "
                    f"{'executor' if self._is_closed else 'lease'} {self._name!r} "
                    f"is closed; submit before closing, or make a new one"
                )
                raise ExecutorClosedError(msg)
            if lease.worker is None and lease.backlog is None:
                if self._max_workers is None or self._lent < self._max_workers:
                    lease.worker = self._take()
                    self._lent += 1
                else:
                    lease.backlog = deque()
                    self._waiting.append(lease)
            if lease.backlog is not None:
                lease.backlog.append(work)
                return
            worker = lease.worker
            assert worker is not None  # noqa: S101  # set above where it was None
            # Under the lock: behind a close() it would never be run.
            worker.inbox.put(work)

    def take_back(self, lease: ThreadLease) -> None:
        """End *lease*; its thread goes to the next in the queue, or is idle."""
        with self._lock:
            if lease.is_released:
                return
            lease.is_released = True
            worker = lease.worker
            # Without one it has nothing to give back.  If it waits for one, its
            # work is still run when its turn comes.
            if worker is not None:
                self._pass_on(worker)

    def _pass_on(self, worker: WorkerThread) -> None:
        """Give a thread that came back to whoever waits; the lock is held."""
        if self._is_closed:
            return
        while self._waiting:
            lease = self._waiting.popleft()
            backlog, lease.backlog = lease.backlog, None
            assert backlog is not None  # noqa: S101  # it waits, so it has one
            # Into the inbox under the lock: nothing may come in between.
            for work in backlog:
                worker.inbox.put(work)
            if not lease.is_released:
                lease.worker = worker
                return
        self._lent -= 1
        self._idle.append(worker)

    def _take(self) -> WorkerThread:
        """Return a free thread, the lock being held."""
        # One that was given back may still be busy: with the end of its last
        # call, or with an abandoned one.  Whoever leases a thread gets a free
        # one, so the busy ones are left where they are.
        for index in range(len(self._idle) - 1, -1, -1):
            if not self._idle[index].is_busy:
                return self._idle.pop(index)
        if self._max_workers is not None and len(self._workers) >= self._max_workers:
            return self._idle.pop(0)  # queue behind what was given back longest ago
        self._count += 1
        name = f"{self._name}-{self._count}"
        worker = WorkerThread(name, self, self._idle_timeout, comes_alone=True)
        self._workers.add(worker)
        return worker

    def may_end(self, worker: WorkerThread) -> bool:
        """Whether *worker*, idle for a while, is not lent out."""
        with self._lock:
            if worker not in self._idle:
                return False
            # Said before the look at its inbox: see WorkerThread.put.
            worker.is_stopped = True
            if worker.is_busy:
                worker.is_stopped = False
                return False
            self._idle.remove(worker)
            self._workers.discard(worker)
            return True

    def close(self) -> list[WorkerThread]:
        """Refuse new work; return the threads, told to end after their work."""
        with self._lock:
            self._is_closed = True
            workers = list(self._workers)
            self._workers.clear()
            self._idle.clear()
            # Whoever waits for a thread does so because all of them are lent.
            for index, lease in enumerate(self._waiting):
                for work in lease.backlog or ():
                    workers[index % len(workers)].inbox.put(work)
                lease.backlog = None
            self._waiting.clear()
            for worker in workers:
                worker.stop()
            return workers
