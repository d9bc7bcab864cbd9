"""`Bridge.portal`: one loop for blocking code."""

import asyncio
import contextvars
import threading
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager

import pytest
import uvloop

from asgibridge.bridge import Bridge
from asgibridge.bridge._loop_leases import _end_tasks
from asgibridge.errors import (
    BridgeClosedError,
    DeadlockError,
    NotAsyncError,
    NotEnteredError,
    OptionError,
    RunningLoopError,
)
from asgibridge.executors import PerCallLoopRunner

variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable")


@pytest.fixture
def bridge() -> Iterator[Bridge]:
    """Return a bridge that is closed in the end."""
    with Bridge(name="test") as bridge:
        yield bridge


async def get_loop() -> asyncio.AbstractEventLoop:
    """Return the loop."""
    return asyncio.get_running_loop()


async def add(first: int, *, second: int) -> int:
    """Add, with a suspension."""
    await asyncio.sleep(0)
    return first + second


# --- call -------------------------------------------------------------------


def test_call_returns_what_the_coroutine_does(bridge: Bridge) -> None:
    """Arguments go there, results and exceptions come back."""

    async def fail() -> None:
        msg = "failed"
        raise OSError(msg)

    with bridge.portal() as portal:
        assert portal.call(add, 1, second=2) == 3
        with pytest.raises(OSError, match="failed") as caught:
            portal.call(fail)
        assert caught.traceback[-1].name == "fail"


def test_one_loop_for_all_threads_until_the_last_leaves(bridge: Bridge) -> None:
    """It starts with the first call and is closed after the last one has left."""
    portal = bridge.portal()
    barrier = threading.Barrier(3)

    def use() -> asyncio.AbstractEventLoop:
        with portal:
            barrier.wait(timeout=60)
            return portal.call(get_loop)

    with ThreadPoolExecutor(3) as pool, portal:
        futures = [pool.submit(use) for _ in range(3)]
        loops = {future.result(timeout=60) for future in futures}
        assert loops == {portal.call(get_loop)}
        assert not next(iter(loops)).is_closed()
    assert next(iter(loops)).is_closed()
    with portal:
        assert portal.call(get_loop) not in loops


def test_nothing_is_started_before_it_is_needed(bridge: Bridge) -> None:
    """Entering and leaving alone starts no thread."""
    before = threading.enumerate()
    with bridge.portal():
        assert threading.enumerate() == before


def test_loop_is_made_as_the_bridges_runner_makes_them() -> None:
    """A loop factory that was given to the runner makes the portal's loop."""
    made: list[asyncio.AbstractEventLoop] = []

    def factory() -> asyncio.AbstractEventLoop:
        loop = asyncio.new_event_loop()
        made.append(loop)
        return loop

    with (
        PerCallLoopRunner(loop_factory=factory) as runner,
        Bridge(runner=runner) as bridge,
        bridge.portal() as portal,
    ):
        assert [portal.call(get_loop)] == made


def test_sensitive_calls_run_on_the_waiting_thread(bridge: Bridge) -> None:
    """The thread that waits in call() runs them."""

    async def main() -> int:
        return await bridge.sync_to_async(threading.get_ident)()

    with bridge.portal() as portal:
        assert portal.call(main) == threading.get_ident()


def test_context_is_carried_both_ways(bridge: Bridge) -> None:
    """The coroutine sees the caller's variables, and the caller its changes."""

    async def change() -> str:
        before = variable.get()
        variable.set("inside")
        return before

    def use() -> tuple[str, str]:
        variable.set("outside")
        with bridge.portal() as portal:
            return portal.call(change), variable.get()

    assert contextvars.copy_context().run(use) == ("outside", "inside")


def test_works_below_async_code_on_its_own_loop(bridge: Bridge) -> None:
    """In a blocking call of async code the portal's loop is still its own."""

    def use() -> asyncio.AbstractEventLoop:
        with bridge.portal() as portal:
            return portal.call(get_loop)

    async def main() -> bool:
        return await bridge.sync_to_async(use)() is not asyncio.get_running_loop()

    assert asyncio.run(main())


def test_cancelling_the_call_above_cancels_the_coroutine(bridge: Bridge) -> None:
    """The task that waits for the blocking code is cancelled: so is the call."""
    begun = threading.Event()
    ended: list[str] = []

    async def wait() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("ended")

    def use() -> None:
        with bridge.portal() as portal:
            portal.call(wait)

    async def main() -> None:
        task = asyncio.create_task(bridge.sync_to_async(use)())
        assert await asyncio.to_thread(begun.wait, 5)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert ended == ["ended"]


