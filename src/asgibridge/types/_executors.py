"""Where blocking code runs."""

from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, ParamSpec, Protocol, TypeVar, runtime_checkable

__all__ = (
    "BlockingExecutor",
    "CallerExecutor",
    "ExecutorLease",
    "Outcome",
    "Runnable",
    "SupportsLease",
    "SupportsPost",
)

P = ParamSpec("P")
T = TypeVar("T")


class BlockingExecutor(Protocol):
    """Runs blocking callables elsewhere.

    Any `concurrent.futures.Executor` fits.  Callers may rely on every accepted
    call being run once or its future being cancelled, never neither.  They may
    not rely on which thread runs it, nor on order, unless the executor says so.
    """

    def submit(
        self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs
    ) -> Future[T]:
        """Schedule ``fn(*args, **kwargs)`` and return the future of its result."""
        ...


class Runnable(Protocol):
    """A piece of work that keeps its own result."""

    def run(self) -> None:
        """Do the work, once, on the current thread.  Never raises."""
        ...


class SupportsPost(Protocol):
    """An executor that takes work which needs no future.

    The short way for crossings: no future, no lock per call.  A bridge takes it
    where an executor has a method of this name, and `BlockingExecutor.submit`
    otherwise.
    """

    def post(self, work: Runnable, /) -> None:
        """Schedule *work*; raise `ExecutorClosedError` after a close."""
        ...


class ExecutorLease(BlockingExecutor, Protocol):
    """One thread of an executor, on loan.

    Everything submitted runs on the same thread, in the order of submission.
    """

    def release(self) -> None:
        """Give the thread back; calls already submitted run first.

        Does not wait.  A second release does nothing.
        """
        ...


@runtime_checkable
class SupportsLease(Protocol):
    """An executor that lends single threads, one for each scope."""

    def lease(self) -> ExecutorLease:
        """Return a new lease, at once: no thread is needed before it is used."""
        ...


class Outcome(Runnable, Protocol):
    """Something that a blocked thread waits for.

    Whoever completes it sets ``is_done`` and then hands it to
    `CallerExecutor.wake`.  It is also a `Runnable`, whose ``run`` does nothing.
    """

    is_done: bool

    def check(self) -> None:
        """Raise if the outcome can no longer come; asked now and then."""
        ...


class CallerExecutor(BlockingExecutor, Protocol):
    """Runs calls on a thread that is blocked in one of its waits.

    A loop runner is handed one for each call: the blocked caller's thread.  The
    waits are only for that thread; everything else is for any.
    """

    def post(self, work: Runnable, /) -> None:
        """Schedule *work*; raise `ExecutorClosedError` after the last wait."""
        ...

    def run_until_future(self, future: Future[Any], /) -> None:
        """Run submitted calls on this thread until *future* is done."""
        ...

    def run_until(self, outcome: Outcome, /) -> None:
        """Run submitted calls on this thread until *outcome* is done."""
        ...

    def wake(self, outcome: Outcome, /) -> None:
        """Have the wait look at *outcome*, which is done; never fails."""
        ...
