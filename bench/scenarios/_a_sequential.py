"""a: a blocking function called from async code, one call at a time."""

from .._batches import nothing, one_by_one
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


def _sensitive(toolkit: ToAsync, host: Host) -> Batch:
    return one_by_one(host, toolkit.sync_to_async(nothing))


def _pool(toolkit: ToAsync, host: Host) -> Batch:
    return one_by_one(host, toolkit.sync_to_async(nothing, thread_sensitive=False))


SCENARIOS = (
    Scenario(
        "a",
        "async→sync, thread-sensitive, one at a time",
        contend((OURS, ASGIREF, EXECUTOR, ANYIO, TRIO, HAND_MADE), _sensitive),
        (
            Target("asgibridge", 3.5),
            Target("asgibridge", 1.7, modes=("split",)),
            Target("asgibridge", 1.9, than="best peer"),
        ),
    ),
    Scenario(
        "a-pool",
        "async→sync, pool, one at a time",
        contend((OURS, ASGIREF, EXECUTOR, TO_THREAD, ANYIO, TRIO), _pool),
        (Target("asgibridge", 1.0, than="best peer", modes=("pin", "split")),),
    ),
)
