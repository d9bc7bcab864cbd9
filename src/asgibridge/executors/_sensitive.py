"""Threads for code that must stay on one thread."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from types import TracebackType
from typing import ParamSpec, Self, TypeVar, final

import attrs

from .._options import seconds, whole
from ..errors import ExecutorClosedError
from ..types import Runnable
from ._forks import forget_after_fork
from ._threads import ThreadCache, ThreadLease
from ._work import FutureWork
from ._worker import WorkerThread, join_all

__all__ = ("ThreadSensitivePool",)

P = ParamSpec("P")
T = TypeVar("T")


@final
@attrs.define(eq=False, weakref_slot=True)
class ThreadSensitivePool:
    """One shared thread, and one more for each scope that wants its own.

    What is submitted to the pool itself runs on the shared thread, in order.
    A `lease` is a thread of its own for as long as somebody needs it; leased
    threads are reused, the most recently used one first.

    Thread-safe.  Creating a pool starts nothing; a forked child starts without
    threads.  Whoever creates a pool closes it.

    Args:
        max_workers: How many threads may be on loan at once; further leases
            wait for their first call, first in, first out.  None, the default,
            is no limit.
        idle_timeout: How long a thread that was given back is kept, in seconds.
        name: The beginning of the threads' names.
    """

    max_workers: int | None = attrs.field(
        default=None,
        kw_only=True,
        validator=attrs.validators.optional(whole(1)),
        on_setattr=attrs.setters.frozen,
    )
    idle_timeout: float = attrs.field(
        default=10.0,
        kw_only=True,
        validator=seconds,
        on_setattr=attrs.setters.frozen,
    )
    name: str = attrs.field(
        default="asgibridge-sensitive", kw_only=True, on_setattr=attrs.setters.frozen
    )
    _lock: threading.Lock = attrs.field(init=False, repr=False)
    _shared: WorkerThread | None = attrs.field(init=False, repr=False)
    _is_closed: bool = attrs.field(init=False)  # guarded by _lock
    _cache: ThreadCache = attrs.field(init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        self.forget()
        forget_after_fork(self)

    def forget(self) -> None:
        """Become as new, in a forked child."""
        self._lock = threading.Lock()
        self._shared = None
        self._is_closed = False
        self._cache = ThreadCache(
            self.name, max_workers=self.max_workers, idle_timeout=self.idle_timeout
        )

    @property
    def thread(self) -> int | None:
        """The identifier of the shared thread; None before there is one."""
        shared = self._shared
        return None if shared is None else shared.ident

    @property
    def current(self) -> Runnable | None:
        """What the shared thread is running."""
        shared = self._shared
        return None if shared is None else shared.current

    @property
    def has_more(self) -> bool:
        """Whether more work waits for the shared thread."""
        shared = self._shared
        return shared is not None and not shared.inbox.empty()

    def post(self, work: Runnable, /) -> None:
        """Schedule *work* on the shared thread.

        Raises:
            ExecutorClosedError: After `close`.
        """
        shared = self._shared
        if shared is None:
            shared = self._start(work)
        shared.inbox.put(work)
        # As in WorkerThread.put(), which would cost time here.
        if shared.is_stopped and shared.inbox.withdraw(work):
            raise self._closed(work)

    def submit(
        self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs
    ) -> Future[T]:
        """Schedule a call on the shared thread; return the future of its result.

        Waiting for that future on the shared thread itself, without a timeout,
        raises `DeadlockError`.

        Raises:
            ExecutorClosedError: After `close`.
        """
        work = FutureWork(fn, args, kwargs, thread=lambda: self.thread)
        self.post(work)
        return work.future

    def lease(self) -> ThreadLease:
        """Return a thread on loan; it is taken when it is first used."""
        return self._cache.lease()

    def close(self, *, wait: bool = True) -> None:
        """Refuse new work, run what is queued, and end the threads.

        Args:
            wait: Return only when the threads have ended.

        Raises:
            DeadlockError: If a thread of this pool would wait for itself, or for
                the event loop that runs on this thread.
        """
        with self._lock:
            workers = self._cache.close()
            if self._shared is not None and not self._is_closed:
                self._shared.stop()
                workers.append(self._shared)
            self._is_closed = True
        if wait:
            join_all(workers, self.name)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _start(self, work: Runnable) -> WorkerThread:
        with self._lock:
            if self._is_closed:
                raise self._closed(work)
            if self._shared is None:
                self._shared = WorkerThread(self.name)
            return self._shared

    def _closed(self, work: Runnable) -> ExecutorClosedError:
        msg = (
            f"cannot run {work}: executor {self.name!r} is closed; "
            f"submit before closing, or make a new one"
        )
        return ExecutorClosedError(msg)
