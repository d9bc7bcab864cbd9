"""Blocks of code with a thread of their own."""

from collections.abc import Callable
from types import TracebackType
from typing import Any, Self, final

import attrs

from ..errors import ExecutorClosedError, NotEnteredError
from ..types import (
    BlockingExecutor,
    ExecutorLease,
    Runnable,
    SingleThreadRunner,
    SupportsSingleThread,
)
from ._call import BlockingCall
from ._engine import Engine
from ._places import Place, nearest_alive
from ._routes import poster

__all__ = ("AsyncSingleThreadContext", "ThreadSensitiveContext")


@final
class ThreadSensitiveContext:
    """Gives the thread-sensitive code of a block one thread of its own.

    Made by `Bridge.thread_sensitive_context`, used with ``async with``.  The
    thread is taken at the first call and given back at the end of the block; no
    thread is started or joined for it where one is idle.

    The same object can be entered again, inside itself and afterwards, and left
    in another task than the one that entered it.  Inside another context of
    this kind it changes nothing, nor below a thread that waits for the block:
    code stays together with what is around it.  With an *executor* the block
    uses that one in any case.  Tasks that outlive the block go on around it.
    """

    __slots__ = ("_engine", "_entered", "_executor", "_given", "_lease", "_post")

    def __init__(self, engine: Engine, given: BlockingExecutor | None) -> None:
        self._engine = engine
        self._given = given
        self._entered = 0
        self._lease: ExecutorLease | None = None
        # What runs the calls of the block, once there has been one.
        self._executor: BlockingExecutor | None = None
        self._post: Callable[[BlockingCall[Any]], None] | None = None

    async def __aenter__(self) -> Self:
        self._entered += 1
        affinity = self._engine.affinity
        is_final = self._given is not None
        affinity.set(_ScopeEntry(self, nearest_alive(affinity), is_final))
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if not self._entered:
            msg = (
                "this thread_sensitive_context was left more often than it was "
                "entered; use it with `async with`"
            )
            raise NotEnteredError(msg)
        self._entered -= 1
        affinity = self._engine.affinity
        place = affinity.get()
        # Another task than the one that entered is somewhere else already.
        if isinstance(place, _ScopeEntry) and place.scope is self:
            affinity.set(place.parent)
        if not self._entered:
            lease, self._lease = self._lease, None
            self._executor = self._post = None
            if lease is not None:
                lease.release()

    @property
    def is_open(self) -> bool:
        """Whether a block is being executed."""
        return self._entered > 0

    @property
    def executor(self) -> BlockingExecutor:
        """What runs the calls of the block."""
        if self._executor is None:
            lend = self._engine.lend
            if self._given is not None:
                self._executor = self._given
            elif lend is None:  # a user's own thread is the only one there is
                self._executor = self._engine.thread_sensitive
            else:
                self._executor = self._lease = lend()
        return self._executor

    @property
    def post(self) -> Callable[[BlockingCall[Any]], None]:
        """Runs a call of the block; `ExecutorClosedError` if it was left."""
        if self._post is None:
            if not self.is_open:
                msg = "the thread_sensitive_context was left"
                raise ExecutorClosedError(msg)
            # Asked once, since it is slow.
            self._post = poster(self.executor)
        return self._post


@final
class _ScopeEntry:
    """One time that a scope was entered: a place that code is inside of."""

    __slots__ = ("is_final", "parent", "scope")

    def __init__(
        self,
        scope: ThreadSensitiveContext,
        parent: Place | None,
        is_final: bool,  # noqa: FBT001  # by position, as keywords would cost time
    ) -> None:
        self.scope = scope
        self.parent: Place | None = parent
        self.is_final: bool = is_final

    def __str__(self) -> str:
        waits = ", which waits for a thread" if self.thread is None else ""
        return f"a thread_sensitive_context{waits}"

    @property
    def is_alive(self) -> bool:
        return self.scope.is_open

    @property
    def executor(self) -> BlockingExecutor:
        return self.scope.executor

    @property
    def thread(self) -> int | None:
        thread: int | None = getattr(self.executor, "thread", None)
        return thread

    @property
    def current(self) -> Runnable | None:
        current: Runnable | None = getattr(self.executor, "current", None)
        return current

    @property
    def is_free(self) -> bool:
        return self.current is None

    @property
    def has_more(self) -> bool:
        has_more: bool = getattr(self.executor, "has_more", False)
        return has_more

    @property
    def post(self) -> Callable[[BlockingCall[Any]], None]:
        return self.scope.post


@final
@attrs.define(eq=False)
class AsyncSingleThreadContext:
    """Runs all the async code that a block starts on one thread.

    Made by `Bridge.async_single_thread_context`, used with ``with`` in blocking
    code.  Each call still has a loop of its own, if the bridge's runner is one
    that makes a loop for each call.  Inside another context of this kind it
    changes nothing.
    """

    _engine: Engine
    # The runners of the blocks being executed; None for those inside another.
    _runners: list[SingleThreadRunner | None] = attrs.field(
        factory=list[SingleThreadRunner | None], init=False
    )

    def __enter__(self) -> Self:
        engine = self._engine
        runner = None
        if engine.own_runner.get() is None and isinstance(
            engine.runner, SupportsSingleThread
        ):
            runner = engine.runner.on_one_thread()
            engine.own_runner.set(runner)
        self._runners.append(runner)
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if not self._runners:
            msg = (
                "this async_single_thread_context was left more often than it was "
                "entered; use it with `with`"
            )
            raise NotEnteredError(msg)
        runner = self._runners.pop()
        if runner is not None:
            if self._engine.own_runner.get() is runner:
                self._engine.own_runner.set(None)
            runner.release()
