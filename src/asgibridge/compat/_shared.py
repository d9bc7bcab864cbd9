"""Where thread-sensitive code runs that is inside of nothing."""

from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from typing import ParamSpec, Protocol, TypeVar, final

import attrs

from ..errors import ExecutorDroppedCallError
from ..executors import ThreadSensitivePool
from ..types import BlockingExecutor, ExecutorLease, Runnable

__all__ = ("SharedThread",)

P = ParamSpec("P")
T = TypeVar("T")


class Call(Runnable, Protocol):
    """What a bridge has run: somebody waits for the end of it."""

    def fail(self, exception: BaseException, /) -> None:
        """End with *exception*, unless it runs or has run."""
        ...


@final
@attrs.frozen(eq=False)
class SharedThread:
    """One thread, or the executor that somebody has put in its place.

    Projects assign to ``SyncToAsync.single_thread_executor``, mostly to have
    more than one thread for what runs outside of requests.  What is submitted
    here, and what is leased, is for threads of its own in any case.

    Args:
        replacement: Returns the executor in the place of the thread, if any.
    """

    _replacement: Callable[[], BlockingExecutor | None]
    _pool: ThreadSensitivePool = attrs.field(factory=ThreadSensitivePool, init=False)

    @property
    def thread(self) -> int | None:
        """The identifier of the one thread, if calls go to it and it has begun."""
        return self._pool.thread if self._replacement() is None else None

    @property
    def current(self) -> Runnable | None:
        """What the one thread is running, if calls go to it."""
        return self._pool.current if self._replacement() is None else None

    @property
    def has_more(self) -> bool:
        """Whether more waits for the one thread, if calls go to it."""
        return self._pool.has_more and self._replacement() is None

    def post(self, call: Call, /) -> None:
        """Schedule *call* on the thread, or with the executor in its place."""
        replacement = self._replacement()
        if replacement is None:
            self._pool.post(call)
            return
        future = replacement.submit(call.run)
        future.add_done_callback(partial(_fail_if_dropped, call, replacement))

    def submit(
        self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs
    ) -> Future[T]:
        """Schedule a call on the thread, also where an executor is in its place.

        That one may hand calls on to the thread.
        """
        return self._pool.submit(fn, *args, **kwargs)

    def lease(self) -> ExecutorLease:
        """Lend a thread of its own to a block."""
        return self._pool.lease()

    def close(self) -> None:
        """End the threads, after what was accepted."""
        self._pool.close()


def _fail_if_dropped(
    call: Call, executor: BlockingExecutor, future: Future[None]
) -> None:
    if future.cancelled():
        msg = (
            f"{executor!r} in SyncToAsync.single_thread_executor cancelled {call}, "
            f"which it had accepted; was it shut down with cancel_futures=True?"
        )
        call.fail(ExecutorDroppedCallError(msg))
