"""r: a request the way Django's ASGI handler makes it cross.

A context for the request, a signal with a blocking receiver, blocking
middleware around an asynchronous view, and three calls of the ORM in the view.
What Django wraps for each call is wrapped for each call here.
"""

from .._batches import callers, nothing, one_by_one
from .._contend import contend
from .._hosts import AsyncFunction, Host
from .._model import Batch, Scenario, Target
from ..libraries import ASGIREF, ASGIREF_FREE_LIST, OURS, ContextToolkit

__all__ = ("SCENARIOS",)

REQUESTS = 20
ORM_CALLS = 3


def _application(toolkit: ContextToolkit) -> AsyncFunction:
    async def view() -> str:
        for _ in range(ORM_CALLS):
            await toolkit.sync_to_async(nothing)()  # QuerySet.aget() and its like
        return "response"

    get_response = toolkit.async_to_sync(view)

    def middleware() -> str:
        return get_response()  # type: ignore[no-any-return] # wrappers of any callable

    handler = toolkit.sync_to_async(middleware)

    async def application() -> None:
        async with toolkit.thread_sensitive_context():
            await toolkit.sync_to_async(nothing)()  # Signal.asend()
            await handler()

    return application


def _alone(toolkit: ContextToolkit, host: Host) -> Batch:
    return one_by_one(host, _application(toolkit))


def _at_once(toolkit: ContextToolkit, host: Host) -> Batch:
    application = _application(toolkit)

    async def in_own_task() -> None:
        await host.together([application])  # as a server does it

    return callers(host, in_own_task, REQUESTS)


_LIBRARIES = (OURS, ASGIREF, ASGIREF_FREE_LIST)

SCENARIOS = (
    Scenario(
        "r",
        "Django-shaped request, one at a time",
        contend(_LIBRARIES, _alone),
        (Target("asgibridge", 5), Target("asgibridge", 3, modes=("split",))),
    ),
    Scenario(
        "r-20",
        "Django-shaped request, 20 at a time",
        contend(_LIBRARIES, _at_once),
        (Target("asgibridge", 6.5), Target("asgibridge", 6, modes=("split",))),
        width=REQUESTS,
    ),
)
