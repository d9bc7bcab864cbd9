"""A call and the future of its result."""

from collections.abc import Callable
from concurrent.futures import Future
from threading import get_ident
from types import FunctionType
from typing import Any, Generic, TypeVar, final

from typing_extensions import override

from ..errors import DeadlockError

__all__ = ("FutureWork", "name_of")

T = TypeVar("T")


def name_of(fn: object) -> str:
    """Return a name for *fn* that a person finds in the source."""
    if type(fn) is FunctionType:
        return fn.__qualname__
    inner = getattr(fn, "func", fn)  # of a functools.partial
    name = getattr(inner, "__qualname__", None)
    return name if isinstance(name, str) else repr(fn)


class _OwnedFuture(Future[T]):
    """A future that knows the one thread which can make it done."""

    def __init__(self, name: str, threads: Callable[[], int | None]) -> None:
        super().__init__()
        self._name = name
        self._thread = threads

    @override
    def result(self, timeout: float | None = None) -> T:
        self._check(timeout)
        return super().result(timeout)

    @override
    def exception(self, timeout: float | None = None) -> BaseException | None:
        self._check(timeout)
        return super().exception(timeout)

    def _check(self, timeout: float | None) -> None:
        if timeout is None and not self.done() and self._thread() == get_ident():
            msg = (
                f"this thread waits for {self._name}, which only this thread can "
                f"run; call it directly, or do not wait for its future here"
            )
            raise DeadlockError(msg)


@final
class FutureWork(Generic[T]):
    """Runs a function once and puts the outcome into a future."""

    __slots__ = ("_args", "_fn", "_kwargs", "_name", "future")

    def __init__(
        self,
        fn: Callable[..., T],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        *,
        thread: Callable[[], int | None] | None = None,
    ) -> None:
        """Prepare the call.

        Args:
            fn: What to run.
            args: Its positional arguments.
            kwargs: Its keyword arguments.
            thread: Tells the only thread that can run it, if there is only one.
        """
        self._name = name_of(fn)
        self._fn: Callable[..., T] | None = fn
        self._args = args
        self._kwargs = kwargs
        self.future: Future[T] = (
            Future() if thread is None else _OwnedFuture(self._name, thread)
        )

    def __str__(self) -> str:
        return self._name

    def run(self) -> None:
        """Run the function, unless the future was cancelled."""
        fn, self._fn = self._fn, None
        if fn is None or not self.future.set_running_or_notify_cancel():
            return
        try:
            result = fn(*self._args, **self._kwargs)
        except BaseException as exc:  # noqa: BLE001  # whoever reads the future gets it
            self.future.set_exception(exc)
            # The traceback refers to this frame: no cycle, and no arguments
            # kept alive by a thread that waits for its next work.
            del self, exc
        else:
            self.future.set_result(result)
