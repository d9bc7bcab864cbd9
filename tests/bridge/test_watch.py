"""Waits that could never end: run on the thread that waits, or diagnosed."""

import asyncio
import logging
import re
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import get_ident
from types import SimpleNamespace
from typing import Any

import pytest

from asgibridge import Bridge
from asgibridge.bridge import _waiting, _watch
from asgibridge.bridge._places import Frame
from asgibridge.executors import (
    PerCallLoopRunner,
    PersistentLoopRunner,
    ThreadSensitivePool,
    WorkerPool,
)
from tests.staging import PATIENCE, Gate, run, settled


@pytest.fixture(autouse=True)
def quick_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look more often than in real life."""
    monkeypatch.setattr(_watch, "LOOK_SECONDS", 0.001)


def chain(bridge: Bridge, **options: Any) -> Any:  # noqa: ANN401  # any wrapper
    """Return a call that waits for a coroutine that waits for such a call."""
    inner = bridge.sync_to_async(get_ident, **options)

    async def middle() -> int:
        return await inner()

    back = bridge.async_to_sync(middle)

    def outer() -> tuple[int, int]:
        return get_ident(), back()

    return bridge.sync_to_async(outer, **options)


def test_a_pool_nested_in_itself(bridge: Bridge) -> None:
    """The only worker waits for a call of the same pool: it runs that itself."""
    with WorkerPool(max_workers=1) as workers, Bridge(workers=workers) as other:
        thread, inner = run(chain(other, thread_sensitive=False))
        assert thread == inner
    with ThreadPoolExecutor(1) as executor:
        thread, inner = run(chain(bridge, thread_sensitive=False, executor=executor))
        assert thread == inner


def test_what_another_task_needs(bridge: Bridge) -> None:
    """The shared thread waits for a coroutine, which waits for a task's call."""
    sensitive = bridge.sync_to_async(get_ident)

    async def main() -> None:
        asked = asyncio.Event()

        async def other_task() -> int:
            await asked.wait()
            return await sensitive()

        # Made outside: so it does not know of the thread that waits.
        other = asyncio.create_task(other_task())

        async def waits() -> int:
            asked.set()
            return (await asyncio.gather(other))[0]

        back = bridge.async_to_sync(waits)
        outer = bridge.sync_to_async(lambda: (get_ident(), back()))
        thread, inner = await outer()
        assert thread == inner

    run(main)


def test_a_chain_of_tasks(bridge: Bridge) -> None:
    """Through tasks, gathers, and a call that waits for its own coroutine."""
    sensitive = bridge.sync_to_async(get_ident)

    async def main() -> None:
        asked = asyncio.Event()

        async def last() -> int:
            await asked.wait()
            return await sensitive()

        async def next_to_last() -> int:
            return await asyncio.create_task(last())

        other = asyncio.create_task(next_to_last())

        async def anywhere() -> int:
            back = bridge.async_to_sync(waits)
            return await bridge.sync_to_async(back, thread_sensitive=False)()

        async def waits() -> int:
            asked.set()
            return await other

        back = bridge.async_to_sync(anywhere)
        thread, inner = await bridge.sync_to_async(lambda: (get_ident(), back()))()
        assert thread == inner

    run(main)


def test_a_chain_of_queues() -> None:
    """Through a call that is queued behind one which waits for a coroutine."""
    with ThreadSensitivePool() as pool, Bridge(workers=pool) as bridge:
        sensitive = bridge.sync_to_async(get_ident)
        on_pool = bridge.sync_to_async(int, thread_sensitive=False)

        async def main() -> None:
            inside, asked = asyncio.Event(), asyncio.Event()

            async def last() -> int:
                await asked.wait()
                return await sensitive()

            other = asyncio.create_task(last())

            async def waits_on_pool() -> int:
                inside.set()
                return await other

            back = bridge.async_to_sync(waits_on_pool)
            holder = asyncio.create_task(
                bridge.sync_to_async(back, thread_sensitive=False)()
            )
            await inside.wait()
            queued = asyncio.create_task(on_pool())

            async def waits() -> int:
                asked.set()
                return await queued

            back_again = bridge.async_to_sync(waits)
            outer = bridge.sync_to_async(lambda: (get_ident(), back_again()))
            thread, result = await outer()
            assert result == 0
            assert await holder == await other == thread

        run(main)


