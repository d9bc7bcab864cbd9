"""Executors that are put in the place of the one shared thread."""

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import Any

import pytest

from asgibridge import Bridge
from asgibridge.compat import configure, default_bridge
from asgibridge.compat._shared import SharedThread
from asgibridge.compat.sync import (
    SyncToAsync,
    ThreadSensitiveContext,
    async_to_sync,
    sync_to_async,
)
from asgibridge.errors import ExecutorDroppedCallError

SECONDS = 60.0  # a safety net


def here() -> str:
    return threading.current_thread().name


there = sync_to_async(here)


@pytest.fixture
def built(default: Bridge) -> Iterator[Bridge]:
    """Be the default bridge that compat builds by itself."""
    configure()
    yield default_bridge()
    configure(default)


@pytest.fixture
def theirs(
    built: Bridge, monkeypatch: pytest.MonkeyPatch
) -> Iterator[ThreadPoolExecutor]:
    """Put two threads in the place of the one, as projects do."""
    with (
        ThreadPoolExecutor(2, thread_name_prefix="theirs") as executor,
        monkeypatch.context() as patch,
    ):
        patch.setattr(SyncToAsync, "single_thread_executor", executor)
        yield executor


def test_calls_go_to_the_executor(theirs: ThreadPoolExecutor) -> None:
    barrier = threading.Barrier(2)

    def meet() -> str:
        barrier.wait(SECONDS)  # nobody passes alone
        return here()

    async def main() -> tuple[str, str]:
        return await asyncio.gather(sync_to_async(meet)(), sync_to_async(meet)())

    assert sorted(asyncio.run(main())) == ["theirs_0", "theirs_1"]


def test_code_below_stays_on_its_thread(theirs: ThreadPoolExecutor) -> None:
    def outer() -> tuple[str, str, object]:
        async def inner() -> tuple[str, object]:
            return await there(), asyncio.current_task()

        return (here(), *async_to_sync(inner)())

    async def main() -> None:
        outside, inside, task = await sync_to_async(outer)()
        assert outside.startswith("theirs")
        assert inside == outside
        assert task is asyncio.current_task()

    asyncio.run(main())


def test_blocks_and_waiting_threads_go_first(theirs: ThreadPoolExecutor) -> None:
    async def main() -> str:
        async with ThreadSensitiveContext():
            return await there()

    assert asyncio.run(main()).startswith("asgibridge-sensitive")
    assert async_to_sync(main)() == here()


def test_wrappers_made_before_and_after(built: Bridge) -> None:
    async def main() -> None:
        own = await there()
        with (
            ThreadPoolExecutor(1, thread_name_prefix="theirs") as executor,
            pytest.MonkeyPatch.context() as patch,
        ):
            patch.setattr(SyncToAsync, "single_thread_executor", executor)
            assert (await there()).startswith("theirs")
        assert await there() == own
        assert own.startswith("asgibridge-sensitive")

    asyncio.run(main())


def test_an_executor_around_the_thread(
    built: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was there before is the thread, for whoever hands calls on to it."""
    own = SyncToAsync.single_thread_executor
    calls: list[object] = []

    class Counting(Executor):
        def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
            calls.append(fn)
            return own.submit(fn, *args, **kwargs)

    monkeypatch.setattr(SyncToAsync, "single_thread_executor", Counting())
    assert asyncio.run(there()).startswith("asgibridge-sensitive")
    assert len(calls) == 1


def test_an_executor_that_drops_a_call(theirs: ThreadPoolExecutor) -> None:
    started, release = threading.Event(), threading.Event()

    def block() -> None:
        started.set()
        release.wait(SECONDS)

    async def main() -> None:
        for _ in range(2):
            theirs.submit(block)
        task = asyncio.create_task(there())
        await asyncio.sleep(0)
        theirs.shutdown(wait=False, cancel_futures=True)
        with pytest.raises(ExecutorDroppedCallError, match="cancel_futures"):
            await task
        release.set()

    asyncio.run(main())


def test_what_is_known_of_the_thread() -> None:
    """Nothing, while calls go elsewhere: they do not wait for it."""
    replacements: list[Executor] = []
    shared = SharedThread(lambda: replacements[0] if replacements else None)
    started, release = threading.Event(), threading.Event()

    def block() -> int:
        started.set()
        release.wait(SECONDS)
        return threading.get_ident()

    first = shared.submit(block)
    second = shared.submit(block)
    assert started.wait(SECONDS)
    thread = shared.thread
    assert shared.current is not None
    assert shared.has_more
    with ThreadPoolExecutor(1) as executor:
        replacements.append(executor)
        known: list[object] = [shared.thread, shared.current, shared.has_more]
        assert known == [None, None, False]
    release.set()
    assert first.result(SECONDS) == second.result(SECONDS) == thread
    shared.close()
    replacements.clear()
    assert not shared.has_more


def test_a_bridge_that_was_given_decides(
    default: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ThreadPoolExecutor(1, thread_name_prefix="theirs") as executor:
        monkeypatch.setattr(SyncToAsync, "single_thread_executor", executor)
        assert asyncio.run(there()).startswith("compat-")
