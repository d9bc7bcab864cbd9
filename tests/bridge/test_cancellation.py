"""Cancellation of blocking calls, in every state they can be in."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from contextvars import Context, ContextVar
from typing import Any

import anyio
import pytest

from asgibridge import Bridge
from asgibridge.bridge import _async_to_sync, _cancellation
from asgibridge.bridge._hosted import HostedCall
from asgibridge.loops import waiter_of
from tests.staging import PATIENCE, Gate, run, settled

Reports = list[dict[str, Any]]


@pytest.fixture(params=["sensitive", "anywhere", "share"])
def options(request: pytest.FixtureRequest) -> dict[str, Any]:
    """The options of each kind of wrapper: the same holds for all."""
    if request.param == "share":
        return {"context": "share"}
    return {"thread_sensitive": request.param == "sensitive"}


def reporting() -> Reports:
    """Collect what the running loop's exception handler is told."""
    reports: Reports = []
    asyncio.get_running_loop().set_exception_handler(
        lambda _, report: reports.append(report)
    )
    return reports


def test_a_queued_call_never_runs(bridge: Bridge) -> None:
    """It ends at once, whatever the thread is busy with."""

    async def main() -> None:
        gate, ran = Gate(), list[int]()
        first = asyncio.create_task(bridge.sync_to_async(gate)())
        await gate.entered_async()
        for options in ({}, {"context": "share"}, {"abandon_on_cancel": True}):
            wrapped = bridge.sync_to_async(ran.append, **options)
            second = asyncio.create_task(wrapped(1))
            await settled()
            assert second.cancel("why")
            with pytest.raises(asyncio.CancelledError, match="why"):
                await second
            assert second.cancelled()
        gate.open()
        assert await first == "out"
        await bridge.sync_to_async(int)()
        assert ran == []

    run(main)


def test_a_running_call_is_waited_for(bridge: Bridge, options: dict[str, Any]) -> None:
    """The await ends when it ends, and is cancelled then, with the message."""

    async def main() -> None:
        gate = Gate()
        task = asyncio.create_task(bridge.sync_to_async(gate, **options)())
        await gate.entered_async()
        task.cancel("why")
        await settled()
        assert not task.done()
        gate.open()
        with pytest.raises(asyncio.CancelledError, match="why"):
            await task
        assert task.cancelled()

    run(main)


def test_cancelled_twice(bridge: Bridge, options: dict[str, Any]) -> None:
    """A second and third cancellation neither ends the wait nor gets lost."""

    async def main() -> None:
        gate = Gate()
        task = asyncio.create_task(bridge.sync_to_async(gate, **options)())
        await gate.entered_async()
        for number in range(1, 4):
            task.cancel(str(number))
            await settled()
            assert not task.done()
            assert task.cancelling() == number
        gate.open()
        await asyncio.wait([task])
        assert task.cancelled()

    run(main)


def test_cancelled_before_the_first_step(
    bridge: Bridge, options: dict[str, Any]
) -> None:
    """A task that is cancelled before it runs starts nothing."""

    async def main() -> None:
        ran: list[int] = []
        task = asyncio.create_task(bridge.sync_to_async(ran.append, **options)(1))
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()
        assert ran == []

    run(main)


def test_cancelled_with_its_own_request(
    bridge: Bridge, options: dict[str, Any]
) -> None:
    """A task that cancels itself and then calls: thrown in when it parks."""

    async def main() -> None:
        ran = Gate()
        ran.open()

        async def body() -> None:
            task = asyncio.current_task()
            assert task is not None
            task.cancel("own")
            await bridge.sync_to_async(ran, **options)()

        task = asyncio.create_task(body())
        with pytest.raises(asyncio.CancelledError, match="own"):
            await task

    run(main)


