"""Async code for blocking callers: loops, threads, results, exceptions."""

import asyncio
import gc
import sys
import threading
import traceback
import weakref
from collections.abc import Generator
from contextvars import ContextVar
from threading import get_ident
from typing import Any

import pytest

from asgibridge import Bridge
from asgibridge.errors import DeadlockError, RunningLoopError
from asgibridge.executors import PersistentLoopRunner
from tests.staging import run


async def add(one: int, *, other: int) -> int:
    """Add, in time."""
    await asyncio.sleep(0)
    return one + other


async def fail() -> None:
    """Fail, in time."""
    await asyncio.sleep(0)
    raise LookupError


async def task_name() -> str:
    """Tell the name of the current task."""
    task = asyncio.current_task()
    assert task is not None
    return task.get_name()


def test_arguments_and_results(bridge: Bridge) -> None:
    """The function gets its arguments, the caller its result."""
    assert bridge.async_to_sync(add)(1, other=2) == 3


def test_below_a_call_it_runs_in_the_waiting_task(bridge: Bridge) -> None:
    """The same loop and the same task; a name of its own only outside."""
    back = bridge.async_to_sync(asyncio.sleep)
    current: list[object] = []

    async def look() -> None:
        current.append((asyncio.get_running_loop(), asyncio.current_task()))

    def both() -> None:
        back(0)
        bridge.async_to_sync(look)()

    async def main() -> None:
        await bridge.sync_to_async(both)()
        assert current == [(asyncio.get_running_loop(), asyncio.current_task())]

    run(main)
    assert bridge.async_to_sync(task_name)() == "task_name"


def test_a_new_loop_if_so_wished(bridge: Bridge) -> None:
    """force_new_loop goes to the runner, below a call as well."""

    async def loop() -> int:
        return id(asyncio.get_running_loop())

    async def main() -> None:
        same = bridge.sync_to_async(bridge.async_to_sync(loop))
        other = bridge.sync_to_async(bridge.async_to_sync(loop, force_new_loop=True))
        assert await same() == id(asyncio.get_running_loop())
        assert await other() != id(asyncio.get_running_loop())

    run(main)


def test_a_thread_that_runs_a_loop_is_not_blocked(bridge: Bridge) -> None:
    """Refused with the name and both ways out, unless it is wished."""

    async def main() -> None:
        with pytest.raises(
            RunningLoopError, match=r"async_to_sync\(add\) was called.*await add there"
        ) as caught:
            bridge.async_to_sync(add)(1, other=2)
        assert "helper_loop=True" in str(caught.value)
        assert isinstance(caught.value, RuntimeError)
        assert bridge.async_to_sync(add, helper_loop=True)(1, other=2) == 3

    run(main)


def test_exceptions_and_tracebacks(bridge: Bridge) -> None:
    """As raised; the traceback shows the wrapper and the user's function."""
    with pytest.raises(LookupError) as caught:
        bridge.async_to_sync(fail)()
    names = [frame.name for frame in traceback.extract_tb(caught.value.__traceback__)]
    assert names == ["test_exceptions_and_tracebacks", "call", "fail"]

    async def main() -> list[str]:
        try:
            await bridge.sync_to_async(bridge.async_to_sync(fail))()
        except LookupError as exc:
            return [frame.name for frame in traceback.extract_tb(exc.__traceback__)]
        return []

    assert run(main) == ["main", "call", "call", "fail"]


def test_nothing_is_left_for_the_collector(bridge: Bridge) -> None:
    """After a failed call, outside and below a call."""

    class Thing:
        """Something to hold."""

    async def fail_with(_: Thing) -> None:
        raise LookupError

    failing = bridge.async_to_sync(fail_with)

    def outside() -> "weakref.ref[Thing]":
        thing = Thing()
        with pytest.raises(LookupError):
            failing(thing)
        return weakref.ref(thing)

    async def inside() -> None:
        thing = Thing()
        with pytest.raises(LookupError):
            await bridge.sync_to_async(failing)(thing)
        reference = weakref.ref(thing)
        del thing
        await bridge.sync_to_async(int)()
        assert reference() is None

    gc.collect()
    gc.disable()
    try:
        assert outside()() is None
        run(inside)
    finally:
        gc.enable()


