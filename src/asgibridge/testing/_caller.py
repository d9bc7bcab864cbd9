"""A blocked caller's thread, for testing runners without a bridge."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Any, ParamSpec, TypeVar, final

import attrs

from ._calls import PendingCall, run_call

__all__ = ("QueueCaller",)

P = ParamSpec("P")
T = TypeVar("T")


@final
@attrs.define(eq=False)
class QueueCaller:
    """The plainest `CallerExecutor`: a queue, and the thread that made it.

    For testing a `LoopRunner` by itself.  It lets futures of calls that came
    too late be, as nobody waits for them in a test.
    """

    # None: look whether the future is done.
    _queue: SimpleQueue[PendingCall | None] = attrs.field(
        factory=SimpleQueue["PendingCall | None"], init=False, repr=False
    )
    _thread: int = attrs.field(factory=threading.get_ident, init=False)

    def submit(
        self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs
    ) -> Future[T]:
        """Queue the call for the thread in `run_until_future`."""
        future = Future[T]()
        self._queue.put(PendingCall(fn, args, kwargs, future))
        return future

    def run_until_future(self, future: "Future[Any]", /) -> None:
        """Run queued calls on this thread until *future* is done."""
        assert threading.get_ident() == self._thread, (
            "run_until_future() was called on another thread than the caller's"
        )
        future.add_done_callback(lambda _: self._queue.put(None))
        while not future.done():
            call = self._queue.get()
            if call is not None:
                run_call(call)
