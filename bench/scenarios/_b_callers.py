"""b: blocking functions called by 100 tasks at once."""

from .._batches import callers, nothing
from .._contend import contend
from .._hosts import Host
from .._model import Batch, Scenario, Target
from ..libraries import (
    ANYIO,
    ASGIREF,
    EXECUTOR,
    HAND_MADE,
    OURS,
    TO_THREAD,
    TRIO,
    ToAsync,
)

__all__ = ("SCENARIOS",)

CALLERS = 100


def _sensitive(toolkit: ToAsync, host: Host) -> Batch:
    return callers(host, toolkit.sync_to_async(nothing), CALLERS)


def _pool(toolkit: ToAsync, host: Host) -> Batch:
    call = toolkit.sync_to_async(nothing, thread_sensitive=False)
    return callers(host, call, CALLERS)


_BEST_PEER = Target("asgibridge", 1.0, than="best peer", modes=("pin", "split"))

SCENARIOS = (
    Scenario(
        "b",
        "async→sync, 100 callers, one thread",
        contend((OURS, ASGIREF, EXECUTOR, ANYIO, TRIO, HAND_MADE), _sensitive),
        (Target("asgibridge", 10), _BEST_PEER),
        width=CALLERS,
    ),
    Scenario(
        "b-pool",
        "async→sync, 100 callers, pool",
        contend((OURS, ASGIREF, EXECUTOR, TO_THREAD, ANYIO, TRIO), _pool),
        (Target("asgibridge", 7), _BEST_PEER),
        width=CALLERS,
    ),
)