def test_a_call_that_runs_elsewhere_is_waited_for() -> None:
    """The coroutine in the way waits for a call that is running: it will end."""
    gate = Gate()
    with Bridge() as bridge:
        elsewhere = bridge.sync_to_async(gate, thread_sensitive=False)

        async def main() -> None:
            running = asyncio.create_task(elsewhere())
            await gate.entered_async()
            inside = asyncio.Event()

            async def waits() -> str:
                inside.set()
                return await running

            holder = bridge.sync_to_async(bridge.async_to_sync(waits))
            first = asyncio.create_task(holder())
            await inside.wait()
            second = asyncio.create_task(bridge.sync_to_async(get_ident)())
            await settled()
            look_now(bridge)
            await settled()
            assert not second.done()
            gate.open()
            assert await first == "out"
            assert isinstance(await second, int)

        run(main)


def test_code_below_a_thread_that_has_nothing_to_do_with_it() -> None:
    """A call queued for a pool, made below a thread that the pool does not own."""
    gate = Gate()
    with WorkerPool(max_workers=1) as workers, Bridge(workers=workers) as bridge:
        anywhere = bridge.sync_to_async(gate, thread_sensitive=False)

        async def main() -> None:
            first = asyncio.create_task(anywhere())
            await gate.entered_async()
            second = asyncio.create_task(anywhere())
            await settled()
            look_now(bridge)
            assert not second.done()
            gate.open()
            assert [await first, await second] == ["out", "out"]

        bridge.async_to_sync(main)()
        gate.entered.clear()
        gate.opened.clear()

        async def in_a_scope() -> None:
            async with bridge.thread_sensitive_context():
                await main()

        run(in_a_scope)


def look_now(bridge: Bridge) -> None:
    """Have the watch of the running loop look, whatever the time."""
    watch: Any = bridge._engine.mailboxes.of(asyncio.get_running_loop()).watch
    watch._look()


def test_a_loop_that_is_gone_is_not_watched(bridge: Bridge) -> None:
    """Nobody waits there any more."""
    call: Any = SimpleNamespace(mailbox=SimpleNamespace(loop=lambda: None, watch=None))
    bridge._engine.watch(call)
    assert call.mailbox.watch is None


def test_calls_that_will_run_are_left_alone(bridge: Bridge) -> None:
    """A thread that is merely busy is waited for, however often one looks."""
    gate = Gate()
    looks = threading.Semaphore(0)

    async def main() -> None:
        first = asyncio.create_task(bridge.sync_to_async(gate)())
        await gate.entered_async()
        second = asyncio.create_task(bridge.sync_to_async(get_ident)())
        await settled()
        state = bridge._engine.threads.state
        assert state.mailbox is not None
        watch: Any = state.mailbox.watch
        for _ in range(3):
            watch._look()
            looks.release()
        assert not second.done()
        gate.open()
        assert await first == "out"
        assert await second == gate.thread

    run(main)


def test_a_coroutine_that_may_go_on_is_left_alone(bridge: Bridge) -> None:
    """Something else can end its wait: the call stays where it is queued."""

    async def main() -> None:
        inside, release = asyncio.Event(), asyncio.Event()

        async def waits() -> int:
            inside.set()
            await release.wait()
            return get_ident()

        def holder() -> int:
            bridge.async_to_sync(waits)()
            return get_ident()

        first = asyncio.create_task(bridge.sync_to_async(holder)())
        await inside.wait()
        second = asyncio.create_task(bridge.sync_to_async(get_ident)())
        await settled()
        state = bridge._engine.threads.state
        assert state.mailbox is not None
        watch: Any = state.mailbox.watch
        for _ in range(3):
            watch._look()
        await settled()
        assert not second.done()
        release.set()
        assert await first == await second

    run(main)


