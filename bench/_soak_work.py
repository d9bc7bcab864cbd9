"""What the soak does again and again: crossings of every sort, nested and not.

Each piece of work says how many crossings it makes; a call that is withdrawn
before it ran counts, one that a context makes does not.
"""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from contextlib import suppress
from contextvars import ContextVar
from typing import Any, Final, TypeAlias, final

import attrs

from asgibridge import Bridge

__all__ = ("Work", "all_work")

Work: TypeAlias = Callable[[], int]
_Async: TypeAlias = Callable[[], Coroutine[Any, Any, int]]
_TENANT: ContextVar[object] = ContextVar("soak_tenant", default=None)
_WIDTH: Final = 10
_DEPTH: Final = 6
_THREADS: Final = 3


class _Expected(Exception):  # noqa: N818 - it is no error
    pass


def all_work(bridge: Bridge, runner: asyncio.Runner) -> list[Work]:
    """Return every piece of work, each to be called on the main thread.

    Args:
        bridge: Crosses.
        runner: Has a loop that lives as long as the soak.
    """
    jobs = _Jobs(bridge)
    kept = [
        jobs.one_by_one,
        jobs.at_once,
        jobs.in_pool,
        jobs.contexts,
        jobs.nested,
        jobs.raising,
        jobs.cancelled,
        jobs.variables,
    ]
    return [
        *(_on_runner(job, runner) for job in kept),
        *(_on_new_loop(job) for job in (jobs.at_once, jobs.contexts)),
        jobs.outermost,
        jobs.outermost_nested,
        jobs.outermost_with_tasks,
        jobs.from_threads,
    ]


def _on_runner(job: _Async, runner: asyncio.Runner) -> Work:
    return lambda: runner.run(job())


def _on_new_loop(job: _Async) -> Work:
    return lambda: asyncio.run(job())


def _raise() -> None:
    raise _Expected


@final
@attrs.frozen(eq=False)
class _Jobs:
    bridge: Bridge

    async def one_by_one(self) -> int:
        """The same blocking function, one call after the other."""
        call = self.bridge.sync_to_async(str)
        for number in range(_WIDTH):
            assert await call(number) == str(number)  # noqa: S101 - the soak checks
        return _WIDTH

    async def at_once(self) -> int:
        """Many tasks that want the one shared thread."""
        call = self.bridge.sync_to_async(str)
        await asyncio.gather(*(call(number) for number in range(_WIDTH)))
        return _WIDTH

    async def in_pool(self) -> int:
        """Many tasks that want any thread."""
        call = self.bridge.sync_to_async(str, thread_sensitive=False)
        await asyncio.gather(*(call(number) for number in range(_WIDTH)))
        return _WIDTH

    async def contexts(self) -> int:
        """Requests, each with its own thread."""
        call = self.bridge.sync_to_async(str)

        async def request() -> None:
            async with self.bridge.thread_sensitive_context():
                await call()
                await call()

        await asyncio.gather(*(request() for _ in range(_WIDTH)))
        return 2 * _WIDTH

    async def nested(self) -> int:
        """Down and up again."""
        assert await self._down(_DEPTH) == _DEPTH  # noqa: S101 - the soak checks
        return 2 * _DEPTH

    async def _down(self, depth: int) -> int:
        if not depth:
            return 0
        back = self.bridge.async_to_sync(self._down)
        return 1 + await self.bridge.sync_to_async(back)(depth - 1)

    async def raising(self) -> int:
        """Exceptions, across one border and across three."""

        async def fails() -> None:
            await self.bridge.sync_to_async(_raise)()

        with suppress(_Expected):
            await fails()
        with suppress(_Expected):
            await self.bridge.sync_to_async(self.bridge.async_to_sync(fails))()
        return 4

    async def cancelled(self) -> int:
        """A call that runs, and one that waits behind it; both are cancelled."""
        loop, entered = asyncio.get_running_loop(), asyncio.Event()
        release = threading.Event()

        def blocks() -> None:
            loop.call_soon_threadsafe(entered.set)
            release.wait()

        first = asyncio.create_task(self.bridge.sync_to_async(blocks)())
        await entered.wait()
        second = asyncio.create_task(self.bridge.sync_to_async(str)())
        await asyncio.sleep(0)
        second.cancel()
        first.cancel()
        await asyncio.sleep(0)
        release.set()
        await asyncio.wait([first, second])
        assert first.cancelled()  # noqa: S101 - the soak checks
        assert second.cancelled()  # noqa: S101 - the soak checks
        return 2

    async def variables(self) -> int:
        """Context variables, there and back."""
        value = object()
        await self.bridge.sync_to_async(_TENANT.set)(value)
        assert await self.bridge.sync_to_async(_TENANT.get)() is value  # noqa: S101 - the soak checks
        return 2

    def outermost(self) -> int:
        """A coroutine from blocking code, with calls back."""
        return self.bridge.async_to_sync(self.one_by_one)() + 1

    def outermost_nested(self) -> int:
        """The same, deeper."""
        return self.bridge.async_to_sync(self.nested)() + 1

    def outermost_with_tasks(self) -> int:
        """The same, with tasks: the loop is not clean at once."""
        return self.bridge.async_to_sync(self.at_once)() + 1

    def from_threads(self) -> int:
        """Several threads, each with a loop of its own, at the same time."""
        made: list[int] = []
        # Or a later run might need more loops at once than all the earlier ones.
        everybody = threading.Barrier(_THREADS)

        async def meet() -> int:
            await self.bridge.sync_to_async(everybody.wait)()
            return await self.one_by_one()

        def work() -> None:
            made.append(self.bridge.async_to_sync(meet)() + 2)

        threads = [threading.Thread(target=work) for _ in range(_THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return sum(made)