def test_a_cancellation_goes_before_an_exception(
    bridge: Bridge, options: dict[str, Any]
) -> None:
    """What the call raises is the cause, and no substitute."""

    async def main() -> None:
        gate = Gate()

        def fail() -> None:
            gate()
            raise LookupError

        task = asyncio.create_task(bridge.sync_to_async(fail, **options)())
        await gate.entered_async()
        task.cancel("why")
        await settled()
        gate.open()
        with pytest.raises(asyncio.CancelledError, match="why") as caught:
            await task
        causes = []
        cause: BaseException | None = caught.value
        while cause is not None:
            causes.append(type(cause))
            cause = cause.__cause__ or cause.__context__
        assert LookupError in causes

    run(main)


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
def test_an_interrupt_goes_before_a_cancellation(
    bridge: Bridge, kind: type[BaseException]
) -> None:
    """Ctrl-C inside a cancelled call is not lost."""
    gate = Gate()

    def interrupt() -> None:
        gate()
        raise kind

    async def main() -> None:
        call = bridge.sync_to_async(interrupt)
        current = asyncio.current_task()
        assert current is not None

        async def cancel() -> None:
            await gate.entered_async()
            current.cancel()
            await settled()
            gate.open()

        helper = asyncio.create_task(cancel())
        try:
            await call()
        except kind:
            current.uncancel()
            await helper
            return
        raise AssertionError

    run(main)


def test_uncancel_counts_stay_right(bridge: Bridge, options: dict[str, Any]) -> None:
    """asyncio.timeout around a running call: on time after its end, counts at 0."""

    async def main() -> None:
        gate = Gate()
        task = asyncio.current_task()
        assert task is not None

        async def release() -> None:
            await gate.entered_async()
            gate.open()

        helper = asyncio.create_task(release())
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0):
                await bridge.sync_to_async(gate, **options)()
        assert task.cancelling() == 0
        gate.open()
        helper.cancel()
        gate.entered.set()
        await asyncio.wait([helper])

    run(main)


def test_wait_for_and_shield(bridge: Bridge, options: dict[str, Any]) -> None:
    """wait_for waits for the end; shield lets the call go on alone."""

    async def main() -> None:
        gate = Gate()
        inner = asyncio.ensure_future(bridge.sync_to_async(gate, **options)())
        await gate.entered_async()
        waiting = asyncio.create_task(_wait_for(inner))
        while not inner.cancelling():  # noqa: ASYNC110  # nothing else tells
            await asyncio.sleep(0)
        await settled()
        assert not waiting.done()
        gate.open()
        with suppress(TimeoutError, asyncio.CancelledError):
            await waiting
        assert inner.cancelled()

        other = Gate()
        protected = asyncio.ensure_future(bridge.sync_to_async(other, **options)())
        outer = asyncio.create_task(_shielded(protected))
        await other.entered_async()
        outer.cancel()
        await asyncio.wait([outer])
        assert outer.cancelled()
        other.open()
        assert await protected == "out"

    run(main)


async def _wait_for(future: Awaitable[str]) -> str:
    return await asyncio.wait_for(future, 0.001)


async def _shielded(future: Awaitable[str]) -> str:
    return await asyncio.shield(future)


def test_task_group(bridge: Bridge, options: dict[str, Any]) -> None:
    """A sibling's failure cancels; the group ends when the thread is done."""

    async def main() -> None:
        gate = Gate()

        async def fail() -> None:
            await gate.entered_async()
            asyncio.get_running_loop().call_later(0, gate.open)
            raise LookupError

        with pytest.raises(ExceptionGroup) as caught:  # noqa: PT012  # a group is what raises
            async with asyncio.TaskGroup() as group:
                call = group.create_task(bridge.sync_to_async(gate, **options)())
                group.create_task(fail())
        assert [type(exc) for exc in caught.value.exceptions] == [LookupError]
        assert call.cancelled()
        assert gate.opened.is_set()

    run(main)


# -- hosted coroutines --


def test_the_coroutine_inside_is_cancelled(
    bridge: Bridge, options: dict[str, Any]
) -> None:
    """Blocking code inside async_to_sync sees the cancellation and cannot hide it."""

    async def main() -> None:
        inside, seen = asyncio.Event(), list[str]()

        async def wait() -> None:
            inside.set()
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError as exc:
                seen.append(str(exc))
                raise

        back = bridge.async_to_sync(wait)

        def swallow() -> str:
            with suppress(asyncio.CancelledError):
                back()
            return "as if nothing had been"

        task = asyncio.create_task(bridge.sync_to_async(swallow, **options)())
        await inside.wait()
        task.cancel("why")
        await asyncio.wait([task])
        assert task.cancelled()
        assert seen in (["why"], [""])  # an adopted task has its own message

    run(main)