@contextmanager
def opened_by_a_report(gate: Gate) -> Iterator[list[str]]:
    """Open *gate* when a call of `int` was reported; collect what was said of it.

    Not when the call of the gate itself was: a thread may be slow to begin it.
    """
    reports: list[str] = []

    class Opener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            message = record.getMessage()
            if message.startswith("int has waited"):
                reports.append(message)
                gate.open()

    logger, opener = logging.getLogger("asgibridge"), Opener()
    logger.addHandler(opener)
    try:
        yield reports
    finally:
        logger.removeHandler(opener)


@pytest.mark.parametrize("make_runner", [PerCallLoopRunner, PersistentLoopRunner])
@pytest.mark.parametrize("begins_later", [False, True])
def test_what_waits_for_the_callers_thread_is_reported(
    make_runner: Callable[[], PerCallLoopRunner | PersistentLoopRunner],
    *,
    begins_later: bool,
) -> None:
    """With the function that is in the way and its thread, as on any other thread."""
    gate = Gate()
    with (
        make_runner() as runner,
        # Time enough for a thread to begin what is in the way.
        Bridge(runner=runner, stuck_after=0.1) as bridge,
    ):
        sensitive = bridge.sync_to_async(gate)

        async def second() -> int:
            if begins_later:  # by then the first is not queued any more, but runs
                await gate.entered_async()
            return await bridge.sync_to_async(int)()

        async def main() -> list[object]:
            return list(await asyncio.gather(sensitive(), second()))

        with opened_by_a_report(gate) as reports:
            assert bridge.async_to_sync(main)() == ["out", 0]
    (message,) = reports
    assert re.fullmatch(
        rf"int has waited \d\.\d s to be started, behind <.*Gate.*> on thread "
        rf"{get_ident()}",
        message,
    )


def test_what_waits_for_a_thread_of_its_own_is_reported() -> None:
    """With what it waits for, where no thread is there yet."""
    gate = Gate()
    with (
        ThreadSensitivePool(max_workers=1, name="capped") as pool,
        Bridge(thread_sensitive=pool, stuck_after=0.002) as bridge,
    ):

        async def scoped(fn: Callable[[], object]) -> object:
            async with bridge.thread_sensitive_context():
                return await bridge.sync_to_async(fn)()

        async def main() -> None:
            first = asyncio.create_task(scoped(gate))
            await gate.entered_async()
            second = asyncio.create_task(scoped(int))
            assert list(await asyncio.gather(first, second)) == ["out", 0]

        with opened_by_a_report(gate) as reports:
            run(main)
    (message,) = reports
    assert "behind other calls of a thread_sensitive_context, which waits" in message


