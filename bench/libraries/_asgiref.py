"""asgiref, the way its documentation and Django use it."""

from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from typing import Any, cast, final

import attrs
from asgiref.sync import ThreadSensitiveContext, async_to_sync, sync_to_async

from .._hosts import AsyncioHost
from .._model import Setting
from ._protocols import AsyncCallable, ContextToolkit, Library

__all__ = ("ASGIREF", "ASGIREF_FREE_LIST")


class _Asgiref:
    # Not methods that delegate: the extra frame would be charged to asgiref.
    # The casts take the overloads for the other form, a decorator, away.
    sync_to_async = staticmethod(cast("Callable[..., AsyncCallable]", sync_to_async))
    async_to_sync = staticmethod(
        cast("Callable[..., Callable[..., Any]]", async_to_sync)
    )

    def thread_sensitive_context(self) -> AbstractAsyncContextManager[object]:
        return ThreadSensitiveContext()


@final
@attrs.frozen
class _FreeList(_Asgiref):
    """asgiref 3.13 with executors kept by its user, which its executor= allows."""

    idle: list[ThreadPoolExecutor] = attrs.field(factory=list[ThreadPoolExecutor])

    @asynccontextmanager
    async def _context(self) -> AsyncIterator[None]:
        executor = self.idle.pop() if self.idle else ThreadPoolExecutor(1)
        try:
            async with ThreadSensitiveContext(executor=executor):
                yield
        finally:
            self.idle.append(executor)

    def thread_sensitive_context(self) -> AbstractAsyncContextManager[object]:
        return self._context()


@contextmanager
def _open(setting: Setting) -> Iterator[ContextToolkit]:
    del setting  # asyncio.run, which asgiref calls, asks the event loop policy
    yield _Asgiref()


@contextmanager
def _open_free_list(setting: Setting) -> Iterator[ContextToolkit]:
    del setting
    toolkit = _FreeList()
    yield toolkit
    for executor in toolkit.idle:
        executor.shutdown()


ASGIREF = Library("asgiref", "asgiref", AsyncioHost.open, _open)
ASGIREF_FREE_LIST = Library(
    "asgiref + own free-list", "peer", AsyncioHost.open, _open_free_list
)