def test_a_cancelled_request_starts_no_more_work(
    bridge: Bridge, options: dict[str, Any]
) -> None:
    """The next async_to_sync raises, once or any number of times."""

    async def main() -> None:
        gate, ran = Gate(), list[int]()

        async def work() -> None:
            ran.append(1)

        back = bridge.async_to_sync(work)

        def request() -> str:
            gate()
            for _ in range(2):
                with pytest.raises(asyncio.CancelledError, match="why"):
                    back()
            return "tried"

        task = asyncio.create_task(bridge.sync_to_async(request, **options)())
        await gate.entered_async()
        task.cancel("why")
        await settled()
        gate.open()
        await asyncio.wait([task])
        assert task.cancelled()
        assert ran == []

    run(main)


def test_cancelled_on_its_own_account(bridge: Bridge) -> None:
    """A coroutine that raises CancelledError by itself does not cancel the task."""

    async def give_up() -> None:
        raise asyncio.CancelledError

    back = bridge.async_to_sync(give_up)

    def call() -> str:
        with pytest.raises(asyncio.CancelledError):
            back()
        return "went on"

    assert run(bridge.sync_to_async(call)) == "went on"


def test_a_coroutine_that_resists(bridge: Bridge) -> None:
    """A timeout inside the coroutine is its own affair: nothing is cancelled."""

    async def patient() -> str:
        with suppress(TimeoutError):
            async with asyncio.timeout(0):
                await asyncio.Event().wait()
        return "in time"

    assert run(bridge.sync_to_async(bridge.async_to_sync(patient))) == "in time"


def test_a_coroutine_on_another_loop_is_cancelled(bridge: Bridge) -> None:
    """Below force_new_loop as well: the runner's task is cancelled."""

    async def main() -> None:
        inside = threading.Event()
        seen: list[str] = []

        async def wait() -> None:
            inside.set()
            try:
                await asyncio.Event().wait()
            finally:
                seen.append("ended")

        back = bridge.async_to_sync(wait, force_new_loop=True)
        task = asyncio.create_task(bridge.sync_to_async(back)())
        await asyncio.to_thread(inside.wait)
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()
        assert seen == ["ended"]

    run(main)


def test_a_new_loop_of_a_cancelled_request_starts_nothing(bridge: Bridge) -> None:
    """Its coroutine is never entered."""

    async def main() -> None:
        gate, ran = Gate(), list[int]()

        async def work() -> None:
            ran.append(1)

        back = bridge.async_to_sync(work, force_new_loop=True)

        def request() -> None:
            gate()
            with pytest.raises(asyncio.CancelledError):
                back()

        task = asyncio.create_task(bridge.sync_to_async(request)())
        await gate.entered_async()
        task.cancel()
        await settled()
        gate.open()
        await asyncio.wait([task])
        assert task.cancelled()
        assert ran == []

    run(main)


class Pause:
    """Stops a thread between being asked for a coroutine and asking the task."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.gate = Gate()
        hosted_call = HostedCall

        def make(*args: Any) -> object:  # noqa: ANN401  # hands them on
            self.gate()
            return hosted_call(*args)

        monkeypatch.setattr(_async_to_sync, "HostedCall", make)


def test_cancelled_between_the_request_and_its_coroutine(
    bridge: Bridge, options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A coroutine that is asked for while the task is being cancelled is refused."""
    pause = Pause(monkeypatch)

    async def main() -> None:
        ran: list[int] = []

        async def work() -> None:
            ran.append(1)

        back = bridge.async_to_sync(work)

        def request() -> None:
            with pytest.raises(asyncio.CancelledError, match="why"):
                back()

        task = asyncio.create_task(bridge.sync_to_async(request, **options)())
        await pause.gate.entered_async()
        task.cancel("why")
        await settled()
        pause.gate.open()
        await asyncio.wait([task])
        assert task.cancelled()
        assert ran == []

    run(main)


