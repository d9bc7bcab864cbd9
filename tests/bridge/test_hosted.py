"""Coroutines that a blocking call waits for: interrupts, and loops that stop."""

import asyncio
import threading
from contextlib import suppress
from types import SimpleNamespace
from typing import Any

import pytest

from asgibridge import Bridge
from asgibridge.bridge import _hosted
from asgibridge.errors import LoopStoppedError
from asgibridge.executors import CurrentThreadExecutor, _caller
from asgibridge.loops import Mailbox, waiter_of
from tests.staging import PATIENCE, Gate, run, settled


@pytest.fixture
def interrupted(monkeypatch: pytest.MonkeyPatch) -> "Interrupter":
    """Raise into the first wait of a thread, when told to."""
    interrupter = Interrupter()
    run_until = CurrentThreadExecutor.run_until

    def run_or_raise(executor: CurrentThreadExecutor, outcome: Any) -> None:  # noqa: ANN401  # an outcome
        if isinstance(outcome, _hosted.HostedCall) and interrupter.times:
            interrupter.times -= 1
            assert interrupter.ready.wait(PATIENCE)
            raise interrupter.kind
        run_until(executor, outcome)

    monkeypatch.setattr(CurrentThreadExecutor, "run_until", run_or_raise)
    return interrupter


class Interrupter:
    """When and how often to interrupt, and with what."""

    def __init__(self) -> None:
        self.times = 0
        self.ready = threading.Event()
        self.kind: type[BaseException] = KeyboardInterrupt


@pytest.mark.parametrize("mode", ["copy", "share"])
@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
def test_an_interrupted_wait_cancels_the_coroutine(
    bridge: Bridge,
    interrupted: Interrupter,
    kind: type[BaseException],
    mode: Any,  # noqa: ANN401  # a literal
) -> None:
    """It ends, then the interrupt goes on; the task itself is not cancelled."""
    interrupted.times, interrupted.kind = 1, kind
    seen: list[str] = []

    async def waits() -> None:
        interrupted.ready.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            await asyncio.sleep(0)
            seen.append("tidied up")
            raise

    def work() -> str:
        with pytest.raises(kind):
            bridge.async_to_sync(waits)()
        return "went on"

    async def main() -> None:
        task = asyncio.current_task()
        assert task is not None
        assert await bridge.sync_to_async(work, context=mode)() == "went on"
        assert task.cancelling() == 0
        assert seen == ["tidied up"]

    run(main)


@pytest.mark.parametrize("mode", ["copy", "share"])
def test_an_interrupt_while_the_task_is_asked(
    bridge: Bridge,
    monkeypatch: pytest.MonkeyPatch,
    mode: Any,  # noqa: ANN401  # a literal
) -> None:
    """Raised behind the very instruction that asked: the coroutine never runs."""
    ran: list[int] = []
    post = Mailbox.post
    interrupts = [KeyboardInterrupt()]

    async def inner() -> None:
        ran.append(1)

    back = bridge.async_to_sync(inner)

    def post_and_raise(mailbox: Mailbox, letter: Any) -> None:  # noqa: ANN401  # a letter
        if interrupts and letter.hosted is not None:
            interrupt = interrupts.pop()
            # The loop does not get the letter before the thread has left.
            later.append(letter)
            raise interrupt
        post(mailbox, letter)

    later: list[Any] = []

    def work() -> str:
        with pytest.raises(KeyboardInterrupt):
            back()
        post(later[0].mailbox, later[0])
        return "went on"

    monkeypatch.setattr(Mailbox, "post", post_and_raise)
    assert run(bridge.sync_to_async(work, context=mode)) == "went on"
    assert ran == []


def test_an_interrupt_after_the_coroutine(
    bridge: Bridge, interrupted: Interrupter
) -> None:
    """One that comes when it has just ended cancels nobody."""
    interrupted.times = 1

    async def quick() -> None:
        asyncio.get_running_loop().call_soon(interrupted.ready.set)

    def work() -> None:
        with pytest.raises(KeyboardInterrupt):
            bridge.async_to_sync(quick)()

    async def main() -> None:
        task = asyncio.current_task()
        assert task is not None
        await bridge.sync_to_async(work)()
        await settled()
        assert task.cancelling() == 0

    run(main)


def test_a_coroutine_that_swallows_an_interrupt(
    bridge: Bridge, interrupted: Interrupter
) -> None:
    """The interrupt goes on all the same, and the task is not cancelled."""
    interrupted.times = 1

    async def resist() -> str:
        interrupted.ready.set()
        with suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        return "resisted"

    def work() -> None:
        with pytest.raises(KeyboardInterrupt):
            bridge.async_to_sync(resist)()

    async def main() -> None:
        task = asyncio.current_task()
        assert task is not None
        await bridge.sync_to_async(work)()
        assert task.cancelling() == 0

    run(main)


def test_an_interrupt_when_the_loop_is_gone(bridge: Bridge) -> None:
    """There is nobody to cancel."""

    async def main() -> Any:  # noqa: ANN401  # a hosted call
        call: Any = bridge._engine.affinity.get()
        return call.call.hosted

    hosted = run(bridge.sync_to_async(bridge.async_to_sync(main)))
    assert not hosted.claim()
    hosted._interrupt()  # its loop is closed
    hosted._call.mailbox = SimpleNamespace(loop=lambda: None)
    hosted._interrupt()  # and collected


# -- loops that stop --


def start_and_stop(
    bridge: Bridge,
    work: Any,  # noqa: ANN401  # a function
    stopped: threading.Event,
) -> tuple[asyncio.AbstractEventLoop, list[object]]:
    """Run a loop until *stopped*, with a task that calls *work*."""
    loop = asyncio.new_event_loop()
    outcome: list[object] = []
    call = bridge.sync_to_async(work)

    async def main() -> None:
        outcome.append(loop.create_task(call()))
        await asyncio.to_thread(stopped.wait, PATIENCE)

    loop.run_until_complete(main())
    return loop, outcome


