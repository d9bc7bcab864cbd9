"""Loops around an operation, with the clock around them."""

from collections.abc import Awaitable, Callable
from time import perf_counter

from ._hosts import AsyncFunction, Host
from ._model import Batch

__all__ = ("blocking", "callers", "nothing", "nothing_async", "one_by_one")


def nothing() -> None:
    """Be the cheapest blocking function."""


async def nothing_async() -> None:
    """Be the cheapest coroutine."""


def blocking(operation: Callable[[], object]) -> Batch:
    """Return a batch that calls *operation* again and again."""

    def batch(count: int) -> float:
        operation()
        start = perf_counter()
        for _ in range(count):
            operation()
        return perf_counter() - start

    return batch


def one_by_one(
    host: Host,
    operation: Callable[[], Awaitable[object]],
    *,
    prepare: Callable[[], None] = nothing,
) -> Batch:
    """Return a batch that awaits *operation* again and again, in one task.

    Args:
        host: Runs the task.
        operation: Is measured.
        prepare: Is called in the task before the clock is looked at.
    """

    def batch(count: int) -> float:
        async def main() -> float:
            prepare()
            # Peers that start a thread for each run of a loop do it here.
            await operation()
            start = perf_counter()
            for _ in range(count):
                await operation()
            return perf_counter() - start

        return host.run(main)

    return batch


def callers(host: Host, operation: AsyncFunction, width: int) -> Batch:
    """Return a batch of *width* tasks that each await *operation* in turn."""

    def batch(count: int) -> float:
        async def caller() -> None:
            for _ in range(count // width):
                await operation()

        async def main() -> float:
            await host.together([operation] * width)
            start = perf_counter()
            await host.together([caller] * width)
            return perf_counter() - start

        return host.run(main)

    return batch
