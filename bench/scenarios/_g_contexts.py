"""g: a thread-sensitive context around one call, which Django makes per request."""

from .._batches import callers, nothing, one_by_one
from .._contend import contend
from .._hosts import AsyncFunction, Host
from .._model import Batch, Scenario, Target
from ..libraries import ASGIREF, ASGIREF_FREE_LIST, OURS, ContextToolkit

__all__ = ("SCENARIOS",)

REQUESTS = 50


def _request(toolkit: ContextToolkit) -> AsyncFunction:
    call = toolkit.sync_to_async(nothing)

    async def request() -> None:
        async with toolkit.thread_sensitive_context():
            await call()

    return request


def _alone(toolkit: ContextToolkit, host: Host) -> Batch:
    return one_by_one(host, _request(toolkit))


def _at_once(toolkit: ContextToolkit, host: Host) -> Batch:
    request = _request(toolkit)

    async def in_own_task() -> None:
        await host.together([request])  # as a server does it

    return callers(host, in_own_task, REQUESTS)


_LIBRARIES = (OURS, ASGIREF, ASGIREF_FREE_LIST)
_FREE_LIST = Target("asgibridge", 3.5, than="asgiref + own free-list")

SCENARIOS = (
    Scenario(
        "g",
        "thread-sensitive context with one call, alone",
        contend(_LIBRARIES, _alone),
        (Target("asgibridge", 11), _FREE_LIST),
    ),
    Scenario(
        "g-50",
        "thread-sensitive context with one call, 50 at once",
        contend(_LIBRARIES, _at_once),
        (Target("asgibridge", 13), _FREE_LIST),
        width=REQUESTS,
    ),
)
