"""The composition root of crossing."""

from collections.abc import Awaitable, Callable, Coroutine, Iterable
from contextvars import Context
from functools import partial
from types import TracebackType
from typing import (
    Any,
    ParamSpec,
    Self,
    TypeVar,
    final,
    get_args,
    overload,
)

from ..errors import AlreadyEnteredError, BridgeClosedError, OptionError
from ..executors import PerCallLoopRunner, ThreadSensitivePool, WorkerPool
from ..types import BlockingExecutor, LoopRunner, Observer, SupportsLease
from ._async_to_sync import AsyncToSync
from ._beyond import BeyondCalls
from ._callables import applied, check_may_be_async, check_may_be_sync
from ._context_modes import CallInContext, SharingCall
from ._decorators import AsyncToSyncDecorator, ContextMode, SyncToAsyncDecorator
from ._detached import Detacher
from ._engine import Engine
from ._observation import Observation
from ._places import ExecutorPlace
from ._routes import FixedRoute, Route, SensitiveRoute, WhenParked, poster
from ._scopes import AsyncSingleThreadContext, ThreadSensitiveContext
from ._sync_to_async import SyncToAsync

__all__ = ("Bridge",)

P = ParamSpec("P")
T = TypeVar("T")


@final
class Bridge(BeyondCalls):
    """Owns one configuration of crossing between blocking and async code.

    Creating a bridge starts nothing, so it can live at module level and before
    a fork; a forked child starts clean.  Threads and loops begin with the first
    call that needs them.  A bridge is thread-safe.

    `close`, or leaving the bridge as a context manager, ends the threads and
    loops of the parts that the bridge made itself.  Parts that were handed in
    belong to whoever made them.

    Example::

        bridge = Bridge()
        load = bridge.sync_to_async(load_user)  # async def load(...)
        send = bridge.async_to_sync(mailer.send)  # def send(...)

    Args:
        thread_sensitive: Runs thread-sensitive calls that have no thread above
            them, one after the other on one thread.  None makes a
            `ThreadSensitivePool`.
        workers: Runs the other calls.  None makes a `WorkerPool`.
        runner: Runs async code for blocking callers that have no loop above
            them.  None makes a `PerCallLoopRunner`.
        context: Which context blocking calls work in where they do not say:
            see `sync_to_async`.
        observers: Are told about every crossing.
        stuck_after: How long a call may wait behind another before observers
            and the log are told, in seconds.
        name: For messages, and the beginning of the names of the threads that
            belong to the bridge.

    Raises:
        OptionError: For values that have no meaning.
    """

    __slots__ = (
        "__weakref__",
        "_anywhere",
        "_context",
        "_engine",
        "_entered",
        "_on_close",
        "_owned",
        "_sensitive",
        "_usual",
        "_usual_way_back",
    )

    def __init__(
        self,
        *,
        thread_sensitive: BlockingExecutor | None = None,
        workers: BlockingExecutor | None = None,
        runner: LoopRunner | None = None,
        context: ContextMode = "copy",
        observers: Iterable[Observer] = (),
        stuck_after: float = 10.0,
        name: str = "asgibridge",
    ) -> None:
        if not _is_positive(stuck_after):
            msg = f"stuck_after is in seconds and above 0, got {stuck_after!r}"
            raise OptionError(msg)
        _check_has("submit", thread_sensitive=thread_sensitive, workers=workers)
        _check_has("run", runner=runner)
        if context not in get_args(ContextMode):
            msg = f'context is "copy" or "share", got {context!r}'
            raise OptionError(msg)
        self._on_close: list[Callable[[], object]] = []
        self._owned: list[ThreadSensitivePool | WorkerPool | PerCallLoopRunner] = []
        if runner is None:
            runner = PerCallLoopRunner(name=f"{name}-loop")
            self._owned.append(runner)
        if thread_sensitive is None:
            thread_sensitive = ThreadSensitivePool(name=f"{name}-sensitive")
            self._owned.append(thread_sensitive)
        if workers is None:
            workers = WorkerPool(name=f"{name}-worker")
            self._owned.append(workers)
        self._engine = Engine(
            thread_sensitive=thread_sensitive,
            workers=workers,
            runner=runner,
            lend=(
                thread_sensitive.lease
                if isinstance(thread_sensitive, SupportsLease)
                else None
            ),
            observation=Observation(tuple(observers), name),
            stuck_after=stuck_after,
            name=name,
        )
        self._sensitive = SensitiveRoute(self._engine, _place(thread_sensitive))
        self._anywhere = FixedRoute(self._engine, _place(workers))
        self._context: ContextMode = context
        # What most wrappers are made by, the first according to *thread_sensitive*.
        self._usual_way_back = AsyncToSync(self._engine, False, False)  # noqa: FBT003
        self._usual = {
            True: self._wrapper(self._sensitive, context, False),  # noqa: FBT003
            False: self._wrapper(self._anywhere, context, False),  # noqa: FBT003
        }
        self._entered = False

    def __repr__(self) -> str:
        state = " closed" if self._engine.is_closed else ""
        return f"<Bridge {self._engine.name!r}{state}>"

    # -- functions --

    @overload
    def sync_to_async(
        self,
        fn: Callable[P, T],
        /,
        *,
        thread_sensitive: bool = True,
        executor: BlockingExecutor | None = None,
        abandon_on_cancel: bool = False,
        context: ContextMode | Context | None = None,
    ) -> Callable[P, Coroutine[Any, Any, T]]: ...

    @overload
    def sync_to_async(
        self,
        fn: None = None,
        /,
        *,
        thread_sensitive: bool = True,
        executor: BlockingExecutor | None = None,
        abandon_on_cancel: bool = False,
        context: ContextMode | Context | None = None,
    ) -> SyncToAsyncDecorator: ...

    def sync_to_async(
        self,
        fn: Callable[..., Any] | None = None,
        /,
        *,
        thread_sensitive: bool = True,
        executor: BlockingExecutor | None = None,
        abandon_on_cancel: bool = False,
        context: ContextMode | Context | None = None,
    ) -> Any:
        """Return an async function that runs the blocking *fn* on a thread.

        Without *fn*, return a decorator with these options.

        Cancelling the awaiting task withdraws a call that has not begun.  One
        that runs cannot be stopped: the await ends when it ends, and raises
        `asyncio.CancelledError` then.

        Args:
            fn: A function, method, classmethod, staticmethod, partial or other
                callable that blocks.
            thread_sensitive: Run where related code runs: on the thread that
                waits for this code, on the thread of the enclosing
                `thread_sensitive_context`, or on the one shared thread.
                Otherwise on any thread of the bridge's workers.
            executor: Runs the calls instead.  It is not closed with the bridge.
            abandon_on_cancel: Stop waiting for a running call at once when the
                task is cancelled.  The call runs on; if it raises, the loop's
                exception handler is told.
            context: Which context variables the call sees and sets.  "copy":
                those of its caller, in a copy, from which changes are brought
                back.  "share": those of its caller, in the caller's very
                context, so that tokens can be reset on either side; no other
                task may be given that context.  A `contextvars.Context`: those
                of that context, in a copy, from which changes are put there when
                the call has ended; of several calls at once none sees what the
                others set.  None takes the bridge's mode.

        Raises:
            NotSyncError: If *fn* is async, a generator function or no callable.
            OptionError: If an executor is given and *thread_sensitive* as well,
                or for a call to be abandoned that shares its caller's context.
        """
        if executor is None and context is None and not abandon_on_cancel:
            wrapper = self._usual[thread_sensitive]
        else:
            mode = self._context if context is None else context
            route = self._route(thread_sensitive, executor)
            wrapper = self._wrapper(route, mode, abandon_on_cancel)
        return applied(fn, check_may_be_sync, wrapper.bind)

    def _route(
        self,
        thread_sensitive: bool,  # noqa: FBT001  # passed on
        executor: BlockingExecutor | None,
    ) -> Route:
        if executor is None:
            return self._sensitive if thread_sensitive else self._anywhere
        if thread_sensitive:
            msg = (
                f"thread-sensitive code does not choose its executor, got {executor!r}: "
                f"give thread_sensitive=False with it, use thread_sensitive_context("
                f"executor=...), or give it to the bridge as thread_sensitive"
            )
            raise OptionError(msg)
        _check_has("submit", executor=executor)
        return FixedRoute(self._engine, _place(executor))

    def _wrapper(
        self,
        route: Route,
        mode: object,
        may_abandon: bool,  # noqa: FBT001  # passed on
    ) -> SyncToAsync:
        if mode == "copy":
            return SyncToAsync(self._engine, route, may_abandon)
        if isinstance(mode, Context):
            make = partial(CallInContext[Any], given=mode)
            return SyncToAsync(self._engine, route, may_abandon, make)
        if mode != "share":
            msg = f'context is "copy", "share" or a contextvars.Context, got {mode!r}'
            raise OptionError(msg)
        if may_abandon:
            msg = (
                'a call with context="share" cannot be abandoned, since its task '
                'cannot go on without the context: use context="copy"'
            )
            raise OptionError(msg)
        route = WhenParked(route)
        return SyncToAsync(self._engine, route, may_abandon, SharingCall[Any])

    @overload
    def async_to_sync(
        self,
        fn: Callable[P, Awaitable[T]],
        /,
        *,
        force_new_loop: bool = False,
        helper_loop: bool = False,
    ) -> Callable[P, T]: ...

    @overload
    def async_to_sync(
        self,
        fn: None = None,
        /,
        *,
        force_new_loop: bool = False,
        helper_loop: bool = False,
    ) -> AsyncToSyncDecorator: ...

    def async_to_sync(
        self,
        fn: Callable[..., Any] | None = None,
        /,
        *,
        force_new_loop: bool = False,
        helper_loop: bool = False,
    ) -> Any:
        """Return a blocking function that runs the async *fn* to its end.

        Below a `sync_to_async` call the coroutine runs on the loop above, in
        the very task that waits for the call.  Otherwise the bridge's runner
        runs it.  The calling thread runs thread-sensitive calls meanwhile.

        Args:
            fn: An async function, or any callable that returns an awaitable.
            force_new_loop: Let the runner run it in any case.
            helper_loop: Allow a call on a thread that runs an event loop, as a
                notebook does; that loop stands still until the call ends.

        Raises:
            NotAsyncError: If *fn* cannot return anything to await.
        """
        wrapper = self._usual_way_back
        if force_new_loop or helper_loop:
            wrapper = AsyncToSync(self._engine, force_new_loop, helper_loop)
        return applied(fn, check_may_be_async, wrapper.bind)

    # -- blocks --

    def thread_sensitive_context(
        self, *, executor: BlockingExecutor | None = None
    ) -> ThreadSensitiveContext:
        """Return an async context manager with a thread for its block.

        Args:
            executor: Runs the thread-sensitive calls of the block, one at a
                time on one thread.  It is not closed with the block.
        """
        return ThreadSensitiveContext(self._engine, executor)

    def async_single_thread_context(self) -> AsyncSingleThreadContext:
        """Return a context manager that keeps async code on one thread."""
        return AsyncSingleThreadContext(self._engine)

    def detacher(self, executor: BlockingExecutor) -> Detacher:
        """Return what starts calls on *executor* without awaiting them.

        For adapters whose tasks learn in a way of their own how a call goes on.
        Async code that such a call runs with `async_to_sync` runs on the loop
        that it was started from.
        """
        return Detacher(self._engine, _place(executor))

    # -- lifetime --

    def close(self) -> None:
        """End the threads and loops of the parts that the bridge made.

        Calls that are queued or running end first.  Later calls raise
        `BridgeClosedError` or `ExecutorClosedError`.  A second close does
        nothing.

        Raises:
            DeadlockError: On a thread of the bridge, which would wait for itself.
        """
        self._engine.is_closed = True
        while self._on_close:
            self._on_close.pop()()
        for part in self._owned:
            part.close()
        self._engine.let_go()

    def call_on_close(self, fn: Callable[[], object], /) -> None:
        """Have *fn* called, once, when the bridge is closed.

        For what ends with the bridge without being a part of it, such as
        adapters.  Last in, first out, before the bridge's own parts end.
        """
        self._on_close.append(fn)

    def __enter__(self) -> Self:
        if self._engine.is_closed:
            msg = f"{self!r} cannot be entered again; make a new one"
            raise BridgeClosedError(msg)
        if self._entered:
            msg = (
                f"{self!r} is entered already, and ends with that block; use it "
                f"without `with` inside, or make another bridge"
            )
            raise AlreadyEnteredError(msg)
        self._entered = True
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def _place(executor: BlockingExecutor) -> ExecutorPlace:
    return ExecutorPlace(executor, poster(executor))


def _is_positive(number: object) -> bool:
    return isinstance(number, int | float) and number > 0


def _check_has(method: str, **parts: object) -> None:
    for option, part in parts.items():
        if part is not None and not callable(getattr(part, method, None)):
            msg = f"{option} needs a method `{method}`, got {part!r}"
            raise OptionError(msg)
