"""Running calls on a thread that waits: ``asgiref.current_thread_executor``."""

from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any, Final, ParamSpec, TypeVar
from weakref import WeakValueDictionary

from ..errors import ExecutorClosedError
from ..executors import CurrentThreadExecutor as _Executor
from ..types import BlockingExecutor

__all__ = ("CurrentThreadExecutor",)

P = ParamSpec("P")
T = TypeVar("T")


class CurrentThreadExecutor(Executor):
    """Runs calls on the thread that made it, while that waits for a future.

    Args:
        old_executor: Takes the calls once the wait is over.
    """

    def __init__(self, old_executor: "CurrentThreadExecutor | None" = None) -> None:
        self._old_executor = old_executor
        self._executor: BlockingExecutor = _Executor()

    def run_until_future(self, future: "Future[Any]") -> None:
        """Run submitted calls until *future* is done; once, on the same thread.

        Raises:
            RuntimeError: On another thread, or for the executor of somebody
                else's wait.
        """
        if not isinstance(self._executor, _Executor) or self in _VIEWS.values():
            msg = f"{self!r} belongs to a thread that waits already"
            raise RuntimeError(msg)
        try:
            self._executor.run_until_future(future)
        finally:
            if future.done():
                self._executor.close()

    def submit(
        self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs
    ) -> "Future[T]":
        """Schedule a call and return its future.

        Raises:
            RuntimeError: If neither this thread waits nor that of an older one.
        """
        try:
            future: Any = self._executor.submit(fn, *args, **kwargs)
        except ExecutorClosedError:
            if self._old_executor is None:
                raise
            future = self._old_executor.submit(fn, *args, **kwargs)
        result: Future[T] = future
        return result


# id(executor) -> what stands for it; the view keeps the executor alive, so that
# the number cannot be another's meanwhile.
_VIEWS: Final[WeakValueDictionary[int, CurrentThreadExecutor]] = WeakValueDictionary()


def view_of(executor: BlockingExecutor) -> CurrentThreadExecutor:
    """Return the object that stands for *executor*, the same as long as it lives."""
    view = _VIEWS.get(id(executor))
    if view is None:
        view = CurrentThreadExecutor()
        view._executor = executor  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  # made here
        view = _VIEWS.setdefault(id(executor), view)
    return view
