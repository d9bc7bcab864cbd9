"""anyio, on asyncio."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, final

import anyio
import anyio.from_thread
import anyio.to_thread
import attrs
from anyio.from_thread import BlockingPortal

from .._hosts import AsyncioHost
from .._model import Setting
from ._protocols import AsyncCallable, Library, Toolkit, ToSync

__all__ = ("ANYIO", "ANYIO_PORTAL", "ANYIO_RUN")


class _Anyio:
    """`to_thread.run_sync` there, `from_thread.run` back.

    A limiter of one token takes the place of one thread: anyio has no other
    way to run calls one after the other.
    """

    def __init__(self) -> None:
        self._one = anyio.CapacityLimiter(1)

    def sync_to_async(
        self, fn: Callable[..., Any], /, *, thread_sensitive: bool = True
    ) -> AsyncCallable:
        limiter = self._one if thread_sensitive else None
        return partial(anyio.to_thread.run_sync, fn, limiter=limiter)

    def async_to_sync(self, fn: AsyncCallable, /) -> Callable[..., Any]:
        return partial(anyio.from_thread.run, fn)


class _AnyioRun:
    def __init__(self, setting: Setting) -> None:
        self._options = {"loop_factory": setting.new_loop}

    def async_to_sync(self, fn: AsyncCallable, /) -> Callable[..., Any]:
        def call(*args: object) -> object:
            return anyio.run(fn, *args, backend_options=self._options)

        return call


@final
@attrs.frozen
class _Portal:
    portal: BlockingPortal

    def async_to_sync(self, fn: AsyncCallable, /) -> Callable[..., Any]:
        return partial(self.portal.call, fn)


@contextmanager
def _anyio(setting: Setting) -> Iterator[Toolkit]:
    del setting
    yield _Anyio()


@contextmanager
def _anyio_run(setting: Setting) -> Iterator[ToSync]:
    yield _AnyioRun(setting)


@contextmanager
def _portal(setting: Setting) -> Iterator[ToSync]:
    options = {"loop_factory": setting.new_loop}
    with anyio.from_thread.start_blocking_portal(
        backend="asyncio", backend_options=options
    ) as portal:
        yield _Portal(portal)


ANYIO = Library("anyio", "peer", AsyncioHost.open, _anyio)
ANYIO_RUN = Library("anyio.run", "peer", AsyncioHost.open, _anyio_run)
ANYIO_PORTAL = Library("anyio portal", "peer", AsyncioHost.open, _portal)
