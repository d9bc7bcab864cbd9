"""d: from a blocking function back to the loop that waits for it."""

from functools import partial
from time import perf_counter

from .._batches import nothing_async
from .._contend import contend
from .._hosts import Host
from .._model import Batch, Scenario, Target
from ..libraries import ANYIO, ASGIREF, EXECUTOR, OURS, TRIO, Toolkit

__all__ = ("SCENARIOS",)


def _back(toolkit: Toolkit, host: Host) -> Batch:
    call = toolkit.async_to_sync(nothing_async)

    def in_worker(count: int) -> float:
        call()
        start = perf_counter()
        for _ in range(count):
            call()
        return perf_counter() - start

    there = toolkit.sync_to_async(in_worker)
    return lambda count: host.run(partial(there, count))


SCENARIOS = (
    Scenario(
        "d",
        "async→sync→async, the second crossing",
        contend((OURS, ASGIREF, EXECUTOR, ANYIO, TRIO), _back),
        (
            Target("asgibridge", 1.9),
            Target("asgibridge", 1.0, than="best peer", modes=("pin", "split")),
        ),
    ),
)