@pytest.mark.parametrize("inside", [True, False])
def test_the_coroutine_sees_what_its_caller_handles(
    bridge: Bridge,
    inside: bool,  # noqa: FBT001  # a parameter of the test
) -> None:
    """`sys.exception` is the caller's, as if it had awaited, unharmed."""

    async def look() -> BaseException | None:
        await asyncio.sleep(0)
        return sys.exception()

    def handle() -> None:
        try:
            raise LookupError
        except LookupError as exc:
            before = exc.__traceback__
            seen = bridge.async_to_sync(look)()
            outcome = seen is exc, exc.__traceback__ is before
        assert outcome == (True, True)
        assert bridge.async_to_sync(look)() is None

    if inside:
        run(bridge.sync_to_async(handle))
    else:
        handle()


def test_what_is_awaited_need_not_be_a_coroutine(bridge: Bridge) -> None:
    """Futures are made with the loop running, and awaitables are awaited."""

    def future() -> asyncio.Future[str]:
        future = asyncio.get_running_loop().create_future()
        future.set_result("a future")
        return future

    class Awaitable:
        """Something of a user's own."""

        def __await__(self) -> Generator[Any, None, str]:
            yield from asyncio.sleep(0).__await__()
            return "an awaitable"

    assert bridge.async_to_sync(future)() == "a future"
    assert bridge.async_to_sync(Awaitable)() == "an awaitable"


# -- calls back --


def test_calls_back_run_on_the_calling_thread(bridge: Bridge) -> None:
    """Thread-sensitive code of the coroutine, its tasks and gathers."""
    sensitive = bridge.sync_to_async(get_ident)

    async def main() -> set[int]:
        task = asyncio.create_task(sensitive())
        return {await sensitive(), await task, *await asyncio.gather(sensitive())}

    assert bridge.async_to_sync(main)() == {get_ident()}


def test_tasks_made_in_an_empty_context(bridge: Bridge) -> None:
    """They cannot know their place, but their loop has a home."""
    import contextvars  # noqa: PLC0415  # only here

    sensitive = bridge.sync_to_async(get_ident)

    async def main() -> int:
        loop = asyncio.get_running_loop()
        return await loop.create_task(sensitive(), context=contextvars.Context())

    assert bridge.async_to_sync(main)() == get_ident()
    assert run(main) != get_ident(), "nobody waits for this one"


def test_nesting_ends_on_the_right_threads(bridge: Bridge) -> None:
    """Each sensitive call runs on the outermost thread that waits."""

    async def down(depth: int) -> list[int]:
        if not depth:
            return [await bridge.sync_to_async(get_ident)()]
        up = bridge.async_to_sync(down)
        return await bridge.sync_to_async(lambda: [get_ident(), *up(depth - 1)])()

    assert bridge.async_to_sync(down)(5) == [get_ident()] * 6


def test_a_task_that_outlives_the_call(bridge: Bridge) -> None:
    """It goes on to the next place that is alive: the shared thread."""
    tasks: list[asyncio.Task[int]] = []
    release: list[asyncio.Event] = []

    async def late() -> int:
        await release[0].wait()
        return await bridge.sync_to_async(get_ident)()

    async def begin() -> None:
        release.append(asyncio.Event())
        tasks.append(asyncio.create_task(late()))

    def middleware() -> int:
        bridge.async_to_sync(begin)()
        return get_ident()

    async def main() -> None:
        thread = await bridge.sync_to_async(middleware)()
        release[0].set()
        assert await tasks[0] == thread, "the shared thread, as before"

    run(main)

    with PersistentLoopRunner() as runner, Bridge(runner=runner) as other:

        async def late_call() -> int:
            await release[1].wait()
            nested = other.async_to_sync(asyncio.sleep)
            await other.sync_to_async(nested)(0)
            return await other.sync_to_async(get_ident)()

        async def begin_late() -> None:
            release.append(asyncio.Event())
            tasks.append(asyncio.create_task(late_call()))

        async def end() -> int:
            release[1].set()
            return await asyncio.wait_for(asyncio.shield(tasks[1]), 10)

        caller = get_ident()
        other.async_to_sync(begin_late)()
        assert other.async_to_sync(end)() != caller


