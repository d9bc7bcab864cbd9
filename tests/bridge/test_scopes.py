"""Blocks of code with a thread of their own."""

import asyncio
import threading
from threading import get_ident

import pytest

from asgibridge import Bridge
from asgibridge.bridge import ThreadSensitiveContext, _scopes
from asgibridge.errors import ExecutorClosedError, NotEnteredError
from asgibridge.executors import CurrentThreadExecutor, PersistentLoopRunner
from tests.staging import BareExecutor, Gate, run, settled


def is_open(scope: ThreadSensitiveContext) -> bool:
    """Ask anew: type checkers think that the answer stays."""
    return scope.is_open


def test_a_scope_has_one_thread_of_its_own(bridge: Bridge) -> None:
    """For all of the block, its tasks included; other code is elsewhere."""
    thread = bridge.sync_to_async(get_ident)

    async def main() -> None:
        shared = await thread()
        async with bridge.thread_sensitive_context() as scope:
            assert is_open(scope)
            assert scope._lease is None, "no thread before the first call"
            own = await thread()
            task = asyncio.create_task(thread())
            assert {await task, *await asyncio.gather(thread(), thread())} == {own}
        assert own != shared
        assert not is_open(scope)
        assert await thread() == shared

    run(main)


def test_scopes_side_by_side(bridge: Bridge) -> None:
    """Each has another thread; one after the other uses the warm one."""
    thread = bridge.sync_to_async(get_ident)
    inside = asyncio.Barrier(3)

    async def request() -> int:
        async with bridge.thread_sensitive_context():
            first = await thread()
            await inside.wait()
            assert await thread() == first
            return first

    async def main() -> None:
        threads = await asyncio.gather(request(), request(), request())
        assert len(set(threads)) == 3

    async def alone() -> int:
        async with bridge.thread_sensitive_context():
            return await thread()

    async def one_by_one() -> None:
        before = threading.active_count()
        for _ in range(5):
            await alone()
        assert threading.active_count() == before

    run(main)
    run(one_by_one)


def test_a_scope_inside_another_changes_nothing(bridge: Bridge) -> None:
    """Nor one that is entered again, inside itself or afterwards."""
    thread = bridge.sync_to_async(get_ident)

    async def main() -> None:
        async with bridge.thread_sensitive_context() as scope:
            own = await thread()
            async with bridge.thread_sensitive_context():
                assert await thread() == own
            async with scope:
                assert await thread() == own
            assert is_open(scope)
            assert await thread() == own
        async with scope:
            assert isinstance(await thread(), int)

    run(main)


def test_a_scope_below_a_waiting_thread_changes_nothing(bridge: Bridge) -> None:
    """Code stays together with what is around it."""

    async def main() -> int:
        async with bridge.thread_sensitive_context():
            return await bridge.sync_to_async(get_ident)()

    assert bridge.async_to_sync(main)() == get_ident()


def test_a_scope_with_an_executor(bridge: Bridge) -> None:
    """It decides, in any case; its owner closes it."""
    bare = BareExecutor()

    async def main() -> None:
        call = bridge.sync_to_async(get_ident)
        async with bridge.thread_sensitive_context(executor=bare):
            task = asyncio.create_task(call())
            await settled()
            assert await asyncio.to_thread(_ident_while_running, bare) == await task

    bridge.async_to_sync(main)()
    run(main)


def _ident_while_running(bare: BareExecutor) -> int:
    bare.run_next()
    return get_ident()


def test_the_main_thread_pumped_by_its_user() -> None:
    """A scope's executor can be the thread that waits for all of it."""
    executor = CurrentThreadExecutor()
    with Bridge() as bridge:

        async def main() -> int:
            async with bridge.thread_sensitive_context(executor=executor):
                return await bridge.sync_to_async(get_ident)()

        from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415  # only here

        with ThreadPoolExecutor(1) as other:
            future = other.submit(run, main)
            executor.run_until_future(future)
            assert future.result() == get_ident()
    executor.close()


def test_a_users_own_single_thread_is_the_only_one() -> None:
    """An executor that lends no threads serves the scopes itself."""
    bare = BareExecutor()
    with Bridge(thread_sensitive=bare) as bridge:

        async def main() -> None:
            async with bridge.thread_sensitive_context() as scope:
                task = asyncio.create_task(bridge.sync_to_async(int)())
                await settled()
                assert scope.executor is bare
                await asyncio.to_thread(bare.run_next)
                assert await task == 0

        run(main)


