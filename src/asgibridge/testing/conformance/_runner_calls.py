"""What a runner promises about the calls it makes."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from contextvars import Context, ContextVar, copy_context
from typing import Final

import pytest

from ...executors import CurrentThreadExecutor
from ...types import CallerExecutor, LoopRunner
from ._runner_base import RunnerSuite, run, through
from ._tools import SAFETY_NET

__all__ = ("RunnerCalls",)

# Set by no test outside a context of its own.
_variable: Final[ContextVar[object]] = ContextVar("_variable")
_other: Final[ContextVar[object]] = ContextVar("_other")


class RunnerCalls(RunnerSuite):
    """The loop, the caller's thread, re-entrancy, context."""

    # Loop and task

    def test_runs_as_a_task(self, runner: LoopRunner) -> None:
        """The coroutine is a task of a running loop, and can use all of it."""

        async def use() -> list[int]:
            assert asyncio.current_task() is not None
            loop = asyncio.get_running_loop()
            ready = loop.create_future()
            loop.call_later(0, ready.set_result, 1)
            async with asyncio.TaskGroup() as group:
                other = group.create_task(asyncio.sleep(0, 2))
            in_thread = await asyncio.to_thread(lambda: 3)
            return [await ready, other.result(), in_thread]

        assert run(runner, use()) == [1, 2, 3]

    def test_caller_has_no_loop(self, runner: LoopRunner) -> None:
        """The calling thread has no running loop after the call."""
        run(runner, asyncio.sleep(0))
        with pytest.raises(RuntimeError, match="no running event loop"):
            asyncio.get_running_loop()

    def test_several_callers_at_once(self, runner: LoopRunner) -> None:
        """Threads may call at the same time, and wait for one another."""
        callers = 3
        barrier = threading.Barrier(callers)

        async def meet() -> bool:
            await asyncio.to_thread(barrier.wait, SAFETY_NET)
            return True

        def call() -> bool:
            return run(runner, meet())

        with ThreadPoolExecutor(callers) as pool:
            futures = [pool.submit(call) for _ in range(callers)]
            assert [future.result(SAFETY_NET) for future in futures] == [True] * 3

    # The caller's thread, and back again

    def test_caller_runs_calls_meanwhile(self, runner: LoopRunner) -> None:
        """Calls submitted to the caller run on the calling thread, in order."""
        caller = CurrentThreadExecutor()
        ran: list[int] = []

        async def call_back() -> list[int]:
            for number in range(3):
                await asyncio.wrap_future(caller.submit(ran.append, number))
            return [await through(caller, threading.get_ident) for _ in range(2)]

        threads = run(runner, call_back(), caller=caller)
        assert threads == [threading.get_ident()] * 2
        assert ran == [0, 1, 2]

    def test_caller_runs_calls_of_other_threads(self, runner: LoopRunner) -> None:
        """Whoever has the caller may submit, not only the coroutine."""
        caller = CurrentThreadExecutor()

        def from_elsewhere() -> int:
            return caller.submit(threading.get_ident).result(SAFETY_NET)

        async def wait_for_it() -> int:
            return await asyncio.to_thread(from_elsewhere)

        assert run(runner, wait_for_it(), caller=caller) == threading.get_ident()

    def test_reentry(self, runner: LoopRunner) -> None:
        """A call run for the caller may run a coroutine in turn, to any depth."""
        depth = 5
        seen: list[int] = []

        async def go_down(caller: CallerExecutor, level: int) -> int:
            if level == depth:
                return level
            return await through(caller, lambda: enter(level + 1))

        def enter(level: int) -> int:
            seen.append(threading.get_ident())
            caller = CurrentThreadExecutor()
            return run(runner, go_down(caller, level), caller=caller)

        assert enter(0) == depth
        assert seen == [threading.get_ident()] * (depth + 1)

    # Context

    def test_context_is_seen(self, runner: LoopRunner) -> None:
        """The coroutine runs in the context given, not in the caller's current."""
        context = Context()
        value = object()
        context.run(_variable.set, value)

        async def look() -> tuple[object, object]:
            await asyncio.sleep(0)
            return _variable.get(None), _other.get(None)

        def call() -> tuple[object, object]:
            _other.set("not to be seen")
            return run(runner, look(), context)

        assert copy_context().run(call) == (value, None)

    def test_context_can_be_read_afterwards(self, runner: LoopRunner) -> None:
        """What the coroutine sets is in the context given, not in the current."""
        context = Context()
        first, second = object(), object()

        async def change(*, fail: bool) -> None:
            _variable.set(first)
            await asyncio.sleep(0)
            _other.set(second)
            if fail:
                raise ValueError

        run(runner, change(fail=False), context)
        assert context[_variable] is first
        assert context[_other] is second
        assert _variable.get(None) is None
        context = Context()
        with pytest.raises(ValueError, match=r"^$"):
            run(runner, change(fail=True), context)
        assert context[_variable] is first
        assert context[_other] is second