# -- abandoning --


def test_an_abandoned_call_runs_on(bridge: Bridge) -> None:
    """The await ends at once; what the call sets then is nobody's."""
    variable: ContextVar[str] = ContextVar("variable")

    async def main() -> None:
        reports = reporting()
        gate = Gate()

        def work() -> None:
            gate()
            variable.set("late")

        call = bridge.sync_to_async(work, abandon_on_cancel=True)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await call()
        assert gate.entered.is_set()
        gate.open()
        await bridge.sync_to_async(int)()
        await settled()
        assert reports == []
        assert variable.get("nothing") == "nothing"

    Context().run(run, main)


def test_a_late_exception_is_reported_once(bridge: Bridge) -> None:
    """Through the exception handler of the loop."""

    async def main() -> None:
        reports = reporting()
        gate = Gate()

        def fail() -> None:
            gate()
            raise LookupError

        call = bridge.sync_to_async(fail, abandon_on_cancel=True)
        task = asyncio.create_task(call())
        await gate.entered_async()
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()
        gate.open()
        await bridge.sync_to_async(int)()
        await settled()
        (report,) = reports
        assert isinstance(report["exception"], LookupError)
        assert "fail raised after its caller had stopped waiting" in report["message"]

    run(main)


def test_a_coroutine_of_an_abandoned_call(bridge: Bridge) -> None:
    """It runs in a task of its own, for its task has gone on, and is cancelled."""

    async def main() -> None:
        reports = reporting()
        gate, done = Gate(), threading.Event()
        seen: list[object] = []

        async def work() -> str:
            seen.append(asyncio.current_task())
            await asyncio.sleep(0)
            return "worked"

        back = bridge.async_to_sync(work)

        def request() -> None:
            gate()
            try:
                seen.append(back())
            except asyncio.CancelledError:
                seen.append("cancelled")
            done.set()

        call = bridge.sync_to_async(request, abandon_on_cancel=True)
        task = asyncio.create_task(call())
        await gate.entered_async()
        task.cancel()
        await asyncio.wait([task])
        gate.open()
        await asyncio.to_thread(done.wait)
        assert seen == ["cancelled"], "the request is cancelled: no more work for it"
        assert reports == []

    run(main)