def test_left_in_another_task(bridge: Bridge) -> None:
    """As frameworks with one task for each step do; the thread is given back."""
    scope = bridge.thread_sensitive_context()
    thread = bridge.sync_to_async(get_ident)

    async def main() -> None:
        shared = await thread()
        await asyncio.create_task(scope.__aenter__())
        assert is_open(scope)
        await asyncio.create_task(scope.__aexit__(None, None, None))
        assert not is_open(scope)
        assert await thread() == shared

    run(main)


def test_left_too_often(bridge: Bridge) -> None:
    """An error with the way out, for both kinds."""
    scope = bridge.thread_sensitive_context()

    async def main() -> None:
        async with scope:
            pass
        with pytest.raises(NotEnteredError, match="left more often than it was ent"):
            await scope.__aexit__(None, None, None)

    run(main)
    single = bridge.async_single_thread_context()
    with single:
        pass
    with pytest.raises(NotEnteredError, match="use it with `with`"):
        single.__exit__(None, None, None)


def test_tasks_that_outlive_a_scope(bridge: Bridge) -> None:
    """They go on on the shared thread."""
    thread = bridge.sync_to_async(get_ident)

    async def main() -> None:
        shared = await thread()
        release = asyncio.Event()

        async def late() -> int:
            await release.wait()
            return await thread()

        async with bridge.thread_sensitive_context():
            assert await thread() != shared
            task = asyncio.create_task(late())
        release.set()
        assert await task == shared

    run(main)


def test_a_scope_left_while_its_call_is_on_its_way(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A place that dies between look and post is passed over."""
    thread = bridge.sync_to_async(get_ident)

    async def main() -> None:
        shared = await thread()
        async with bridge.thread_sensitive_context() as scope:
            entry = bridge._engine.affinity.get()
            assert isinstance(entry, _scopes._ScopeEntry)
            answers = [True]

            def is_alive(_: object) -> bool:
                # Alive when looked at; another thread leaves it right then.
                return answers.pop(0) if answers else False

            monkeypatch.setattr(_scopes._ScopeEntry, "is_alive", property(is_alive))
            monkeypatch.setattr(type(scope), "is_open", property(lambda _: False))
            assert await thread() == shared
            monkeypatch.undo()

    run(main)


def test_a_thread_that_stops_waiting_while_a_call_is_on_its_way(
    bridge: Bridge,
) -> None:
    """The frame is closed between look and post: the next place takes the call."""

    async def main() -> tuple[int, int]:
        frame = bridge._engine.affinity.get()
        assert frame is not None
        executor = frame.executor
        assert isinstance(executor, CurrentThreadExecutor)
        executor.is_closed = True  # as close() begins
        try:
            post = executor.post

            def post_and_die(work: object) -> None:
                frame.is_alive = False  # type: ignore[misc]  # a Frame
                raise ExecutorClosedError

            frame.post = post_and_die  # type: ignore[misc]  # a Frame
            thread = await bridge.sync_to_async(get_ident)()
        finally:
            executor.is_closed = False
            frame.is_alive = True  # type: ignore[misc]  # a Frame
            frame.post = post  # type: ignore[misc]  # a Frame
        return thread, await bridge.sync_to_async(get_ident)()

    elsewhere, here = bridge.async_to_sync(main)()
    assert here == get_ident() != elsewhere


def test_single_thread_contexts_of_a_runner_without_threads() -> None:
    """A runner that has one loop for all has nothing to lend."""
    with PersistentLoopRunner() as runner, Bridge(runner=runner) as bridge:

        async def thread() -> int:
            return get_ident()

        with bridge.async_single_thread_context():
            first = bridge.async_to_sync(thread)()
        assert bridge.async_to_sync(thread)() == first


def test_single_thread_context_left_elsewhere(bridge: Bridge) -> None:
    """Left in another context than it was entered in: nothing is disturbed."""
    import contextvars  # noqa: PLC0415  # only here

    single = bridge.async_single_thread_context()
    contextvars.Context().run(single.__enter__)
    single.__exit__(None, None, None)
    assert single._runners == []


def test_names_in_a_scope(bridge: Bridge) -> None:
    """What runs on a leased thread can be told: who waits, behind what."""
    gate = Gate()

    async def main() -> None:
        async with bridge.thread_sensitive_context():
            place = bridge._engine.affinity.get()
            assert place is not None
            before = place.thread, place.current
            assert before == (None, None)
            task = asyncio.create_task(bridge.sync_to_async(gate)())
            await gate.entered_async()
            assert place.thread == gate.thread
            assert place.current is not None
            gate.open()
            assert await task == "out"

    run(main)
