"""One coroutine that a blocked thread waits for: what its caller sees."""

import asyncio
from collections.abc import Callable, Iterator
from contextvars import copy_context
from typing import Any

import attrs
import pytest

from asgibridge.errors import LoopStoppedError
from asgibridge.executors import CurrentThreadExecutor
from asgibridge.executors._loop_call import LoopCall
from asgibridge.types import Outcome
from tests.staging import is_closed


@attrs.define(eq=False)
class ScriptedCaller:
    """A caller whose waits do what they are told, one after the other."""

    waits: list[Callable[[Outcome], object]]

    def run_until(self, outcome: Outcome) -> None:
        """Do the next thing."""
        self.waits.pop(0)(outcome)

    def wake(self, outcome: Outcome) -> None:
        """Nobody waits."""


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    """A loop that is run by hand."""
    loop = asyncio.new_event_loop()
    yield loop
    loop.close()


def call_of(coro: Any, *waits: Callable[[Outcome], object]) -> LoopCall[Any]:  # noqa: ANN401  # a coroutine of anything
    """Return a call whose caller does *waits*."""
    caller: Any = ScriptedCaller(list(waits))
    return LoopCall(coro, copy_context(), caller)


def turn(loop: asyncio.AbstractEventLoop) -> None:
    """Let the loop do what is to be done."""
    loop.run_until_complete(asyncio.sleep(0))
    loop.run_until_complete(asyncio.sleep(0))


def interrupt(_: object) -> None:
    """Ctrl-C."""
    raise KeyboardInterrupt


async def for_ever() -> None:
    """Wait until cancelled."""
    await asyncio.Event().wait()


async def forty_two() -> int:
    """Return at once."""
    return 42


def test_the_task_has_the_name_of_its_function(
    loop: asyncio.AbstractEventLoop,
) -> None:
    """So that it can be found in a list of tasks."""
    call = call_of(forty_two(), lambda _: None)
    task = call.start(loop)
    assert task.get_name() == "forty_two" == str(call)
    turn(loop)
    call.collect()
    call.announce()
    assert call.wait() == 42


def test_an_interrupt_cancels_the_coroutine_and_waits_for_its_end(
    loop: asyncio.AbstractEventLoop,
) -> None:
    """Ctrl-C goes on when the coroutine has ended."""
    steps: list[str] = []

    async def tidy() -> None:
        try:
            await for_ever()
        finally:
            steps.append("tidied")

    def finish(_: object) -> None:
        turn(loop)
        call.collect()
        steps.append("ended")

    call = call_of(tidy(), interrupt, finish)
    _ = call.start(loop)
    turn(loop)
    with pytest.raises(KeyboardInterrupt):
        call.wait()
    assert steps == ["tidied", "ended"]


def test_a_second_interrupt_ends_the_wait(loop: asyncio.AbstractEventLoop) -> None:
    """At once, whatever the coroutine does."""
    call = call_of(for_ever(), interrupt, interrupt)
    task = call.start(loop)
    turn(loop)
    with pytest.raises(KeyboardInterrupt):
        call.wait()
    turn(loop)
    assert task.cancelled()
    call.collect()


def test_an_interrupt_before_the_start(loop: asyncio.AbstractEventLoop) -> None:
    """There is nothing to cancel, but an end to wait for."""

    def start(_: object) -> None:
        _ = call.start(loop)
        turn(loop)

    call = call_of(forty_two(), interrupt, start)
    with pytest.raises(KeyboardInterrupt):
        call.wait()
    call.collect()


def test_an_interrupt_after_the_loop(loop: asyncio.AbstractEventLoop) -> None:
    """A loop that is closed has no task to cancel any more."""
    call = call_of(forty_two(), interrupt, lambda _: None)
    _ = call.start(loop)
    turn(loop)
    loop.close()
    with pytest.raises(KeyboardInterrupt):
        call.wait()
    call.collect()


def test_what_the_loop_failed_with_is_raised() -> None:
    """A coroutine that was never started is closed, not forgotten."""
    call = call_of(forty_two(), lambda _: None)
    call.collect(LookupError("no loop"))
    call.announce()
    with pytest.raises(LookupError, match="no loop"):
        call.wait()


def test_a_task_that_did_not_end(loop: asyncio.AbstractEventLoop) -> None:
    """What ended its loop is raised instead."""
    call = call_of(for_ever(), lambda _: None)
    task = call.start(loop)
    turn(loop)
    call.collect(KeyboardInterrupt())
    call.announce()
    with pytest.raises(KeyboardInterrupt):
        call.wait()
    task.cancel()
    turn(loop)


