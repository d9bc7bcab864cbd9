"""j: blocking code that runs a coroutine that calls blocking code, and so on."""

from functools import partial

from .._batches import blocking, nothing
from .._contend import contend
from .._hosts import Host
from .._model import Batch, Scenario, Target
from ..libraries import ASGIREF, IN_THREAD, OURS, Toolkit

__all__ = ("SCENARIOS",)


def _calls_back(toolkit: Toolkit, host: Host, *, calls: int) -> Batch:
    del host
    call = toolkit.sync_to_async(nothing)

    async def main() -> None:
        for _ in range(calls):
            await call()

    return blocking(toolkit.async_to_sync(main))


def _scenario(calls: int, helper: float, in_thread: float) -> Scenario:
    return Scenario(
        f"j{calls}",
        f"outermost sync→async, thread-sensitive calls back: {calls}",
        contend((OURS, IN_THREAD, ASGIREF), partial(_calls_back, calls=calls)),
        (
            Target("asgibridge", helper),
            Target("asgibridge, in thread", in_thread),
        ),
    )


SCENARIOS = (_scenario(1, 7.5, 28), _scenario(5, 5, 16), _scenario(20, 4, 12))
