"""The standard library: what one writes without a bridge."""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import Any, final

import attrs

from .._hosts import AsyncioHost
from .._model import Setting
from ._protocols import AsyncCallable, Library, ToAsync, Toolkit, ToSync

__all__ = ("ASYNCIO_RUN", "BACKGROUND_LOOP", "EXECUTOR", "RUNNER", "TO_THREAD")


@final
@attrs.frozen
class _Executors:
    """`loop.run_in_executor` there, `asyncio.run_coroutine_threadsafe` back."""

    one: Executor
    pool: Executor

    def sync_to_async(
        self, fn: Callable[..., Any], /, *, thread_sensitive: bool = True
    ) -> AsyncCallable:
        executor = self.one if thread_sensitive else self.pool

        async def call(*args: object, **kwargs: object) -> object:
            loop = asyncio.get_running_loop()
            bound = partial(_with_loop, loop, fn, *args, **kwargs)
            return await loop.run_in_executor(executor, bound)

        return call

    def async_to_sync(self, fn: AsyncCallable, /) -> Callable[..., Any]:
        def call(*args: object, **kwargs: object) -> object:
            coro = fn(*args, **kwargs)
            return asyncio.run_coroutine_threadsafe(coro, _parent.loop).result()

        return call


class _Parent(threading.local):
    loop: asyncio.AbstractEventLoop


_parent = _Parent()


def _with_loop(
    loop: asyncio.AbstractEventLoop,
    fn: Callable[..., Any],
    /,
    *args: object,
    **kwargs: object,
) -> object:
    _parent.loop = loop
    return fn(*args, **kwargs)


class _ToThread:
    def sync_to_async(
        self, fn: Callable[..., Any], /, *, thread_sensitive: bool = True
    ) -> AsyncCallable:
        del thread_sensitive  # it has one pool for everything
        return partial(asyncio.to_thread, fn)


class _AsyncioRun:
    def async_to_sync(self, fn: AsyncCallable, /) -> Callable[..., Any]:
        def call(*args: object, **kwargs: object) -> object:
            return asyncio.run(fn(*args, **kwargs))

        return call


@final
@attrs.frozen
class _Run:
    """Hands coroutines to *run* and waits."""

    run: Callable[[Coroutine[Any, Any, Any]], Any]

    def async_to_sync(self, fn: AsyncCallable, /) -> Callable[..., Any]:
        def call(*args: object, **kwargs: object) -> object:
            return self.run(fn(*args, **kwargs))

        return call


@contextmanager
def _executors(setting: Setting) -> Iterator[Toolkit]:
    del setting
    with ThreadPoolExecutor(1) as one, ThreadPoolExecutor() as pool:
        yield _Executors(one, pool)


@contextmanager
def _to_thread(setting: Setting) -> Iterator[ToAsync]:
    del setting
    yield _ToThread()


@contextmanager
def _asyncio_run(setting: Setting) -> Iterator[ToSync]:
    del setting  # asyncio.run asks the event loop policy
    yield _AsyncioRun()


@contextmanager
def _runner(setting: Setting) -> Iterator[ToSync]:
    with asyncio.Runner(loop_factory=setting.new_loop) as runner:
        yield _Run(runner.run)


@contextmanager
def _background(setting: Setting) -> Iterator[ToSync]:
    loop = setting.new_loop()
    thread = threading.Thread(target=loop.run_forever, name="bench-loop")
    thread.start()
    try:
        yield _Run(lambda coro: asyncio.run_coroutine_threadsafe(coro, loop).result())
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


EXECUTOR = Library("run_in_executor", "peer", AsyncioHost.open, _executors)
TO_THREAD = Library("asyncio.to_thread", "peer", AsyncioHost.open, _to_thread)
ASYNCIO_RUN = Library("asyncio.run", "peer", AsyncioHost.open, _asyncio_run)
RUNNER = Library("asyncio.Runner, kept", "peer", AsyncioHost.open, _runner)
BACKGROUND_LOOP = Library(
    "run_coroutine_threadsafe", "peer", AsyncioHost.open, _background
)
