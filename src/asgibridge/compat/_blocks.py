"""asgiref's two context managers."""

from concurrent.futures import Executor
from contextvars import Token
from types import TracebackType
from typing import Self

from ..bridge import (
    AsyncSingleThreadContext as _SingleThreadScope,
    ThreadSensitiveContext as _SensitiveScope,
)
from ._default import DEFAULT
from ._state import (
    ASYNC_SINGLE_THREAD_CONTEXT,
    CONTEXT_EXECUTORS,
    THREAD_SENSITIVE_CONTEXT,
)

__all__ = ("AsyncSingleThreadContext", "ThreadSensitiveContext")


class AsyncSingleThreadContext:
    """Runs all the async code that a block of sync code starts on one thread.

    Inside another one it changes nothing.
    """

    def __init__(self) -> None:
        self.token: Token[AsyncSingleThreadContext] | None = None
        self._scope: _SingleThreadScope | None = None
        self._process: object = None

    def __enter__(self) -> Self:
        around = ASYNC_SINGLE_THREAD_CONTEXT.get(None)
        # One that a forked child has inherited is not around anything there.
        if around is None or around._process is not DEFAULT.process:  # noqa: SLF001  # of this class
            self._process = DEFAULT.process
            self.token = ASYNC_SINGLE_THREAD_CONTEXT.set(self)
            self._scope = DEFAULT.get().bridge.async_single_thread_context()
            self._scope.__enter__()
        return self

    def __exit__(
        self,
        exc: type[BaseException] | None,
        value: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        token, scope = self.token, self._scope
        if token is None or scope is None:
            return
        self.token = self._scope = None
        scope.__exit__(exc, value, tb)
        ASYNC_SINGLE_THREAD_CONTEXT.reset(token)


class ThreadSensitiveContext:
    """Gives the thread-sensitive code of a block a thread of its own.

    Inside another one it changes nothing, unless it has an *executor*: then the
    block uses that in any case, and can be entered only once.

    Args:
        executor: Runs one call at a time, on one thread.  It belongs to the
            caller, and is not shut down.
    """

    def __init__(self, *, executor: Executor | None = None) -> None:
        self._executor = executor
        self.token: Token[ThreadSensitiveContext] | None = None
        self._scope: _SensitiveScope | None = None
        self._exited = False
        self._process: object = None

    async def __aenter__(self) -> Self:
        executor = self._executor
        if executor is not None:
            self._check_first_entry()
            CONTEXT_EXECUTORS[self] = executor
        else:
            around = THREAD_SENSITIVE_CONTEXT.get(None)
            # Not one that a forked child has inherited.
            if around is not None and around._process is DEFAULT.process:  # noqa: SLF001  # of this class
                return self
        self._process = DEFAULT.process
        self.token = THREAD_SENSITIVE_CONTEXT.set(self)
        self._scope = DEFAULT.get().bridge.thread_sensitive_context(executor=executor)
        await self._scope.__aenter__()
        return self

    def _check_first_entry(self) -> None:
        if self.token is not None:
            msg = "ThreadSensitiveContext is already entered"
            raise RuntimeError(msg)
        if self._exited:
            msg = (
                "ThreadSensitiveContext with an executor cannot be entered again: "
                "give the executor to a new one"
            )
            raise RuntimeError(msg)

    async def __aexit__(
        self,
        exc: type[BaseException] | None,
        value: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        token, scope = self.token, self._scope
        if token is None or scope is None:
            return
        self.token = self._scope = None
        if self._executor is not None:
            CONTEXT_EXECUTORS.pop(self, None)
            self._exited = True
        try:  # noqa: SIM105  # suppress() would take longer than all the rest
            THREAD_SENSITIVE_CONTEXT.reset(token)
        except ValueError:
            pass  # left in another task than it was entered in: nothing to reset
        await scope.__aexit__(exc, value, tb)
