"""e: crossings within crossings."""

from collections.abc import Callable
from functools import partial
from typing import Any

from .._batches import nothing, nothing_async, one_by_one
from .._contend import contend
from .._hosts import Host
from .._model import Batch, Scenario, Target
from ..libraries import ANYIO, ASGIREF, EXECUTOR, OURS, TRIO, AsyncCallable, Toolkit

__all__ = ("SCENARIOS",)

DEEPEST = 8


def _nested(
    toolkit: Toolkit, host: Host, *, depth: int, thread_sensitive: bool
) -> Batch:
    cross = partial(toolkit.sync_to_async, thread_sensitive=thread_sensitive)
    if depth % 2:
        call: AsyncCallable = cross(nothing)
        left = depth - 1
    else:
        call = cross(toolkit.async_to_sync(nothing_async))
        left = depth - 2
    for _ in range(left // 2):
        back: Callable[..., Any] = toolkit.async_to_sync(_plain(call))
        call = cross(back)
    return one_by_one(host, call)


def _plain(call: AsyncCallable) -> AsyncCallable:
    """Return an async function around *call*, as a user would write one."""

    async def function() -> None:
        await call()

    return function


def _scenario(depth: int) -> Scenario:
    sensitive = partial(_nested, depth=depth, thread_sensitive=True)
    # The others would wait for their only thread for ever.
    pool = partial(_nested, depth=depth, thread_sensitive=False)
    return Scenario(
        f"e{depth}",
        f"nesting, {depth} crossings deep",
        (
            *contend((OURS, ASGIREF), sensitive),
            *contend((EXECUTOR, ANYIO, TRIO), pool),
        ),
        (
            Target("asgibridge", 3.0),
            Target("asgibridge", 1.0, than="best peer", modes=("pin", "split")),
        ),
    )


SCENARIOS = tuple(_scenario(depth) for depth in range(1, DEEPEST + 1))
