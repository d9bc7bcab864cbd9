"""A loop for programs that stay blocking."""

from asyncio import CancelledError
from collections.abc import AsyncIterable, Awaitable, Callable
from concurrent import futures
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import Generic, ParamSpec, Self, TypeVar, final

from ..executors import CurrentThreadExecutor, name_of
from ._callables import check_may_be_async
from ._engine import Engine
from ._iterate import DEFAULT_LOOK_AHEAD, check_look_ahead
from ._iterate_sync import LoopIterator
from ._loop_leases import LoopLease, SharedLoop, check_may_block, lease_loop
from ._managers_sync import LoopManager

__all__ = ("Portal", "PortalTask")

P = ParamSpec("P")
T = TypeVar("T")
E = TypeVar("E", bound=bool | None)


@final
class PortalTask(Generic[T]):
    """A task that was started from blocking code.

    Made by `Portal.start_task`.  May be used from any thread.

    Attributes:
        future: The same as a future of the standard library.
    """

    __slots__ = ("_engine", "future")

    def __init__(self, engine: Engine, future: futures.Future[T]) -> None:
        self._engine = engine
        self.future: futures.Future[T] = future

    def result(self, timeout: float | None = None) -> T:
        """Wait for the task; return or raise what it does.

        Without a timeout, the thread runs calls that wait for it meanwhile.

        Args:
            timeout: Longest time to wait, in seconds; None waits to the end.

        Raises:
            asyncio.CancelledError: If the task was cancelled.
            TimeoutError: If it still runs then; it goes on.
        """
        future = self.future
        if timeout is None and not future.done():
            inbox = self._engine.threads.state.inbox
            CurrentThreadExecutor(inbox).run_until_future(future)
        try:
            return future.result(timeout)
        except futures.CancelledError:  # another class than asyncio's
            raise CancelledError from None

    def cancel(self) -> bool:
        """Ask for the task to be cancelled; False if it is done already.

        Does not wait.  The future counts as cancelled at once; the portal waits
        for the task when it ends.
        """
        return self.future.cancel()

    def done(self) -> bool:
        """Return whether the task has ended, or was cancelled from here."""
        return self.future.done()


@final
class Portal:
    """A loop that blocking code calls into, for as long as somebody is inside.

    Made by `Bridge.portal`, used with ``with``, by any number of threads at
    once: the loop starts with the first thing that needs it and ends when the
    last thread leaves.  Tasks that still run then are cancelled and waited for.

    Connections, clients and pools that belong to a loop stay usable between the
    calls::

        with bridge.portal() as portal:
            client = portal.call(connect, "db.example")
            rows = portal.call(client.fetch, "select 1")

    Everything takes the caller's context variables along.  Thread-safe.
    """

    __slots__ = ("_engine", "_helper_loop", "_shared")

    def __init__(self, engine: Engine, *, helper_loop: bool) -> None:
        self._engine = engine
        self._helper_loop = helper_loop
        self._shared = SharedLoop(engine)

    def __enter__(self) -> Self:
        """Keep the loop alive for this block.

        Raises:
            RunningLoopError: On a thread that runs a loop, unless allowed.
            BridgeClosedError: If the bridge is closed.
        """
        self._check("portal")
        self._shared.acquire()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
        /,
    ) -> None:
        """Leave.  The last one ends the loop and waits for that.

        Raises:
            NotEnteredError: If nobody is inside.
        """
        self._shared.release()

    def call(
        self, fn: Callable[P, Awaitable[T]], /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Run ``fn(*args, **kwargs)`` on the loop; return or raise what it does.

        The calling thread waits, and runs thread-sensitive calls of the
        coroutine meanwhile.  What the coroutine sets in context variables is
        seen afterwards.  An interrupt of the wait cancels the coroutine; so does
        cancelling the blocking call that this is called in.

        Raises:
            NotAsyncError: If *fn* returns nothing to await.
            NotEnteredError: If nobody is inside the portal.
            RunningLoopError: On a thread that runs a loop, unless allowed.
            DeadlockError: On the portal's own thread.
        """
        check_may_be_async(fn)
        self._check(f"portal.call({name_of(fn)})")
        return self._shared.run(fn, args, kwargs)

    def start_task(
        self, fn: Callable[P, Awaitable[T]], /, *args: P.args, **kwargs: P.kwargs
    ) -> PortalTask[T]:
        """Start ``fn(*args, **kwargs)`` on the loop, in a copy of this context.

        Does not wait.  May be used on any thread while somebody is inside.

        Raises:
            NotAsyncError: If *fn* cannot return anything to await.
            NotEnteredError: If nobody is inside the portal.
        """
        check_may_be_async(fn)
        return PortalTask(self._engine, self._shared.start(fn, args, kwargs))

    def wrap_async_context_manager(
        self, manager: AbstractAsyncContextManager[T, E], /
    ) -> LoopManager[T, E]:
        """Return *manager* as one for ``with``, entered and left on the loop.

        Raises:
            NotAsyncError: If it is no async context manager.
        """
        return LoopManager(self._engine, self._lend, manager)

    def iterate_sync(
        self, source: AsyncIterable[T], /, *, look_ahead: int = DEFAULT_LOOK_AHEAD
    ) -> LoopIterator[T]:
        """Return the items of *source* for ``for``, as `Bridge.iterate_sync` does.

        Args:
            source: Is iterated on the loop.
            look_ahead: How many items it may be ahead of the consumer.
        """
        check_look_ahead(look_ahead)
        return LoopIterator(
            self._engine, self._lend, source, look_ahead, type(source).__qualname__
        )

    def _lend(self) -> LoopLease:
        self._check("portal")
        _ = self._shared.runner  # refuses, if the portal is not open
        return lease_loop(self._engine, self._shared)

    def _check(self, what: str) -> None:
        if not self._helper_loop:
            check_may_block(what)
