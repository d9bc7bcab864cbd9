"""When no thread can be started any more, as at the end of the interpreter."""

import asyncio
import threading
from collections.abc import Iterator
from threading import get_ident

import pytest

from asgibridge import Bridge
from asgibridge.errors import NoThreadError
from asgibridge.executors import InThreadLoopRunner, ThreadSensitivePool
from tests.staging import PATIENCE, Gate


def refuse(_: threading.Thread) -> None:
    """Start no thread."""
    msg = "can't create new thread at interpreter shutdown"
    raise RuntimeError(msg)


@pytest.fixture
def bridge(monkeypatch: pytest.MonkeyPatch) -> Iterator[Bridge]:
    """A bridge that has no threads yet, and gets none."""
    with Bridge() as bridge:
        monkeypatch.setattr(threading.Thread, "start", refuse)
        yield bridge
        monkeypatch.undo()


@pytest.mark.parametrize("thread_sensitive", [True, False])
def test_blocking_code_runs_on_the_loops_thread(
    bridge: Bridge, *, thread_sensitive: bool
) -> None:
    """The loop stands still meanwhile, which is better than not at all."""
    call = bridge.sync_to_async(get_ident, thread_sensitive=thread_sensitive)
    assert asyncio.run(call()) == get_ident()


def test_async_code_runs_on_the_callers_thread(bridge: Bridge) -> None:
    """And so do the calls below it."""

    async def main() -> tuple[asyncio.AbstractEventLoop, set[int]]:
        await asyncio.sleep(0)
        threads = {get_ident(), await bridge.sync_to_async(get_ident)()}
        return asyncio.get_running_loop(), threads

    loop, threads = bridge.async_to_sync(main)()
    assert threads == {get_ident()}
    assert loop.is_closed()


def test_what_a_call_leaves_behind_is_ended_on_the_callers_thread(
    bridge: Bridge,
) -> None:
    """The loop is retired there, with its tasks."""
    tasks: list[asyncio.Task[None]] = []

    async def main() -> None:
        tasks.append(asyncio.create_task(asyncio.sleep(60)))
        await asyncio.sleep(0)

    bridge.async_to_sync(main)()
    assert tasks[0].cancelled()


def test_what_is_ended_on_the_callers_thread_may_call_back(bridge: Bridge) -> None:
    """A task that is cancelled there still makes its last calls, on that thread."""
    last: list[int] = []

    async def other() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            last.append(await bridge.sync_to_async(get_ident)())

    async def main() -> asyncio.Task[None]:
        task = asyncio.create_task(other())
        await asyncio.sleep(0)
        return task

    assert bridge.async_to_sync(main)().cancelled()
    assert last == [get_ident()]


def test_a_loop_with_more_to_do_stands_still_for_a_call(bridge: Bridge) -> None:
    """It cannot move to a thread; what waits on it goes on after the call."""
    order: list[str] = []

    async def other() -> None:
        await asyncio.sleep(0)
        order.append("task")

    async def main() -> None:
        task = asyncio.create_task(other())
        await bridge.sync_to_async(order.append)("call")
        await task

    bridge.async_to_sync(main)()
    assert sorted(order) == ["call", "task"]


def test_a_loop_that_is_called_goes_on_after_the_call(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Another thread's call cannot move it either, and does not fail for that."""
    order: list[str] = []
    gate = Gate()
    loops: list[asyncio.AbstractEventLoop] = []

    def call_loop() -> None:
        gate.wait_entered()
        loops[0].call_soon_threadsafe(order.append, "called")
        gate.open()

    def call() -> None:
        gate()
        order.append("call")

    other = threading.Thread(target=call_loop)
    other.start()
    with InThreadLoopRunner() as runner, Bridge(runner=runner) as bridge:

        async def main() -> None:
            loops.append(asyncio.get_running_loop())
            await bridge.sync_to_async(call)()

        monkeypatch.setattr(threading.Thread, "start", refuse)
        bridge.async_to_sync(main)()
        monkeypatch.undo()
    other.join(PATIENCE)
    assert not other.is_alive()
    assert order == ["call", "called"]


@pytest.mark.usefixtures("bridge")
def test_an_executor_says_so() -> None:
    """Where a thread is asked for directly it is an error of its own."""
    pool = ThreadSensitivePool()
    with pytest.raises(NoThreadError, match=r"asgibridge-sensitive.*shutdown"):
        pool.submit(int)
    pool.close()