def test_the_traceback_is_the_coroutines(loop: asyncio.AbstractEventLoop) -> None:
    """It does not show the frames that carried it."""

    async def fail() -> None:
        raise LookupError

    call = call_of(fail(), lambda _: None)
    _ = call.start(loop)
    turn(loop)
    call.collect()
    call.announce()
    with pytest.raises(LookupError) as caught:
        call.wait()
    names = [entry.name for entry in caught.traceback]
    assert names[-2:] == ["wait", "fail"]
    assert "collect" not in names


# -- whether the end can still come --


def test_a_running_loop_is_waited_for(loop: asyncio.AbstractEventLoop) -> None:
    """However often somebody looks."""

    async def main() -> None:
        call = call_of(forty_two())
        task = call.start(asyncio.get_running_loop())
        for _ in range(3):
            call.check()
        await task
        call.collect()
        call.check()

    loop.run_until_complete(main())


def test_a_loop_that_does_not_run(loop: asyncio.AbstractEventLoop) -> None:
    """It may be between two runs; seen twice, it has stopped."""
    call = call_of(forty_two())
    call.check()
    _ = call.start(loop)
    call.check()
    with pytest.raises(
        LoopStoppedError, match="forty_two cannot finish: the loop it was started on"
    ):
        call.check()
    turn(loop)
    call.collect()


def test_a_stopped_loop_ends_the_wait_once(loop: asyncio.AbstractEventLoop) -> None:
    """There is nothing to cancel, and no second wait."""

    def look(_: object) -> None:
        call.check()
        call.check()

    call = call_of(forty_two(), look)
    _ = call.start(loop)
    with pytest.raises(LoopStoppedError) as caught:
        call.wait()
    assert caught.value.__context__ is None
    turn(loop)
    call.collect()


def test_a_closed_loop(loop: asyncio.AbstractEventLoop) -> None:
    """It never runs again."""
    call = call_of(forty_two())
    _ = call.start(loop)
    turn(loop)
    loop.close()
    with pytest.raises(LoopStoppedError, match="do not stop a loop that others"):
        call.check()
    call.collect()


def test_an_end_that_is_announced_is_not_checked(
    loop: asyncio.AbstractEventLoop,
) -> None:
    """What has come does not need its loop."""
    call = call_of(forty_two())
    _ = call.start(loop)
    turn(loop)
    call.is_done = True
    loop.close()
    call.check()
    call.collect()


def test_giving_up(loop: asyncio.AbstractEventLoop) -> None:
    """The wait ends without the task, unless it has ended before."""
    call = call_of(for_ever(), lambda _: None)
    task = call.start(loop)
    turn(loop)
    call.give_up()
    call.give_up()
    with pytest.raises(LoopStoppedError, match="for_ever cannot finish"):
        call.wait()
    task.cancel()
    turn(loop)


def test_giving_up_before_the_start() -> None:
    """The coroutine is closed, since nobody will ever run it."""
    coro = forty_two()
    call = call_of(coro, lambda _: None)
    call.give_up()
    assert is_closed(coro)
    with pytest.raises(LoopStoppedError, match="forty_two cannot finish"):
        call.wait()


def test_being_taken_from_an_inbox_does_nothing() -> None:
    """That is what it is put there for."""
    call = call_of(forty_two())
    call.run()
    assert not call.is_done
    call.collect(LookupError())
    with CurrentThreadExecutor() as caller:
        caller.wake(call)


def test_an_interrupt_before_anybody_began(loop: asyncio.AbstractEventLoop) -> None:
    """The call is withdrawn: whoever comes for it finds that out."""
    coro = forty_two()
    call = call_of(coro)
    with pytest.raises(KeyboardInterrupt):
        call.wait(lambda: interrupt(None))
    assert is_closed(coro)
    assert not call.claim()
    assert not loop.is_running()


def test_an_interrupt_between_claim_and_start(
    loop: asyncio.AbstractEventLoop,
) -> None:
    """The coroutine is started, cancelled at once, and waited for."""
    seen: list[str] = []

    async def body() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            seen.append("ended")

    def go_on(_: Outcome) -> None:
        task = call.start(loop)
        call._cancel_here()  # as what the interrupt has scheduled: once is enough
        with pytest.raises(asyncio.CancelledError):
            loop.run_until_complete(task)
        call.collect()
        call.is_done = True

    def begin() -> None:
        assert call.claim()
        raise KeyboardInterrupt

    call = call_of(body(), go_on)
    with pytest.raises(KeyboardInterrupt):
        call.wait(begin)
    assert not seen  # it was cancelled before its first step
    assert call.is_done
