"""c: a coroutine function called from blocking code, with no loop about."""

import asyncio

import trio.lowlevel

from .._batches import blocking, nothing_async
from .._contend import contend
from .._hosts import Host
from .._model import Batch, Scenario, Target
from ..libraries import (
    ANYIO_PORTAL,
    ANYIO_RUN,
    ASGIREF,
    ASYNCIO_RUN,
    BACKGROUND_LOOP,
    BARE_SEND,
    IN_THREAD,
    OURS,
    RUNNER,
    TRIO_RUN,
    ToSync,
)

__all__ = ("SCENARIOS",)

_ON_ASYNCIO = (
    OURS,
    IN_THREAD,
    ASGIREF,
    ASYNCIO_RUN,
    RUNNER,
    BACKGROUND_LOOP,
    ANYIO_RUN,
    ANYIO_PORTAL,
)


async def _suspend() -> None:
    await asyncio.sleep(0)


async def _suspend_in_trio() -> None:
    await trio.lowlevel.checkpoint()  # what trio.sleep(0) does


def _at_once(toolkit: ToSync, host: Host) -> Batch:
    del host  # the point of it
    return blocking(toolkit.async_to_sync(nothing_async))


def _suspending(toolkit: ToSync, host: Host) -> Batch:
    del host
    return blocking(toolkit.async_to_sync(_suspend))


def _suspending_in_trio(toolkit: ToSync, host: Host) -> Batch:
    del host
    return blocking(toolkit.async_to_sync(_suspend_in_trio))


_BEST_PEER = Target(
    "asgibridge, in thread", 1.0, than="best peer", modes=("pin", "split")
)
# A loop in the caller's own thread is another job than a helper thread's, so
# the helper is compared with the other ways that use one.
_OTHER_HELPERS = (
    Target("asgibridge", 1.0, than="run_coroutine_threadsafe", modes=("pin", "split")),
    Target("asgibridge", 1.0, than="anyio portal", modes=("pin", "split")),
    Target("asgibridge", 1.0, than="anyio.run", modes=("pin", "split")),
    Target("asgibridge", 1.0, than="asyncio.run", modes=("pin", "split")),
)

SCENARIOS = (
    Scenario(
        "c",
        "sync→async without a loop, returns at once",
        contend((*_ON_ASYNCIO, TRIO_RUN, BARE_SEND), _at_once),
        (
            Target("asgibridge", 10),
            Target("asgibridge, in thread", 25),
            _BEST_PEER,
            *_OTHER_HELPERS,
        ),
    ),
    Scenario(
        "c-suspend",
        "sync→async without a loop, suspends once",
        (
            *contend(_ON_ASYNCIO, _suspending),
            *contend((TRIO_RUN,), _suspending_in_trio),
        ),
        (
            Target("asgibridge", 9),
            Target("asgibridge, in thread", 15),
            _BEST_PEER,
            *_OTHER_HELPERS,
        ),
    ),
)