def test_coroutine_that_is_cancelled_raises_in_the_caller(bridge: Bridge) -> None:
    """Cancelled from within, it ends the wait with CancelledError."""

    async def cancel_itself() -> None:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        await asyncio.sleep(0)

    with bridge.portal() as portal, pytest.raises(asyncio.CancelledError):
        portal.call(cancel_itself)


# --- tasks ------------------------------------------------------------------


def test_task_runs_beside(bridge: Bridge) -> None:
    """start_task() does not wait; result() does."""
    release = threading.Event()

    async def wait() -> str:
        assert await asyncio.to_thread(release.wait, 5)
        return variable.get()

    def use() -> str:
        variable.set("outside")
        with bridge.portal() as portal:
            task = portal.start_task(wait)
            assert not task.done()
            with pytest.raises(TimeoutError):
                task.result(timeout=0)
            release.set()
            found = task.result()
            assert task.done()
            assert task.result(timeout=60) == found
            assert not task.cancel()
            return found

    assert contextvars.copy_context().run(use) == "outside"


def test_task_raises_in_result(bridge: Bridge) -> None:
    """Its exception arrives where it is asked for."""

    async def fail() -> None:
        msg = "failed"
        raise OSError(msg)

    with bridge.portal() as portal:
        task = portal.start_task(fail)
        with pytest.raises(OSError, match="failed"):
            task.result()
        assert isinstance(task.future.exception(timeout=60), OSError)


def test_cancelled_task(bridge: Bridge) -> None:
    """Cancelled from the thread, the coroutine ends before the portal does."""
    begun = threading.Event()
    ended: list[str] = []

    async def wait() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            ended.append("ended")

    with bridge.portal() as portal:
        task = portal.start_task(wait)
        assert begun.wait(timeout=60)
        assert task.cancel()
        for timeout in (None, 5):
            with pytest.raises(asyncio.CancelledError):
                task.result(timeout)
    assert ended == ["ended"]


def test_task_cancelled_while_it_is_waited_for(bridge: Bridge) -> None:
    """A wait with a timeout raises the same CancelledError as one without."""

    async def main() -> None:
        task = asyncio.current_task()
        assert task is not None
        await asyncio.to_thread(waiting.wait, 5)
        task.cancel()
        await asyncio.sleep(0)

    waiting = threading.Event()
    with bridge.portal() as portal:
        task = portal.start_task(main)
        waiting.set()
        with pytest.raises(asyncio.CancelledError):
            task.result(timeout=60)


def test_task_that_is_cleaning_up_is_not_cancelled_again() -> None:
    """The end of a portal waits for it, as for those that it cancels."""
    ended: list[str] = []

    async def main() -> None:
        release = asyncio.Event()

        async def wait() -> None:
            try:
                await asyncio.Event().wait()
            finally:
                await release.wait()
                ended.append("ended")

        tasks = {asyncio.create_task(wait())}
        (task,) = tasks
        task.add_done_callback(tasks.discard)
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.sleep(0)
        end = asyncio.create_task(_end_tasks(tasks))
        await asyncio.sleep(0)
        release.set()
        await end
        assert task.cancelled()

    asyncio.run(main())
    assert ended == ["ended"]


def test_tasks_that_still_run_are_cancelled_in_the_end(bridge: Bridge) -> None:
    """As with asyncio.run: cancelled, and waited for."""
    ended: list[str] = []
    begun = threading.Event()

    async def wait() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            ended.append("ended")

    with bridge.portal() as portal:
        portal.start_task(wait)
        assert begun.wait(timeout=60)
    assert ended == ["ended"]


def test_waiting_for_a_task_serves_the_thread(bridge: Bridge) -> None:
    """A task whose call has to run on the waiting thread does not hang it."""

    async def call_back() -> int:
        return await bridge.sync_to_async(threading.get_ident)()

    def block() -> bool:
        with bridge.portal() as portal:
            return portal.start_task(call_back).result() == threading.get_ident()

    async def main() -> bool:
        return await bridge.sync_to_async(block)()

    # The thread of the test waits for main(), and so is where block() runs and
    # where the calls of the task belong.
    assert bridge.async_to_sync(main)()


# --- managers and iterators -------------------------------------------------


def test_wrapped_manager_lives_on_the_portals_loop(bridge: Bridge) -> None:
    """It is entered, used and left on one loop, and outlives the portal's block."""
    loops: list[asyncio.AbstractEventLoop] = []

    @asynccontextmanager
    async def client() -> AsyncIterator[str]:
        loops.append(asyncio.get_running_loop())
        yield "client"
        loops.append(asyncio.get_running_loop())

    portal = bridge.portal()
    with portal:
        manager = portal.wrap_async_context_manager(client())
        assert manager.__enter__() == "client"
        loops.append(portal.call(get_loop))
    # Whoever is inside keeps the loop.
    manager.__exit__(None, None, None)
    assert len(loops) == 3
    assert len(set(loops)) == 1
    assert loops[0].is_closed()


