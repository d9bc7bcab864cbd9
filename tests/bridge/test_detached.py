"""Calls that nobody awaits: async code they run belongs to their loop."""

import asyncio
import threading
from collections.abc import Callable
from contextvars import ContextVar

import pytest

from asgibridge import Bridge
from asgibridge.errors import ExecutorDroppedCallError
from asgibridge.executors import WorkerPool
from asgibridge.observers import TimelineObserver
from asgibridge.testing import ManualExecutor

variable: ContextVar[str] = ContextVar("variable")


def unexpected(error: BaseException) -> None:
    """Fail the call that should not have failed."""
    raise AssertionError(error)


def test_async_code_runs_on_the_loop_that_started_the_call() -> None:
    """In a task of its own, with the caller's context variables, in a copy."""

    async def where() -> tuple[asyncio.AbstractEventLoop, str]:
        return asyncio.get_running_loop(), variable.get()

    async def main(bridge: Bridge, pool: WorkerPool) -> None:
        ended: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        loop = asyncio.get_running_loop()
        variable.set("mine")

        def work() -> None:
            seen = bridge.async_to_sync(where)()
            variable.set("theirs")
            loop.call_soon_threadsafe(ended.set_result, seen)

        call = bridge.detacher(pool).start(work, unexpected)
        assert await ended == (loop, "mine")
        assert variable.get() == "mine"
        assert not call.cancel() or call.is_cancelled

    with Bridge() as bridge, WorkerPool() as pool:
        asyncio.run(main(bridge, pool))


def test_observers_are_told() -> None:
    """As of any other crossing, and of those within it."""
    timeline = TimelineObserver()

    async def inner() -> None:
        pass

    async def main(bridge: Bridge, pool: WorkerPool) -> None:
        loop, ended = asyncio.get_running_loop(), asyncio.Event()

        def work() -> None:
            bridge.async_to_sync(inner)()

        def outer() -> None:
            try:
                work()
            finally:
                loop.call_soon_threadsafe(ended.set)

        call = bridge.detacher(pool).start(outer, unexpected)
        await ended.wait()
        assert not call.is_cancelled

    with Bridge(observers=[timeline]) as bridge, WorkerPool() as pool:
        asyncio.run(main(bridge, pool))
    calls = {call.name.rpartition(".")[2]: call for call in timeline.calls}
    assert set(calls) == {"outer", "inner"}
    assert calls["inner"].parent == calls["outer"].number


def test_cancelling_ends_the_coroutine_and_refuses_more() -> None:
    """The function goes on, but no more async code is run for it."""
    outcomes: list[type[BaseException]] = []

    async def main(bridge: Bridge, pool: WorkerPool) -> None:
        waits, loop = asyncio.Event(), asyncio.get_running_loop()
        ended = asyncio.Event()

        async def wait() -> None:
            waits.set()
            await asyncio.Event().wait()

        def work() -> None:
            for _ in range(2):
                try:
                    bridge.async_to_sync(wait)()
                except asyncio.CancelledError as exc:
                    outcomes.append(type(exc))
            loop.call_soon_threadsafe(ended.set)

        call = bridge.detacher(pool).start(work, unexpected)
        await waits.wait()
        assert call.cancel("enough")
        assert not call.cancel(), "once is enough"
        await ended.wait()

    with Bridge() as bridge, WorkerPool() as pool:
        asyncio.run(main(bridge, pool))
    assert outcomes == [asyncio.CancelledError] * 2


def test_cancelled_between_asking_and_answering() -> None:
    """A coroutine that was asked for, but not begun, is refused."""
    asked, outcomes = threading.Event(), list[BaseException]()

    async def never() -> None:
        pytest.fail("it was refused")

    async def main(bridge: Bridge, pool: WorkerPool) -> None:
        loop, ended = asyncio.get_running_loop(), asyncio.Event()

        def work() -> None:
            asked.set()
            try:
                bridge.async_to_sync(never)()
            except asyncio.CancelledError as exc:
                outcomes.append(exc)
            loop.call_soon_threadsafe(ended.set)

        call = bridge.detacher(pool).start(work, unexpected)
        # The loop stands still until the function has asked.
        assert asked.wait(60)
        while call.hosted is None:
            pass
        call.cancel()
        await ended.wait()
        call.deliver()  # nothing more is asked for

    with Bridge() as bridge, WorkerPool() as pool:
        asyncio.run(main(bridge, pool))
    assert len(outcomes) == 1


def test_what_it_raises_is_handed_over() -> None:
    """To the function that was given for that, on the call's thread."""
    failures: list[BaseException] = []

    def fail() -> None:
        raise LookupError

    async def main(bridge: Bridge, pool: WorkerPool) -> None:
        for _ in range(2):
            call = bridge.detacher(pool).start(fail, failures.append)
            assert call.mailbox is bridge._engine.mailbox_of(asyncio.get_running_loop())

    with Bridge() as bridge, WorkerPool() as pool:
        asyncio.run(main(bridge, pool))
    assert [type(failure) for failure in failures] == [LookupError] * 2


def test_an_executor_that_drops_it() -> None:
    """That is a failure too: the function will never run."""
    failures: list[BaseException] = []
    never: Callable[[], None] = lambda: pytest.fail("dropped")  # noqa: E731

    async def main(bridge: Bridge) -> None:
        executor = ManualExecutor()
        _ = bridge.detacher(executor).start(never, failures.append)
        executor.pending[0].future.cancel()
        executor.run_all()

    with Bridge() as bridge:
        asyncio.run(main(bridge))
    assert [type(failure) for failure in failures] == [ExecutorDroppedCallError]
