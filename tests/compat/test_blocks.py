"""The context managers, and what asgiref keeps in class attributes."""

import asyncio
import os
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest

from asgibridge.compat.current_thread_executor import CurrentThreadExecutor
from asgibridge.compat.sync import (
    AsyncSingleThreadContext,
    AsyncToSync,
    SyncToAsync,
    ThreadSensitiveContext,
    async_to_sync,
    sync_to_async,
)
from asgibridge.errors import ExecutorClosedError

ident = threading.get_ident
executors: Any = AsyncToSync.executors
context: Any = SyncToAsync.thread_sensitive_context


def test_a_block_has_a_thread_and_nested_ones_share_it() -> None:
    thread = sync_to_async(ident)

    async def main() -> None:
        outside = await thread()
        async with ThreadSensitiveContext() as outer:
            inside = await thread()
            assert context.get() is outer
            async with ThreadSensitiveContext():
                assert context.get() is outer
                assert await thread() == inside
            assert await thread() == inside
        assert context.get(None) is None
        assert await thread() == outside != inside

    asyncio.run(main())


def test_a_block_with_an_executor_is_entered_once() -> None:
    async def main(executor: ThreadPoolExecutor) -> None:
        block = ThreadSensitiveContext(executor=executor)
        async with block:
            assert SyncToAsync.context_to_thread_executor[block] is executor
            assert await sync_to_async(ident)() == executor.submit(ident).result()
            with pytest.raises(RuntimeError, match="already entered"):
                await block.__aenter__()
        assert block not in SyncToAsync.context_to_thread_executor
        with pytest.raises(RuntimeError, match="cannot be entered again"):
            await block.__aenter__()

    with ThreadPoolExecutor(1) as executor:
        asyncio.run(main(executor))


@pytest.mark.parametrize("has_executor", [True, False])
def test_a_task_that_outlives_its_block_goes_on_around_it(
    *, has_executor: bool
) -> None:
    thread = sync_to_async(ident)

    async def main(executor: ThreadPoolExecutor | None) -> None:
        left = asyncio.Event()

        async def late() -> int:
            await left.wait()
            return await thread()

        outside = await thread()
        async with ThreadSensitiveContext(executor=executor):
            assert await thread() != outside
            task = asyncio.create_task(late())
        left.set()
        assert await task == outside

    with ThreadPoolExecutor(1) as executor:
        asyncio.run(main(executor if has_executor else None))


def test_a_block_left_in_another_task() -> None:
    async def main() -> None:
        block = ThreadSensitiveContext()
        await asyncio.create_task(block.__aenter__())
        await block.__aexit__(None, None, None)
        await block.__aexit__(None, None, None)  # does nothing
        async with block:
            assert context.get() is block

    asyncio.run(main())


def test_async_code_of_a_block_has_one_thread() -> None:
    async def thread() -> int:
        return ident()

    blocking = async_to_sync(thread)
    single: Any = AsyncToSync.async_single_thread_context
    with AsyncSingleThreadContext() as outer:
        assert single.get() is outer
        first = blocking()
        with AsyncSingleThreadContext():
            assert blocking() == first
        assert blocking() == first != ident()
    assert single.get(None) is None


def test_executors_current_is_that_of_the_waiting_thread() -> None:
    async def inner() -> object:
        found = executors.current
        assert isinstance(found, CurrentThreadExecutor)
        assert executors.current is found
        future: Future[int] = found.submit(ident)
        return await asyncio.wrap_future(future)

    async def outer(executor: ThreadPoolExecutor) -> None:
        before = executors.current
        async with ThreadSensitiveContext():
            assert executors.current is before
            async with ThreadSensitiveContext(executor=executor):
                assert executors.current is None
        assert executors.current is before
        assert await sync_to_async(lambda: executors.current)() is before
        assert await sync_to_async(async_to_sync(inner))() == thread

    thread = ident()
    assert executors.current is None
    with ThreadPoolExecutor(1) as executor:
        async_to_sync(outer)(executor)
    assert executors.current is None