# -- the context --


def test_changes_flow_back(bridge: Bridge) -> None:
    """What the coroutine sets is seen by its caller, and the other way round."""
    variable: ContextVar[str] = ContextVar("variable", default="nothing")

    async def change() -> str:
        seen = variable.get()
        variable.set("by the coroutine")
        return seen

    token = variable.set("by the caller")
    assert bridge.async_to_sync(change)() == "by the caller"
    assert variable.get() == "by the coroutine"
    variable.reset(token)


def test_changes_flow_back_when_it_fails(bridge: Bridge) -> None:
    """An exception does not lose them, outside and below a call."""
    variable: ContextVar[str] = ContextVar("variable", default="nothing")

    async def change() -> None:
        variable.set("set")
        raise LookupError

    def call() -> str:
        with pytest.raises(LookupError):
            bridge.async_to_sync(change)()
        return variable.get()

    assert call() == "set"

    async def main() -> None:
        assert await bridge.sync_to_async(call)() == "set"
        assert variable.get() == "set"

    import contextvars  # noqa: PLC0415  # only here

    contextvars.Context().run(run, main)


# -- one thread for async code --


def test_single_thread_context(bridge: Bridge) -> None:
    """All async code of the block runs on one thread; nothing else is changed."""

    async def thread() -> int:
        return get_ident()

    call = bridge.async_to_sync(thread)
    with bridge.async_single_thread_context() as context:
        first = call()
        other = threading.Thread(target=call)
        other.start()
        other.join()
        with context, bridge.async_single_thread_context():
            assert call() == first
        assert call() == first
    assert call() == first, "the warm thread, given back"
    assert get_ident() != first


def test_single_thread_context_below_a_coroutine(bridge: Bridge) -> None:
    """Entered further down: the loop above is not its business."""

    async def thread() -> int:
        return get_ident()

    call = bridge.async_to_sync(thread, force_new_loop=True)

    def work() -> list[int]:
        with bridge.async_single_thread_context():
            return [call(), call()]

    async def main() -> list[int]:
        return [get_ident(), *await bridge.sync_to_async(work)()]

    above, first, second = bridge.async_to_sync(main)()
    assert first == second != above


def test_callers_that_share_a_loop() -> None:
    """Each gets the calls of its own coroutine back, on its own thread."""
    with PersistentLoopRunner() as runner, Bridge(runner=runner) as bridge:
        inside = threading.Barrier(2)

        def look() -> int:
            return get_ident()

        async def main() -> int:
            await asyncio.to_thread(inside.wait, 10)
            return await bridge.sync_to_async(look)()

        results: list[bool] = []

        def call() -> None:
            results.append(bridge.async_to_sync(main)() == get_ident())

        other = threading.Thread(target=call)
        other.start()
        call()
        other.join()
        assert results == [True, True]
        assert bridge._engine.homes == {}


def test_its_one_thread_cannot_wait_for_itself(bridge: Bridge) -> None:
    """A call that needs the thread that waits for it is told so."""

    async def inner() -> None:
        """Never run."""

    async def outer() -> None:
        nested = bridge.async_to_sync(inner, force_new_loop=True)
        with pytest.raises(DeadlockError, match="inner needs the one thread of the"):
            await bridge.sync_to_async(nested)()

    with bridge.async_single_thread_context():
        bridge.async_to_sync(outer)()