def test_iterates_on_the_portals_loop(bridge: Bridge) -> None:
    """Several iterations share it."""

    async def source() -> AsyncIterator[asyncio.AbstractEventLoop]:
        yield asyncio.get_running_loop()

    with bridge.portal() as portal:
        loops = [*portal.iterate_sync(source()), *portal.iterate_sync(source())]
        assert set(loops) == {portal.call(get_loop)}
        with pytest.raises(OptionError, match="look_ahead"):
            portal.iterate_sync(source(), look_ahead=0)


def test_task_on_a_loop_that_has_ended(bridge: Bridge) -> None:
    """Where the loop is gone unnoticed, starting is an error, not a wait."""
    with bridge.portal() as portal:
        portal.call(get_loop)
        shared = portal._shared
        loop, shared._loop = shared._loop, asyncio.new_event_loop()
        assert shared._loop is not None
        shared._loop.close()
        with pytest.raises(RuntimeError, match="closed"):
            portal.start_task(get_loop)
        shared._loop = loop


# --- mistakes ---------------------------------------------------------------


def test_used_outside(bridge: Bridge) -> None:
    """A portal that nobody is inside of has no loop."""
    portal = bridge.portal()

    async def source() -> AsyncIterator[int]:
        yield 1

    for use in (
        lambda: portal.call(get_loop),
        lambda: portal.start_task(get_loop),
        lambda: next(portal.iterate_sync(source())),
    ):
        with pytest.raises(
            NotEnteredError, match=r"use it inside `with bridge\.portal"
        ):
            use()
    with pytest.raises(NotEnteredError, match="left more often than"):
        portal.__exit__(None, None, None)


def test_refused_where_a_loop_runs(bridge: Bridge) -> None:
    """It would block the loop, unless that is wanted, as in a notebook."""

    async def main() -> int:
        with pytest.raises(RunningLoopError, match="helper_loop=True"):
            bridge.portal().__enter__()
        with bridge.portal(helper_loop=True) as portal:
            return portal.call(add, 1, second=2)

    assert asyncio.run(main()) == 3


def test_left_on_its_own_loop(bridge: Bridge) -> None:
    """The last one out would wait for itself."""
    portal = bridge.portal()

    async def leave() -> None:
        with pytest.raises(DeadlockError, match="leave it on another thread"):
            portal.__exit__(None, None, None)

    with portal:
        portal.start_task(get_loop).result()
        portal.call(leave)


def test_what_cannot_be_called(bridge: Bridge) -> None:
    """Blocking functions are refused when they are called, or before."""
    with bridge.portal() as portal:
        for use in (portal.call, portal.start_task):
            with pytest.raises(NotAsyncError, match="needs an async function, got 5"):
                use(5)  # type: ignore[arg-type]  # the mistake
        with pytest.raises(NotAsyncError, match="int returned 0"):
            portal.call(int)  # type: ignore[arg-type]


def test_closed_bridge(bridge: Bridge) -> None:
    """A closed bridge opens no portal."""
    bridge.close()
    with pytest.raises(BridgeClosedError, match="'test' is closed"):
        bridge.portal().__enter__()


def test_loop_that_cannot_be_made() -> None:
    """The error of the factory arrives, and the portal can be left."""

    def factory() -> asyncio.AbstractEventLoop:
        msg = "no loop"
        raise OSError(msg)

    async def source() -> AsyncIterator[int]:
        yield 1

    with (
        PerCallLoopRunner(loop_factory=factory) as runner,
        Bridge(runner=runner) as bridge,
        bridge.portal() as portal,
        pytest.raises(OSError, match="no loop"),
    ):
        next(portal.iterate_sync(source()))


def test_other_loops() -> None:
    """Everything works on uvloop, on both sides."""

    @asynccontextmanager
    async def client() -> AsyncIterator[str]:
        await asyncio.sleep(0)
        yield type(asyncio.get_running_loop()).__module__
        await asyncio.sleep(0)

    async def source() -> AsyncIterator[int]:
        for number in range(3):
            await asyncio.sleep(0)
            yield number

    def block() -> list[object]:
        with ours.enter_sync(client()) as kind:
            return [kind, *ours.iterate_sync(source())]

    async def main() -> list[object]:
        items = [item async for item in ours.iterate_in_thread(range(100))]
        assert items == list(range(100))
        return await ours.sync_to_async(block)()

    with (
        PerCallLoopRunner(loop_factory=uvloop.new_event_loop) as runner,
        Bridge(runner=runner) as ours,
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as host,
    ):
        assert block() == ["uvloop", 0, 1, 2]
        assert host.run(main()) == ["uvloop", 0, 1, 2]