def test_a_thread_that_waits_for_another_bridge_is_reported(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It serves that bridge's calls only; the call is not waited for in silence."""
    with Bridge(stuck_after=0.002) as bridge, Bridge() as other:
        logger = logging.getLogger("asgibridge")

        async def inner() -> None:
            task = asyncio.current_task()
            assert task is not None
            cancel = task.cancel

            class Canceller(logging.Handler):
                def emit(self, record: logging.LogRecord) -> None:
                    cancel()

            logger.addHandler(canceller := Canceller())
            try:
                await bridge.sync_to_async(int)()
            finally:
                logger.removeHandler(canceller)

        def in_between() -> str:
            with pytest.raises(asyncio.CancelledError):
                other.async_to_sync(inner)()
            return "went on"

        assert bridge.async_to_sync(bridge.sync_to_async(in_between))() == "went on"
    # That in_between waited is no lie either, where its thread was slow.
    messages = [record.getMessage() for record in caplog.records]
    (message,) = [text for text in messages if text.startswith("int has waited")]
    assert f"in_between on thread {get_ident()}" in message


def test_a_thread_that_waits_says_so(bridge: Bridge) -> None:
    """In place of an address in memory."""
    frame = Frame(bridge._engine.threads.state, None)
    assert str(frame) == f"thread {get_ident()}, which waits for async code"
    frame.close()


def test_the_watch_ends_with_the_last_wait(bridge: Bridge) -> None:
    """While nothing waits there is no timer; the next call begins a new one."""
    gate = Gate()

    async def main() -> None:
        task = asyncio.create_task(bridge.sync_to_async(gate)())
        await gate.entered_async()
        mailbox = bridge._engine.mailboxes.of(asyncio.get_running_loop())
        watch: Any = mailbox.watch
        assert watch is not None
        gate.open()
        await task
        watch._look()
        assert mailbox.watch is None
        await bridge.sync_to_async(int)()
        assert mailbox.watch is not watch

    run(main)


def test_a_loop_for_one_call_is_used_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """The watch's timer, which still is to look, goes with the call."""
    monkeypatch.setattr(_watch, "LOOK_SECONDS", PATIENCE)
    with PerCallLoopRunner() as runner, Bridge(runner=runner) as bridge:

        async def main() -> int:
            await bridge.sync_to_async(int, thread_sensitive=False)()
            return id(asyncio.get_running_loop())

        first, second = bridge.async_to_sync(main)(), bridge.async_to_sync(main)()
        assert [id(loop) for loop in runner._loops._idle] == [first] == [second]


def test_the_end_of_a_watch_on_a_loop_for_all(bridge: Bridge) -> None:
    """Its timer, which nobody keeps, finds nothing to look after."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        mailbox = bridge._engine.mailbox_of(loop)
        watch = _watch.Watch(bridge._engine, mailbox, loop)
        assert mailbox.watch is watch
        watch.end()
        assert mailbox.watch is None

    run(main)


def test_calls_of_another_bridge_are_its_own_affair(bridge: Bridge) -> None:
    """Each bridge looks after its own."""
    gate = Gate()
    with Bridge() as other:

        async def main() -> None:
            first = asyncio.create_task(bridge.sync_to_async(gate)())
            await gate.entered_async()
            task = asyncio.create_task(other.sync_to_async(gate)())
            await settled()
            mailbox = bridge._engine.mailboxes.of(asyncio.get_running_loop())
            watch: Any = mailbox.watch
            watch._look()
            assert {str(call) for call in watch._seen} <= {repr(gate)}
            gate.open()
            await asyncio.gather(first, task)

        run(main)


def test_a_frame_that_has_just_ended(bridge: Bridge) -> None:
    """Lending to it does nothing: whoever it waited for has gone on."""

    async def main() -> Any:  # noqa: ANN401  # a place
        return bridge._engine.affinity.get()

    frame = bridge.async_to_sync(main)()
    assert not frame.is_alive
    call: Any = object()
    frame.lend(call)
    assert frame.executor.is_closed


def test_cycles_of_waits_are_no_endless_search() -> None:
    """Two that wait for one another wait for nothing else."""

    class Future:
        """Something that waits for its children."""

        def __init__(self) -> None:
            self._children: list[object] = []

    first, second = Future(), Future()
    first._children.append(second)
    second._children.append(first)
    call: Any = object()
    assert not _waiting._waits_for(first, call, set())
    second._children.append(call)
    assert _waiting._waits_for(first, call, set())


def test_a_letter_that_was_never_announced(bridge: Bridge) -> None:
    """As after a Ctrl-C between the two: it is found when the watch looks."""
    gate = Gate()

    async def main() -> str:
        loop = asyncio.get_running_loop()
        waiting = asyncio.create_task(bridge.sync_to_async(gate)())
        await settled()
        gate.wait_entered()
        bridge._engine.mailbox_of(loop).is_armed = True  # nobody wakes the loop now
        gate.open()
        return await waiting

    assert run(main) == gate()
