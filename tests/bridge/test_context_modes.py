"""Calls in the caller's own context, or in an explicit one."""

import asyncio
import contextvars
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import Context, ContextVar, Token
from types import SimpleNamespace
from typing import Any

import pytest

from asgibridge import Bridge
from asgibridge.bridge._context_modes import CallInContext
from asgibridge.errors import ExecutorClosedError
from asgibridge.executors import ThreadSensitivePool
from tests.staging import PATIENCE, BareExecutor, Gate, run, settled

variable: ContextVar[str] = ContextVar("variable", default="nothing")


def set_value(value: str) -> str:
    """Set the variable; return what it was."""
    before = variable.get()
    variable.set(value)
    return before


# -- an explicit context --


def test_an_explicit_context(bridge: Bridge) -> None:
    """The call sees its variables, and changes are put there, not here."""
    context = Context()
    context.run(variable.set, "explicit")

    async def main() -> None:
        variable.set("caller's")
        call = bridge.sync_to_async(set_value, context=context)
        assert await call("set") == "explicit"
        assert variable.get() == "caller's"
        assert context[variable] == "set"

    run(main)


def test_several_calls_with_one_context(bridge: Bridge) -> None:
    """None is kept out of it, though all run at the same time."""
    context = Context()
    variables = [ContextVar[int](f"number {number}") for number in range(3)]
    gates = [Gate() for _ in variables]

    def work(number: int) -> None:
        gates[number]()
        variables[number].set(number)

    call = bridge.sync_to_async(work, thread_sensitive=False, context=context)

    async def main() -> None:
        calls = [asyncio.ensure_future(call(number)) for number in range(3)]
        for gate in gates:
            await gate.entered_async()
        for gate in gates:
            gate.open()
        await asyncio.gather(*calls)
        assert [context[variable] for variable in variables] == [0, 1, 2]

    run(main)


def test_the_callers_own_context_given_explicitly(bridge: Bridge) -> None:
    """It is entered already: the changes are set here."""

    async def main() -> None:
        context = contextvars.copy_context()

        async def inside() -> str:
            await bridge.sync_to_async(set_value, context=context)("set")
            return variable.get()

        task = asyncio.get_running_loop().create_task(inside(), context=context)
        assert await task == "set"
        assert variable.get() == "nothing"

    Context().run(run, main)


@pytest.mark.parametrize("is_callers_own", [False, True])
def test_a_coroutine_below_a_call_in_an_explicit_context(
    bridge: Bridge, *, is_callers_own: bool
) -> None:
    """It sees and sets the function's variables; none of it gets to other contexts."""
    seen: list[str] = []
    tasks: list[object] = []

    async def look_and_set() -> None:
        tasks.append(asyncio.current_task())
        seen.append(variable.get())
        variable.set("set by the coroutine")

    def work() -> None:
        variable.set("set by the function")
        bridge.async_to_sync(look_and_set)()
        seen.append(variable.get())

    context = Context()

    async def call() -> str:
        await bridge.sync_to_async(work, context=context)()
        return variable.get()

    async def main() -> None:
        loop = asyncio.get_running_loop()
        own = context if is_callers_own else contextvars.copy_context()
        task = loop.create_task(call(), context=own)
        there = await task
        assert there == ("set by the coroutine" if is_callers_own else "nothing")
        assert (tasks == [task]) is is_callers_own

    Context().run(run, main)
    assert seen == ["set by the function", "set by the coroutine"]
    assert context[variable] == "set by the coroutine"


@pytest.mark.parametrize("may_abandon", [False, True])
def test_a_cancelled_call_in_an_explicit_context(
    bridge: Bridge, *, may_abandon: bool
) -> None:
    """The coroutine that its function waits for is cancelled, and none begins then."""
    ended: list[str] = []
    function_ended = threading.Event()

    async def main() -> None:
        inside = asyncio.Event()

        async def wait() -> None:
            inside.set()
            try:
                await asyncio.Event().wait()
            finally:
                ended.append("coroutine")

        back = bridge.async_to_sync(wait)

        def work() -> None:
            for _ in range(2):
                with pytest.raises(asyncio.CancelledError):
                    back()
            ended.append("function")
            function_ended.set()

        call = bridge.sync_to_async(
            work, context=Context(), abandon_on_cancel=may_abandon
        )
        task = asyncio.ensure_future(call())
        await inside.wait()
        task.cancel("why")
        with pytest.raises(asyncio.CancelledError, match="why"):
            await task
        assert may_abandon or function_ended.is_set()
        await asyncio.to_thread(function_ended.wait, PATIENCE)

    run(main)
    assert ended == ["coroutine", "function"]


def test_a_call_cancelled_before_its_coroutine_begins(bridge: Bridge) -> None:
    """The coroutine of a call in an explicit context is refused, and never runs."""
    gate = Gate()

    async def nothing() -> None:
        raise AssertionError

    def work() -> None:
        gate()
        bridge.async_to_sync(nothing)()

    async def main() -> None:
        call = bridge.sync_to_async(work, context=Context())
        task = asyncio.ensure_future(call())
        await gate.entered_async()
        task.cancel()
        await settled()
        gate.open()
        with pytest.raises(asyncio.CancelledError):
            await task

    run(main)


