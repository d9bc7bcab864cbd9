"""Ending tasks that talk to a broker."""

import asyncio
from typing import Any, Final

__all__ = ("end_task", "is_cancelled")

_AGAIN_SECONDS: Final = 0.02


async def end_task(task: asyncio.Task[Any]) -> None:
    """Cancel a task, and wait until it has ended; drop what it raises.

    Again and again: redis-py 8.1 loses a cancellation that comes while it
    prepares a connection, and `asyncio.wait_for` of Python 3.11, which nats-py
    uses, one that comes together with the result.  The task would go on.
    """
    while not task.done():
        task.cancel()
        await asyncio.wait([task], timeout=_AGAIN_SECONDS)
    if not task.cancelled():
        task.exception()


def is_cancelled() -> bool:
    """Return whether the running task was cancelled, even if that got lost.

    For loops that would otherwise never end: see `end_task`.
    """
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
