"""Ending tasks that talk to Redis."""

import asyncio
from typing import Final

__all__ = ("end_task",)

_AGAIN_SECONDS: Final = 0.02


async def end_task(task: asyncio.Task[None]) -> None:
    """Cancel a task, and wait until it has ended.

    Again and again: redis-py 8.1 loses a cancellation that comes while it
    prepares a connection, and the task would go on.
    """
    while not task.done():
        task.cancel()
        await asyncio.wait([task], timeout=_AGAIN_SECONDS)