def test_abandoned_while_its_coroutine_is_asked_for(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was asked for before the task left runs in a task of its own."""
    pause = Pause(monkeypatch)
    variable: ContextVar[str] = ContextVar("variable")

    async def main() -> None:
        done = threading.Event()
        seen: list[str] = []

        async def work() -> str:
            current = asyncio.current_task()
            assert current is not None
            seen.append(current.get_name())
            variable.set("by the coroutine")
            await asyncio.sleep(0)
            return "worked"

        async def fail() -> None:
            raise LookupError

        def request() -> None:
            seen.append(bridge.async_to_sync(work)())
            seen.append(variable.get())
            done.set()

        call = bridge.sync_to_async(request, abandon_on_cancel=True)
        task = asyncio.create_task(call(), name="left")
        await pause.gate.entered_async()
        task.cancel()
        await asyncio.wait([task])
        pause.gate.open()
        await asyncio.to_thread(done.wait)
        assert seen == [work.__qualname__, "worked", "by the coroutine"]

    run(main)


def test_the_coroutine_of_an_abandoned_call_fails(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its thread gets the exception."""
    pause = Pause(monkeypatch)

    async def main() -> None:
        done = threading.Event()

        async def fail() -> None:
            raise LookupError

        def request() -> None:
            with pytest.raises(LookupError):
                bridge.async_to_sync(fail)()
            done.set()

        call = bridge.sync_to_async(request, abandon_on_cancel=True)
        task = asyncio.create_task(call())
        await pause.gate.entered_async()
        task.cancel()
        await asyncio.wait([task])
        pause.gate.open()
        assert await asyncio.to_thread(done.wait, PATIENCE)

    run(main)


def test_an_abandoned_call_that_asks_and_is_withdrawn(bridge: Bridge) -> None:
    """A letter of a call that was left and has not ended is no outcome."""

    async def main() -> None:
        reports = reporting()
        gate = Gate()
        call = bridge.sync_to_async(gate, abandon_on_cancel=True)
        task = asyncio.create_task(call())
        await gate.entered_async()
        blocking: Any = waiter_of(task)
        task.cancel()
        await asyncio.wait([task])
        blocking.deliver()
        assert reports == []
        gate.open()

    run(main)


def test_a_timeout_is_on_time_when_abandoning(bridge: Bridge) -> None:
    """Nobody waits for the thread, which is still held when the timeout comes."""

    async def main() -> None:
        gate = Gate()
        call = bridge.sync_to_async(
            gate, thread_sensitive=False, abandon_on_cancel=True
        )
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(call(), 0.01)
        assert not gate.opened.is_set()
        gate.open()

    run(main)


# -- anyio --


class CountingLoop(asyncio.SelectorEventLoop):
    """A loop that counts its callbacks."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def call_soon(  # type: ignore[override]  # hands everything on
        self,
        callback: Callable[..., object],
        *args: Any,  # noqa: ANN401  # hands them on
        context: Any = None,  # noqa: ANN401  # as above
    ) -> asyncio.Handle:
        """Count and schedule."""
        self.count += 1
        return super().call_soon(callback, *args, context=context)


@pytest.mark.parametrize("inside", [True, False])
def test_a_cancelled_anyio_scope_does_not_spin(
    bridge: Bridge,
    inside: bool,  # noqa: FBT001  # a parameter of the test
) -> None:
    """The wait for a thread in a cancelled scope costs no callbacks."""
    loop = CountingLoop()

    async def main() -> None:
        gate = Gate()

        async def hosted() -> None:
            """Do nothing: the coroutine of a cancelled request."""

        back = bridge.async_to_sync(hosted)

        def request() -> None:
            gate()
            if inside:
                with pytest.raises(asyncio.CancelledError):
                    back()

        scope = anyio.CancelScope()

        async def work() -> bool:
            with scope:
                await bridge.sync_to_async(request)()
            return scope.cancelled_caught

        task = asyncio.create_task(work())
        await gate.entered_async()
        scope.cancel()
        await settled()
        before = loop.count
        await settled(50)
        assert loop.count - before < 60
        assert not task.done()
        gate.open()
        assert await task

    run(main, lambda: loop)


def test_move_on_after(bridge: Bridge) -> None:
    """anyio's timeout is honoured when the thread is done."""

    async def main() -> None:
        gate = Gate()

        async def release() -> None:
            await gate.entered_async()
            while not scope.cancel_called:  # noqa: ASYNC110  # nothing else tells
                await asyncio.sleep(0)
            gate.open()

        helper = asyncio.create_task(release())
        with anyio.move_on_after(0.01) as scope:
            await bridge.sync_to_async(gate)()
        assert scope.cancelled_caught
        await helper

    run(main)


def test_without_anyio_there_is_no_shield(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where it is not loaded nobody can have such a scope."""
    import sys  # noqa: PLC0415  # only here

    monkeypatch.delitem(sys.modules, "anyio")
    with _cancellation.shielded() as shield:
        assert shield is None


# -- the end of the loop --


def test_a_task_destroyed_with_its_loop(
    bridge: Bridge, caplog: pytest.LogCaptureFixture
) -> None:
    """Its queued call is withdrawn; what a running one raises goes to the log."""
    gate, ran = Gate(), list[int]()

    def fail() -> None:
        gate()
        raise LookupError

    async def main() -> None:
        # Begun as tasks do it, and destroyed as with a loop that is no more.
        running: Any = bridge.sync_to_async(fail)()
        queued: Any = bridge.sync_to_async(ran.append)(1)
        running.send(None)
        queued.send(None)
        await gate.entered_async()
        running.close()
        queued.close()

    run(main)
    gate.open()
    assert run(bridge.sync_to_async(int)) == 0
    assert ran == []
    (record,) = caplog.records
    assert "fail raised after its caller had stopped waiting for it" in record.message
    assert record.exc_info
    assert record.exc_info[0] is LookupError