def test_a_coroutine_that_its_asker_has_taken_back(bridge: Bridge) -> None:
    """The asking thread was interrupted before the task was woken for it."""

    async def main() -> None:
        engine = bridge._engine
        mailbox = engine.mailbox_of(asyncio.get_running_loop())
        call = CallInContext(engine, mailbox, int, (), {}, False, Context())  # noqa: FBT003  # as the wrapper makes it
        hosted: Any = SimpleNamespace(claim=lambda: False)
        assert list(call._host(hosted)) == []
        call.is_cancelled = True
        assert list(call._host(hosted)) == []

    run(main)


def test_an_explicit_context_keeps_the_thread(bridge: Bridge) -> None:
    """Where thread-sensitive code runs is the caller's affair, not the context's."""
    call = bridge.sync_to_async(threading.get_ident, context=Context())

    async def main() -> int:
        return await call()

    assert bridge.async_to_sync(main)() == threading.get_ident()


# -- the caller's own --


@contextmanager
def span() -> Iterator[None]:
    """Set and reset, as tracing libraries do."""
    token = variable.set("span")
    try:
        yield
    finally:
        variable.reset(token)


def test_tokens_cross() -> None:
    """Made in one call, reset in the next, or in the caller, and back."""
    tokens: list[Token[str]] = []

    def enter() -> None:
        tokens.append(variable.set("entered"))

    def leave() -> None:
        variable.reset(tokens.pop())

    async def main() -> None:
        await bridge.sync_to_async(enter)()
        assert variable.get() == "entered"
        await bridge.sync_to_async(leave)()
        assert variable.get() == "nothing"
        await bridge.sync_to_async(enter)()
        leave()
        enter()
        await bridge.sync_to_async(leave)()
        manager = span()
        await bridge.sync_to_async(manager.__enter__)()
        await bridge.sync_to_async(manager.__exit__)(None, None, None)
        assert variable.get() == "nothing"

    with Bridge(context="share") as bridge:
        Context().run(run, main)


def test_sharing_for_one_wrapper(bridge: Bridge) -> None:
    """The wrapper's option goes before the bridge's."""
    seen: list[Context] = []

    async def main() -> None:
        token = variable.set("caller's")
        await bridge.sync_to_async(variable.reset, context="share")(token)
        assert variable.get() == "nothing"
        with Bridge(context="share") as other:
            token = variable.set("caller's")
            with pytest.raises(ValueError, match="different Context"):
                await other.sync_to_async(variable.reset, context="copy")(token)

    Context().run(run, main)
    assert seen == []


def test_a_coroutine_below_a_sharing_call(bridge: Bridge) -> None:
    """It runs in a task of its own, whose changes the function sees."""

    async def inner() -> str:
        seen = variable.get()
        variable.set("by the coroutine")
        await asyncio.sleep(0)
        return seen

    def work() -> str:
        variable.set("by the function")
        seen = bridge.async_to_sync(inner)()
        assert variable.get() == "by the coroutine"
        return seen

    async def main() -> None:
        call = bridge.sync_to_async(work, context="share")
        assert await call() == "by the function"
        assert variable.get() == "by the coroutine"

    Context().run(run, main)


def test_a_context_that_another_task_shares(bridge: Bridge) -> None:
    """A call that finds somebody in the context works in a copy; nobody freezes."""
    gate = Gate()
    context = contextvars.copy_context()

    def first() -> str:
        gate()
        return set_value("first")

    async def main() -> None:
        loop = asyncio.get_running_loop()
        options: Any = {"context": "share", "thread_sensitive": False}
        one = loop.create_task(
            bridge.sync_to_async(first, **options)(), context=contextvars.copy_context()
        )
        await gate.entered_async()
        gate.open()
        assert await one == "nothing"

        # Runs at once on the loop's thread, while the task is still inside.
        bare = BareExecutor()
        call = bridge.sync_to_async(
            set_value, thread_sensitive=False, executor=bare, context="share"
        )
        task = loop.create_task(call("in a copy"), context=context)
        await settled()

        def run_inside() -> None:
            bare.run_next()

        context.run(run_inside)
        assert context.get(variable) is None
        assert await task == "nothing"
        assert context[variable] == "in a copy"

    Context().run(run, main)


def test_an_executor_that_refuses_a_sharing_call(bridge: Bridge) -> None:
    """The error comes when the call is sent, and is the caller's all the same."""
    pool = ThreadSensitivePool()
    pool.close()
    call = bridge.sync_to_async(
        int, thread_sensitive=False, executor=pool, context="share"
    )
    for _ in range(2):
        with pytest.raises(ExecutorClosedError, match="cannot run int"):
            run(call)


def test_a_sharing_call_cancelled_before_it_is_sent(bridge: Bridge) -> None:
    """In the very round in which its task was parked: it is never sent."""
    bare = BareExecutor()
    call = bridge.sync_to_async(
        int, thread_sensitive=False, executor=bare, context="share"
    )

    async def main() -> None:
        task = asyncio.create_task(call())
        # Runs behind the task's first step, before what that scheduled.
        asyncio.get_running_loop().call_soon(task.cancel)
        await asyncio.wait([task])
        assert task.cancelled()
        assert bare.calls == []

    run(main)
