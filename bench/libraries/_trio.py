"""trio: another event loop, the same jobs."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import trio
import trio.from_thread
import trio.to_thread

from .._hosts import TrioHost
from .._model import Setting
from ._protocols import AsyncCallable, Library, Toolkit, ToSync

__all__ = ("TRIO", "TRIO_RUN")


class _Trio:
    """`to_thread.run_sync` there, `from_thread.run` back; see anyio for limiters."""

    def __init__(self) -> None:
        self._one = trio.CapacityLimiter(1)

    def sync_to_async(
        self, fn: Callable[..., Any], /, *, thread_sensitive: bool = True
    ) -> AsyncCallable:
        limiter = self._one if thread_sensitive else None
        return partial(trio.to_thread.run_sync, fn, limiter=limiter)

    def async_to_sync(self, fn: AsyncCallable, /) -> Callable[..., Any]:
        return partial(trio.from_thread.run, fn)


class _TrioRun:
    def async_to_sync(self, fn: AsyncCallable, /) -> Callable[..., Any]:
        return partial(trio.run, fn)


@contextmanager
def _trio(setting: Setting) -> Iterator[Toolkit]:
    del setting
    yield _Trio()


@contextmanager
def _trio_run(setting: Setting) -> Iterator[ToSync]:
    del setting
    yield _TrioRun()


TRIO = Library("trio", "peer", TrioHost.open, _trio)
TRIO_RUN = Library("trio.run", "peer", TrioHost.open, _trio_run)
