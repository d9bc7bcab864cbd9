"""InThreadLoopRunner: the caller's thread, unless the loop has to move."""

import asyncio
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextvars import copy_context
from threading import get_ident
from typing import Any

import pytest

from asgibridge import Bridge
from asgibridge.errors import ExecutorClosedError, OptionError
from asgibridge.executors import CurrentThreadExecutor, InThreadLoopRunner
from asgibridge.loops import signals_of
from tests.staging import PATIENCE, Gate, in_thread, is_closed

Factory = Callable[[], asyncio.AbstractEventLoop] | None


@pytest.fixture(params=[None, asyncio.SelectorEventLoop])
def factory(request: pytest.FixtureRequest) -> Factory:
    """Where the runner's loops are from: recycled ones, and a user's own."""
    made: Factory = request.param
    return made


@pytest.fixture
def bridge(factory: Factory) -> Iterator[Bridge]:
    """A bridge with such a runner."""
    with (
        InThreadLoopRunner(loop_factory=factory) as runner,
        Bridge(runner=runner) as bridge,
    ):
        yield bridge


def test_everything_is_on_the_callers_thread(bridge: Bridge) -> None:
    """The coroutine and the thread-sensitive calls below it."""

    async def main() -> set[int]:
        before = get_ident()
        await asyncio.sleep(0)
        return {before, await bridge.sync_to_async(get_ident)()}

    assert bridge.async_to_sync(main)() == {get_ident()}


def test_a_loop_that_has_something_to_do_goes_on(bridge: Bridge) -> None:
    """While a call runs a task of the loop runs too: the loop has moved."""
    gate = Gate()

    async def release() -> None:
        await asyncio.sleep(0)
        gate.open()

    async def main() -> str:
        task = asyncio.create_task(release())
        result = await bridge.sync_to_async(gate)()
        await task
        return result

    assert bridge.async_to_sync(main)() == "out"
    assert gate.thread == get_ident()


def test_a_loop_that_is_called_goes_on(bridge: Bridge) -> None:
    """Another thread's call wakes a loop that stands still."""
    gate, called = Gate(), threading.Event()

    def open_gate() -> None:
        called.set()
        gate.open()

    async def main() -> str:
        loop = asyncio.get_running_loop()

        def other() -> None:
            gate.wait_entered()
            loop.call_soon_threadsafe(open_gate)

        thread = threading.Thread(target=other)
        thread.start()
        result = await bridge.sync_to_async(gate)()
        thread.join()
        return result

    assert bridge.async_to_sync(main)() == "out"
    assert called.is_set()


def test_nesting(bridge: Bridge) -> None:
    """Coroutines below calls run on the same loop, parked or moved."""

    async def down(depth: int) -> list[int]:
        if not depth:
            return [await bridge.sync_to_async(get_ident)()]
        back = bridge.async_to_sync(down)
        return await bridge.sync_to_async(lambda: [get_ident(), *back(depth - 1)])()

    assert bridge.async_to_sync(down)(3) == [get_ident()] * 4


@pytest.mark.skipif(sys.platform == "win32", reason="no handlers on that loop")
def test_signal_handlers(bridge: Bridge) -> None:
    """They can be used, since the loop runs on the main thread."""

    async def main() -> list[int]:
        loop = asyncio.get_running_loop()
        received = asyncio.Event()
        loop.add_signal_handler(signal.SIGUSR1, received.set)
        signal.raise_signal(signal.SIGUSR1)
        async with asyncio.timeout(PATIENCE):
            await received.wait()
        handled = signals_of(loop)
        loop.remove_signal_handler(signal.SIGUSR1)
        return handled

    assert bridge.async_to_sync(main)() == [signal.SIGUSR1]


def test_workers_are_waited_for(bridge: Bridge) -> None:
    """Calls on other threads end on this loop as on any other."""
    gate = Gate()
    gate.open()

    async def main() -> list[str]:
        anywhere = bridge.sync_to_async(gate, thread_sensitive=False)
        return [await anywhere(), *await asyncio.gather(anywhere(), anywhere())]

    assert bridge.async_to_sync(main)() == ["out"] * 3
    assert gate.thread != get_ident()


def test_a_closed_runner_refuses() -> None:
    """As the other runners do; the coroutine is closed."""
    runner = InThreadLoopRunner()
    runner.close()
    coro = asyncio.sleep(0)
    with CurrentThreadExecutor() as caller, pytest.raises(ExecutorClosedError):
        runner.run(coro, context=copy_context(), caller=caller)
    assert is_closed(coro)


@pytest.mark.parametrize("leaves_a_task", [False, True])
def test_a_call_that_runs_outlives_the_close(
    *, leaves_a_task: bool, factory: Factory
) -> None:
    """Its loop still moves where it has to, and is retired or closed as usual."""
    runner = InThreadLoopRunner(loop_factory=factory)
    tasks: list[asyncio.Task[None]] = []
    with Bridge(runner=runner) as bridge:

        async def main() -> tuple[asyncio.AbstractEventLoop, int]:
            if leaves_a_task:
                tasks.append(asyncio.create_task(asyncio.sleep(60)))
            in_thread(runner.close)
            thread = await bridge.sync_to_async(get_ident)()
            return asyncio.get_running_loop(), thread

        loop, thread = bridge.async_to_sync(main)()
    assert thread == get_ident()
    assert loop.is_closed()
    assert all(task.cancelled() for task in tasks)


def test_only_known_callers_can_be_driven() -> None:
    """A caller that is not ours has no inbox that a loop could be run beside."""
    coro = asyncio.sleep(0)
    caller: Any = "a caller"
    with (
        InThreadLoopRunner() as runner,
        pytest.raises(OptionError, match="CurrentThreadExecutor can be driven, got 'a"),
    ):
        runner.run(coro, context=copy_context(), caller=caller)
    assert is_closed(coro)


def test_exceptions_and_leftovers(bridge: Bridge) -> None:
    """What it raised arrives; tasks that are left are cancelled."""
    tasks: list[asyncio.Task[None]] = []

    async def fail() -> None:
        tasks.append(asyncio.create_task(asyncio.sleep(60)))
        await asyncio.sleep(0)
        raise LookupError

    with pytest.raises(LookupError):
        bridge.async_to_sync(fail)()
    assert tasks[0].cancelled()


def test_a_signal_handler_that_is_left_behind(bridge: Bridge) -> None:
    """Only the main thread can take it away, so the loop ends without it."""

    async def main() -> None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGUSR2, int)

    bridge.async_to_sync(main)()
    assert signal.getsignal(signal.SIGUSR2) is signal.SIG_DFL


def test_loops_whose_stop_is_a_callback() -> None:
    """What is left of a stop of one run does not end the next."""
    uvloop = pytest.importorskip("uvloop")
    with InThreadLoopRunner(loop_factory=uvloop.new_event_loop) as runner:

        async def call_back(caller: CurrentThreadExecutor) -> list[int]:
            found = [caller.submit(int, number) for number in range(3)]
            return [await asyncio.wrap_future(future) for future in found]

        for _ in range(100):
            with CurrentThreadExecutor() as caller:
                coro = call_back(caller)
                context = copy_context()
                assert runner.run(coro, context=context, caller=caller) == [0, 1, 2]


def test_forgetting_makes_it_new() -> None:
    """As in a forked child, which may come while another thread moves a loop."""
    with InThreadLoopRunner() as runner, Bridge(runner=runner) as bridge:
        runner._moving.acquire()
        runner.forget()
        assert not runner._moving.locked()
        assert bridge.async_to_sync(returns_its_thread)() == get_ident()


async def returns_its_thread() -> int:
    return get_ident()
