"""i: memory: what a crossing needs at its height, and what it leaves behind.

Not timed.  The peak is what `tracemalloc` saw within a crossing beyond what was
there before it; garbage is what only the cyclic collector can free afterwards.
"""

import gc
import tracemalloc
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Self

from .._batches import nothing, nothing_async
from .._contend import contend
from .._hosts import Host
from .._model import Batch, Limit, Scenario
from ..libraries import (
    ANYIO,
    ASGIREF,
    ASYNCIO_RUN,
    EXECUTOR,
    IN_THREAD,
    OURS,
    RUNNER,
    TO_THREAD,
    ToAsync,
    Toolkit,
    ToSync,
)

__all__ = ("SCENARIOS",)

_COUNT = 100
_PEAK_LIMIT = 2000


class _Expected(Exception):  # noqa: N818 - it is no error
    pass


def _raise() -> None:
    raise _Expected


async def _raise_async() -> None:
    raise _Expected


def _peaks(host: Host, operation: Callable[[], Awaitable[object]]) -> Batch:
    async def main() -> float:
        for _ in range(_COUNT):
            await operation()
        total = 0.0
        tracemalloc.start()
        try:
            for n in range(-_COUNT, _COUNT):
                before = _mark()
                await operation()
                if n >= 0:  # caches have filled by then
                    total += tracemalloc.get_traced_memory()[1] - before
        finally:
            tracemalloc.stop()
        return total

    return lambda _count: host.run(main)


def _blocking_peaks(operation: Callable[[], object]) -> Batch:
    def batch(_count: int) -> float:
        total = 0.0
        tracemalloc.start()
        try:
            for n in range(-_COUNT, _COUNT):
                before = _mark()
                operation()
                if n >= 0:
                    total += tracemalloc.get_traced_memory()[1] - before
        finally:
            tracemalloc.stop()
        return total

    return batch


def _mark() -> int:
    tracemalloc.reset_peak()
    return tracemalloc.get_traced_memory()[0]


def _garbage(host: Host, operation: Callable[[], Awaitable[object]]) -> Batch:
    async def main() -> float:
        async def some() -> None:
            for _ in range(_COUNT):
                with suppress(_Expected):
                    await operation()

        await some()
        with _Uncollected() as uncollected:
            await some()
        return uncollected.count

    return lambda _count: host.run(main)


def _blocking_garbage(operation: Callable[[], object]) -> Batch:
    def batch(_count: int) -> float:
        def some() -> None:
            for _ in range(_COUNT):
                with suppress(_Expected):
                    operation()

        some()
        with _Uncollected() as uncollected:
            some()
        return uncollected.count

    return batch


class _Uncollected:
    """Counts the objects that the block leaves for the cyclic collector."""

    count = 0

    def __enter__(self) -> Self:
        gc.collect()
        gc.disable()
        return self

    def __exit__(self, *_exc: object) -> None:
        self.count = gc.collect()
        gc.enable()


def _peak(toolkit: ToAsync, host: Host) -> Batch:
    return _peaks(host, toolkit.sync_to_async(nothing))


def _peak_outermost(toolkit: ToSync, host: Host) -> Batch:
    del host
    return _blocking_peaks(toolkit.async_to_sync(nothing_async))


def _left(toolkit: ToAsync, host: Host) -> Batch:
    return _garbage(host, toolkit.sync_to_async(nothing))


def _left_raising(toolkit: ToAsync, host: Host) -> Batch:
    return _garbage(host, toolkit.sync_to_async(_raise))


def _left_outermost(toolkit: ToSync, host: Host) -> Batch:
    del host
    return _blocking_garbage(toolkit.async_to_sync(nothing_async))


def _left_outermost_raising(toolkit: ToSync, host: Host) -> Batch:
    del host
    return _blocking_garbage(toolkit.async_to_sync(_raise_async))


def _left_there_and_back_raising(toolkit: Toolkit, host: Host) -> Batch:
    back = toolkit.async_to_sync(_raise_async)
    return _garbage(host, toolkit.sync_to_async(back))


_CALLED = (OURS, ASGIREF, EXECUTOR, ANYIO)
_OUTERMOST = (OURS, IN_THREAD, ASGIREF, RUNNER, ASYNCIO_RUN)
_SMALL = (Limit("asgibridge", _PEAK_LIMIT),)
_SMALL_OUTERMOST = (*_SMALL, Limit("asgibridge, in thread", _PEAK_LIMIT))
_CLEAN = (Limit("asgibridge", 0),)
_CLEAN_OUTERMOST = (*_CLEAN, Limit("asgibridge, in thread", 0))

SCENARIOS = (
    Scenario(
        "i-peak",
        "traced peak of one async→sync crossing",
        contend((*_CALLED, TO_THREAD), _peak),
        _SMALL,
        unit="B",
        count=_COUNT,
    ),
    Scenario(
        "i-peak-outermost",
        "traced peak of one sync→async crossing without a loop",
        contend(_OUTERMOST, _peak_outermost),
        _SMALL_OUTERMOST,
        unit="B",
        count=_COUNT,
    ),
    Scenario(
        "i-left",
        "left for the collector by async→sync",
        contend(_CALLED, _left),
        _CLEAN,
        unit="objects",
        count=_COUNT,
    ),
    Scenario(
        "i-left-raising",
        "left for the collector by async→sync that raises",
        contend(_CALLED, _left_raising),
        _CLEAN,
        unit="objects",
        count=_COUNT,
    ),
    Scenario(
        "i-left-outermost",
        "left for the collector by sync→async",
        contend(_OUTERMOST, _left_outermost),
        _CLEAN_OUTERMOST,
        unit="objects",
        count=_COUNT,
    ),
    Scenario(
        "i-left-outermost-raising",
        "left for the collector by sync→async that raises",
        contend(_OUTERMOST, _left_outermost_raising),
        _CLEAN_OUTERMOST,
        unit="objects",
        count=_COUNT,
    ),
    Scenario(
        "i-left-nested-raising",
        "left for the collector by async→sync→async that raises",
        contend(_CALLED, _left_there_and_back_raising),
        _CLEAN,
        unit="objects",
        count=_COUNT,
    ),
)