def test_executors_current_passes_over_what_has_ended() -> None:
    async def late(go: asyncio.Event) -> object:
        await go.wait()
        return executors.current

    async def start(go: asyncio.Event) -> "asyncio.Task[object]":
        return asyncio.create_task(late(go))

    async def main() -> object:
        go = asyncio.Event()
        task = await sync_to_async(async_to_sync(start))(go)
        go.set()
        return await task

    assert asyncio.run(main()) is None


def test_executors_current_can_be_set() -> None:
    thread = sync_to_async(ident)

    async def main(executor: ThreadPoolExecutor) -> None:
        here = await thread()
        executors.current = executor
        assert await thread() == executor.submit(ident).result() != here
        # The thread that waits for this loop, as with asgiref.
        executors.current = None
        assert await thread() == here

    async def again() -> None:
        executors.current = executor
        del executors.current
        assert executors.current is None

    with ThreadPoolExecutor(1) as executor:
        async_to_sync(main)(executor)
        async_to_sync(again)()


def test_what_the_thread_works_for() -> None:
    threadlocal: Any = SyncToAsync.threadlocal

    def look() -> tuple[object, int]:
        return threadlocal.main_event_loop, threadlocal.main_event_loop_pid

    async def main() -> None:
        found = await sync_to_async(look)()
        assert found == (asyncio.get_running_loop(), os.getpid())

    asyncio.run(main())
    assert getattr(threadlocal, "main_event_loop", None) is None
    assert getattr(threadlocal, "main_event_loop_pid", None) is None


def test_the_loop_of_a_thread_cannot_be_set() -> None:
    threadlocal: Any = SyncToAsync.threadlocal
    with pytest.raises(AttributeError):
        threadlocal.main_event_loop = None


def test_tables_that_only_asgiref_keeps_are_empty() -> None:
    def look() -> list[object]:
        return [
            *AsyncToSync.loop_thread_executors,
            *AsyncToSync.context_to_thread_executor,
            SyncToAsync.deadlock_context.get(None),
        ]

    async def main() -> list[object]:
        async with ThreadSensitiveContext():
            return await sync_to_async(look)()

    with AsyncSingleThreadContext():
        assert async_to_sync(main)() == [None]
    assert not list(SyncToAsync.context_to_thread_executor)


def test_the_single_thread_executor_is_the_shared_thread() -> None:
    executor = SyncToAsync.single_thread_executor

    async def main() -> int:
        return await sync_to_async(ident)()

    assert executor.submit(ident).result() == asyncio.run(main())
    executor.shutdown()
    assert executor.submit(ident).result() != ident()


def test_a_current_thread_executor_of_ones_own() -> None:
    outer = CurrentThreadExecutor(None)
    inner = CurrentThreadExecutor(outer)
    first: Future[Any] = inner.submit(ident)
    inner.run_until_future(first)
    assert first.result() == ident()
    # Its wait is over: the older one is next.
    second = inner.submit(ident)
    outer.run_until_future(second)
    assert second.result() == ident()
    with pytest.raises(ExecutorClosedError):
        inner.submit(ident)


def test_a_wait_that_is_interrupted_leaves_the_executor_open() -> None:
    executor = CurrentThreadExecutor(None)

    def interrupt() -> None:
        raise KeyboardInterrupt

    class Interrupting:
        def run(self) -> None:
            interrupt()

    pending: Future[None] = Future()
    own: Any = executor._executor
    own.post(Interrupting())
    with pytest.raises(KeyboardInterrupt):
        executor.run_until_future(pending)
    done = executor.submit(ident)
    executor.run_until_future(done)
    assert done.result() == ident()


def test_nobody_waits_on_somebody_elses_executor() -> None:
    async def main() -> None:
        found = executors.current
        with pytest.raises(RuntimeError, match="waits already"):
            found.run_until_future(Future())

    async_to_sync(main)()
