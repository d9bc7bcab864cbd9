"""Who waits for whom, as far as it is certain."""

import asyncio
from collections.abc import Iterable
from typing import Any, TypeGuard

from ..loops import children_of, waiter_of
from ._call import BlockingCall
from ._places import Frame, Place

__all__ = ("frame_for", "is_blocking_call")


# isinstance alone would leave the type parameters unknown.
def is_blocking_call(thing: object) -> TypeGuard[BlockingCall[Any]]:
    """Whether *thing* is a blocking call."""
    return isinstance(thing, BlockingCall)


def is_task(thing: object) -> TypeGuard[asyncio.Task[Any]]:
    """Whether *thing* is a task."""
    return isinstance(thing, asyncio.Task)


def frame_for(call: BlockingCall[Any], inside: Place | None) -> Frame | None:
    """Return a waiting thread that may run *call* and that would else not end.

    Either the thread that *call* is queued for waits for a coroutine that waits
    for *call*; or a thread of its executor waits for the very code that made
    *call*, while there may be no other left.

    Args:
        call: Queued, and not started.
        inside: The place that *call* was made in.
    """
    place = call.place
    current = place.current
    hosted = current.hosted if is_blocking_call(current) else None
    if hosted is not None and _waits_for(hosted.host, call, set()):
        return hosted.frame
    while inside is not None:
        if isinstance(inside, Frame) and inside.is_alive:
            outer = inside.call
            if outer is not None and outer.place.executor is place.executor:
                return inside
        inside = inside.parent
    return None


def _waits_for(waiter: object, call: BlockingCall[Any], seen: set[int]) -> bool:
    """Whether *waiter* can certainly not go on before *call* has run."""
    if waiter is call:
        return True
    if waiter is None or id(waiter) in seen:
        return False
    seen.add(id(waiter))
    return any(_waits_for(other, call, seen) for other in _awaited(waiter))


def _awaited(waiter: object) -> Iterable[object]:
    """List what *waiter* needs, every one of it, to go on."""
    if is_task(waiter):
        return (waiter_of(waiter),)
    if is_blocking_call(waiter):
        # Queued behind another one, which may itself wait for a coroutine.
        current = waiter.place.current if waiter.is_waiting else waiter
        hosted = current.hosted if is_blocking_call(current) else None
        return () if hosted is None else (hosted.host,)
    # asyncio.gather ends with its last child, or with the first that fails.
    return children_of(waiter)
