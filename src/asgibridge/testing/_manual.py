"""An executor that runs calls when told to, in the order told."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from types import TracebackType
from typing import ParamSpec, Self, TypeVar, final

import attrs

from ..errors import ExecutorClosedError, NothingPendingError
from ._calls import PendingCall, drop_call, run_call

__all__ = ("ManualExecutor",)

P = ParamSpec("P")
T = TypeVar("T")


@final
@attrs.define(eq=False)
class ManualExecutor:
    """Collects calls, and runs each when told to, on the thread that tells it.

    It stages what real threads do only now and then: a call that is cancelled
    while it waits, two that finish in the wrong order, one that never ends::

        executor = ManualExecutor()
        bridge = Bridge(thread_sensitive=executor)
        task = asyncio.create_task(bridge.sync_to_async(load)(1))
        await executor.wait_pending_async()
        task.cancel()               # while the call is queued
        executor.run_all()          # finds a call that was withdrawn

    Thread-safe.  `close` cancels what is pending.
    """

    _lock: threading.Lock = attrs.field(factory=threading.Lock, init=False, repr=False)
    # All guarded by _lock.
    _pending: list[PendingCall] = attrs.field(factory=list[PendingCall], init=False)
    _waiters: "list[tuple[int, Future[None]]]" = attrs.field(
        factory=list["tuple[int, Future[None]]"], init=False, repr=False
    )
    _closed: bool = attrs.field(default=False, init=False)

    @property
    def pending(self) -> tuple[PendingCall, ...]:
        """The calls not run yet, oldest first, without those cancelled."""
        with self._lock:
            return tuple(self._live())

    def submit(
        self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs
    ) -> Future[T]:
        """Keep ``fn(*args, **kwargs)`` until told to run it.

        Raises:
            ExecutorClosedError: After `close`.
        """
        future = Future[T]()
        with self._lock:
            if self._closed:
                msg = f"cannot submit {fn!r}: the ManualExecutor is closed"
                raise ExecutorClosedError(msg)
            self._pending.append(PendingCall(fn, args, kwargs, future))
            count = len(self._live())
            woken = [waiter for wanted, waiter in self._waiters if wanted <= count]
            self._waiters = [item for item in self._waiters if item[0] > count]
        for waiter in woken:
            _wake(waiter)
        return future

    def run_next(self) -> PendingCall:
        """Run the oldest pending call on this thread, and return it.

        Raises:
            NothingPendingError: If none is pending.
        """
        with self._lock:
            live = self._live()
            call = live.pop(0) if live else None
        if call is None:
            msg = "no call is pending on the ManualExecutor; wait_pending() waits"
            raise NothingPendingError(msg)
        run_call(call)
        try:
            return call
        finally:
            del call  # the traceback leads to this frame

    def run(self, call: PendingCall) -> None:
        """Run *call*, one of `pending`, on this thread: any order is possible.

        Raises:
            NothingPendingError: If it is not pending (any more).
        """
        with self._lock:
            live = self._live()
            if call not in live:
                msg = f"{call!r} is not pending: run, cancelled, or another executor's"
                raise NothingPendingError(msg)
            live.remove(call)
        run_call(call)
        del call  # the traceback leads to this frame

    def run_all(self) -> int:
        """Run what is pending, and what that submits, oldest first.

        Returns:
            How many calls were run; cancelled ones do not count.
        """
        count = 0
        while self.pending:
            self.run_next()
            count += 1
        return count

    def wait_pending(self, count: int = 1, timeout: float = 5.0) -> None:
        """Block until *count* calls are pending.

        Args:
            count: How many calls to wait for.
            timeout: Longest time to wait, in seconds: a safety net for tests.

        Raises:
            TimeoutError: If there are fewer then.
            ExecutorClosedError: If the executor is closed.
        """
        waiter = self._waiter(count)
        try:
            waiter.result(timeout)
        except TimeoutError:
            waiter.cancel()
            raise TimeoutError(self._too_few(count, timeout)) from None

    async def wait_pending_async(self, count: int = 1, timeout: float = 5.0) -> None:
        """Wait until *count* calls are pending, without blocking the loop.

        Cancelling the wait leaves the calls alone.

        Args:
            count: How many calls to wait for.
            timeout: Longest time to wait, in seconds: a safety net for tests.

        Raises:
            TimeoutError: If there are fewer then.
            ExecutorClosedError: If the executor is closed.
        """
        waiter = asyncio.wrap_future(self._waiter(count))
        try:
            async with asyncio.timeout(timeout):
                await waiter
        except TimeoutError:
            raise TimeoutError(self._too_few(count, timeout)) from None

    def close(self) -> None:
        """Cancel the pending calls and refuse further ones."""
        with self._lock:
            self._closed = True
            pending, self._pending = self._pending, []
            waiters, self._waiters = self._waiters, []
        for _, waiter in waiters:
            _wake(waiter, ExecutorClosedError("the ManualExecutor was closed"))
        for call in pending:
            drop_call(call)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _live(self) -> list[PendingCall]:
        """Drop the cancelled calls; return the list itself.  Under the lock."""
        for call in [call for call in self._pending if call.future.cancelled()]:
            self._pending.remove(call)
            drop_call(call)
        return self._pending

    def _waiter(self, count: int) -> "Future[None]":
        waiter = Future[None]()
        with self._lock:
            closed, enough = self._closed, len(self._live()) >= count
            if not (closed or enough):
                self._waiters.append((count, waiter))
        if closed:
            _wake(waiter, ExecutorClosedError("the ManualExecutor is closed"))
        elif enough:
            _wake(waiter)
        return waiter

    def _too_few(self, count: int, timeout: float) -> str:
        return (
            f"{len(self.pending)} of {count} calls were pending on the "
            f"ManualExecutor after {timeout} s: were they made?"
        )


def _wake(waiter: "Future[None]", exc: BaseException | None = None) -> None:
    """Wake a waiter, unless it gave up meanwhile."""
    if waiter.set_running_or_notify_cancel():
        if exc is None:
            waiter.set_result(None)
        else:
            waiter.set_exception(exc)