def test_a_loop_that_stopped(bridge: Bridge, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever asks for its task is told, not left waiting."""
    monkeypatch.setattr(_caller, "CHECK_SECONDS", 0.001)
    gate, done = Gate(), threading.Event()
    errors: list[BaseException] = []

    async def never() -> None:
        """Never run."""

    def work() -> None:
        gate()
        try:
            bridge.async_to_sync(never)()
        except LoopStoppedError as exc:
            errors.append(exc)
        done.set()

    loop, outcome = start_and_stop(bridge, work, gate.entered)
    gate.open()
    assert done.wait(PATIENCE)
    (error,) = errors
    assert "never cannot run: the event loop of the task that called" in str(error)
    assert "work" in str(error)
    assert "let the task end before stopping its loop" in str(error)
    (task,) = outcome
    assert isinstance(task, asyncio.Task)
    loop.run_until_complete(asyncio.wait_for(task, PATIENCE))
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.run_until_complete(loop.shutdown_default_executor())
    loop.close()


def test_a_loop_that_is_closed(bridge: Bridge) -> None:
    """The same, at once."""
    gate, done = Gate(), threading.Event()
    errors: list[BaseException] = []

    async def never() -> None:
        """Never run."""

    def work() -> None:
        gate()
        try:
            bridge.async_to_sync(never)()
        except LoopStoppedError as exc:
            errors.append(exc)
        done.set()

    async def main() -> None:
        # As in a task whose loop was closed under it.
        coroutine: Any = bridge.sync_to_async(work)()
        kept.append(coroutine)
        coroutine.send(None)
        await gate.entered_async()

    kept: list[Any] = []
    run(main)
    gate.open()
    assert done.wait(PATIENCE)
    assert isinstance(errors[0].__cause__, RuntimeError)
    kept[0].close()


def test_a_coroutine_destroyed_with_its_loop(bridge: Bridge) -> None:
    """The function that waits for it is told."""
    done = threading.Event()
    errors: list[BaseException] = []

    async def for_ever() -> None:
        await asyncio.Event().wait()

    def work() -> None:
        try:
            bridge.async_to_sync(for_ever)()
        except LoopStoppedError as exc:
            errors.append(exc)
        done.set()

    async def main() -> None:
        # Driven by hand, as by a task, and destroyed while for_ever() is parked.
        coroutine: Any = bridge.sync_to_async(work)()
        call = coroutine.send(None)
        while call.hosted is None:  # noqa: ASYNC110  # nothing else tells
            await asyncio.sleep(0)
        await settled()
        coroutine.send(None)
        coroutine.close()
        assert await asyncio.to_thread(done.wait, PATIENCE)

    run(main)
    assert "for_ever cannot run: the event loop of the task" in str(errors[0])


def test_a_coroutine_that_somebody_else_has_taken(bridge: Bridge) -> None:
    """A task that finds its coroutine withdrawn goes on waiting for the function."""
    withdrawn: list[str] = []

    async def never() -> None:
        """Never run."""

    def work() -> str:
        with pytest.raises(LookupError):
            bridge.async_to_sync(never)()
        withdrawn.append("withdrawn")
        return "went on"

    async def main() -> None:
        coroutine: Any = bridge.sync_to_async(work)()
        call = coroutine.send(None)
        while call.hosted is None:  # noqa: ASYNC110  # nothing else tells
            await asyncio.sleep(0)
        hosted = call.hosted
        assert hosted.claim()
        await settled()
        assert coroutine.send(None) is call, "parked again"
        hosted.refuse(LookupError())
        while not call.is_done:  # noqa: ASYNC110  # nothing else tells
            await asyncio.sleep(0)
        with pytest.raises(StopIteration) as caught:
            coroutine.send(None)
        assert caught.value.value == "went on"

    run(main)
    assert withdrawn == ["withdrawn"]


def test_a_sharing_call_whose_coroutine_was_withdrawn(bridge: Bridge) -> None:
    """Its task is not woken while the function is still in its context."""

    async def never() -> None:
        """Never run."""

    gate = Gate()

    def work() -> str:
        gate()
        with pytest.raises(LookupError):
            bridge.async_to_sync(never)()
        return "went on"

    async def main() -> None:
        task = asyncio.create_task(bridge.sync_to_async(work, context="share")())
        await settled(3)
        call: Any = waiter_of(task)
        hosted_calls: list[Any] = []
        deliver = type(call).deliver

        def withdraw_and_deliver(call: Any) -> None:  # noqa: ANN401  # a call
            if call.hosted is not None and not hosted_calls:
                hosted_calls.append(call.hosted)
                assert call.hosted.claim()
            deliver(call)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(type(call), "deliver", withdraw_and_deliver)
            gate.open()
            while not hosted_calls:  # noqa: ASYNC110  # nothing else tells
                await asyncio.sleep(0)
            await settled()
            assert not task.done()
        hosted_calls[0].refuse(LookupError())
        assert await task == "went on"

    run(main)


def test_looks_at_a_running_loop(bridge: Bridge) -> None:
    """A loop that runs is waited for, and so is one between two runs."""
    looks: list[int] = []

    async def waits() -> int:
        call: Any = bridge._engine.affinity.get()
        assert call is not None
        hosted = call.call.hosted
        for _ in range(3):
            hosted.check()
            looks.append(hosted._stopped_looks)
        await settled()
        return 1

    assert run(bridge.sync_to_async(bridge.async_to_sync(waits))) == 1
    assert looks == [0, 0, 0]
