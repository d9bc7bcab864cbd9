"""w: making wrappers, and reaching one that is a method."""

from itertools import repeat
from time import perf_counter

from .._batches import nothing, nothing_async
from .._contend import contend
from .._hosts import Host
from .._model import Batch, Limit, Scenario
from ..libraries import ASGIREF, OURS, ToAsync, ToSync

__all__ = ("SCENARIOS",)

_MOST_TO_MAKE = 1.5  # µs
_MOST_TO_REACH = 0.1  # µs


def _make_async(toolkit: ToAsync, host: Host) -> Batch:
    del host
    wrap = toolkit.sync_to_async

    def batch(count: int) -> float:
        start = perf_counter()
        for _ in repeat(None, count):
            wrap(nothing)
        return perf_counter() - start

    return batch


def _make_sync(toolkit: ToSync, host: Host) -> Batch:
    del host
    wrap = toolkit.async_to_sync

    def batch(count: int) -> float:
        start = perf_counter()
        for _ in repeat(None, count):
            wrap(nothing_async)
        return perf_counter() - start

    return batch


def _reach(toolkit: ToAsync, host: Host) -> Batch:
    del host

    class Owner:
        @toolkit.sync_to_async
        def method(self) -> None:
            """Be wrapped."""

    owner = Owner()

    def batch(count: int) -> float:
        start = perf_counter()
        for _ in repeat(None, count):
            owner.method  # noqa: B018 - reaching it is what is measured
        return perf_counter() - start

    return batch


def _reach_sync(toolkit: ToSync, host: Host) -> Batch:
    del host

    class Owner:
        @toolkit.async_to_sync
        async def method(self) -> None:
            """Be wrapped."""

    owner = Owner()

    def batch(count: int) -> float:
        start = perf_counter()
        for _ in repeat(None, count):
            owner.method  # noqa: B018 - reaching it is what is measured
        return perf_counter() - start

    return batch


_LIBRARIES = (OURS, ASGIREF)

SCENARIOS = (
    Scenario(
        "w-async",
        "making a wrapper with sync_to_async",
        contend(_LIBRARIES, _make_async),
        (Limit("asgibridge", _MOST_TO_MAKE),),
    ),
    Scenario(
        "w-sync",
        "making a wrapper with async_to_sync",
        contend(_LIBRARIES, _make_sync),
        (Limit("asgibridge", _MOST_TO_MAKE),),
    ),
    Scenario(
        "w-method",
        "reaching a method wrapped by sync_to_async",
        contend(_LIBRARIES, _reach),
        (Limit("asgibridge", _MOST_TO_REACH),),
    ),
    Scenario(
        "w-method-sync",
        "reaching a method wrapped by async_to_sync",
        contend(_LIBRARIES, _reach_sync),
        (Limit("asgibridge", _MOST_TO_REACH),),
    ),
)
