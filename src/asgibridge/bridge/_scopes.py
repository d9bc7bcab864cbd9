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
    SupportsLease,
    SupportsSingleThread,
)
from ._call import BlockingCall
from ._engine import Engine
from ._places import Place
from ._routes import poster

__all__ = ("AsyncSingleThreadContext", "ThreadSensitiveContext")


@final
@attrs.define(eq=False)
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

    _engine: Engine
    _executor: BlockingExecutor | None
    _entered: int = attrs.field(default=0, init=False)
    _lease: ExecutorLease | None = attrs.field(default=None, init=False)

    async def __aenter__(self) -> Self:
        self._entered += 1
        affinity = self._engine.affinity
        affinity.set(_ScopeEntry(self, affinity.get(), self._executor is not None))
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
        lease = self._lease
        if not self._entered and lease is not None:
            self._lease = None
            lease.release()

    @property
    def is_open(self) -> bool:
        """Whether a block is being executed."""
        return self._entered > 0

    @property
    def lease(self) -> BlockingExecutor:
        """The executor of the block's calls."""
        if self._executor is not None:
            return self._executor
        if self._lease is None:
            pool = self._engine.thread_sensitive
            if not isinstance(pool, SupportsLease):
                return pool  # a user's own thread is the only one there is
            self._lease = pool.lease()
        return self._lease


@final
@attrs.frozen(eq=False)
class _ScopeEntry:
    """One time that a scope was entered: a place that code is inside of."""

    scope: ThreadSensitiveContext
    parent: Place | None
    is_final: bool

    @property
    def is_alive(self) -> bool:
        return self.scope.is_open

    @property
    def executor(self) -> BlockingExecutor:
        return self.scope.lease

    @property
    def thread(self) -> int | None:
        thread: int | None = getattr(self.executor, "thread", None)
        return thread

    @property
    def current(self) -> Runnable | None:
        current: Runnable | None = getattr(self.executor, "current", None)
        return current

    @property
    def post(self) -> Callable[[BlockingCall[Any]], None]:
        if not self.scope.is_open:
            msg = "the thread_sensitive_context was left"
            raise ExecutorClosedError(msg)
        return poster(self.scope.lease)


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
