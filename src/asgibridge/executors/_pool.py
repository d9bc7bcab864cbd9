"""Threads for code that may run anywhere."""

import os
from collections.abc import Callable
from concurrent.futures import Future
from types import TracebackType
from typing import ParamSpec, Self, TypeVar, final

import attrs

from .._options import seconds, whole
from ..types import Runnable
from ._crew import Crew
from ._forks import forget_after_fork
from ._work import FutureWork

__all__ = ("WorkerPool",)

P = ParamSpec("P")
T = TypeVar("T")


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
        validator=whole(1),
        on_setattr=attrs.setters.frozen,
    )
    idle_timeout: float = attrs.field(
        default=10.0,
        kw_only=True,
        validator=seconds,
        on_setattr=attrs.setters.frozen,
    )
    name: str = attrs.field(
        default="asgibridge-worker", kw_only=True, on_setattr=attrs.setters.frozen
    )
    _crew: Crew = attrs.field(init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        self.forget()
        forget_after_fork(self)

    def forget(self) -> None:
        """Become as new, in a forked child."""
        self._crew = Crew(
            self.name, max_workers=self.max_workers, idle_timeout=self.idle_timeout
        )

    @property
    def is_saturated(self) -> bool:
        """Whether work waits and no thread is free to run it."""
        return self._crew.is_saturated

    @property
    def has_more(self) -> bool:
        """Whether work waits for a thread."""
        return self._crew.has_more

    def post(self, work: Runnable, /) -> None:
        """Schedule *work*.

        Raises:
            ExecutorClosedError: After `close`.
            NoThreadError: If the first thread cannot be started.
        """
        self._crew.post(work)

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
        self._crew.close(wait=wait)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
