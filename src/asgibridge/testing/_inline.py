"""An executor that runs each call at once, on the thread that submits it."""

from collections.abc import Callable
from concurrent.futures import Future
from types import TracebackType
from typing import ParamSpec, Self, TypeVar, final

import attrs

from ..errors import ExecutorClosedError
from ..loops import running_loop_or_none, set_running_loop
from ._calls import PendingCall, run_call

__all__ = ("InlineExecutor",)

P = ParamSpec("P")
T = TypeVar("T")


@final
@attrs.define(eq=False)
class InlineExecutor:
    """Runs each call at once, on the thread that submits it.

    Put in the place of an executor with threads, it makes crossings
    deterministic: `submit` returns a future that is done.  Blocking code then
    runs on the event loop's own thread and blocks it.  It does not see that
    loop, for it may block; coroutines that it waits for run on another one.

    Thread-safe: every thread runs its own calls.  `close` releases nothing; it
    makes later submissions fail, as those of a real executor would.
    """

    _closed: bool = attrs.field(default=False, init=False)

    def submit(
        self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs
    ) -> Future[T]:
        """Run ``fn(*args, **kwargs)`` and return the finished future.

        Raises:
            ExecutorClosedError: After `close`.
        """
        if self._closed:
            msg = f"cannot submit {fn!r}: the InlineExecutor is closed"
            raise ExecutorClosedError(msg)
        future = Future[T]()
        loop = running_loop_or_none()
        set_running_loop(None)
        try:
            run_call(PendingCall(fn, args, kwargs, future))
            return future
        finally:
            set_running_loop(loop)
            del fn, args, kwargs, future  # the traceback leads to this frame

    def close(self) -> None:
        """Refuse further calls.  A second close does nothing."""
        self._closed = True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
