"""Cancellation: a queued call never runs, a running one is waited for."""

import asyncio
import threading
from contextlib import suppress

import anyio

from tests.oracle._model import Subject, clauses
from tests.oracle._tools import PATIENCE, AdvancedLoop, Gate, run, settled

__all__ = ("CLAUSES",)


def cancelled_while_queued(subject: Subject) -> None:
    """A cancelled call that is queued never runs, and its await ends at once."""

    async def main() -> None:
        gate = Gate()
        ran: list[str] = []
        first = asyncio.create_task(subject.sync_to_async(gate)())
        await gate.wait_entered()
        second = asyncio.create_task(subject.sync_to_async(ran.append)("ran"))
        await settled()
        second.cancel()
        await asyncio.wait([second], timeout=PATIENCE)
        assert second.cancelled()
        gate.open()
        await first
        await subject.sync_to_async(str)()  # behind it, had it stayed
        assert ran == []

    run(main)


def cancelled_while_running(subject: Subject) -> None:
    """The await of a running call ends when it ends, and is cancelled then."""

    async def main() -> None:
        gate = Gate()
        task = asyncio.create_task(subject.sync_to_async(gate)())
        await gate.wait_entered()
        task.cancel()
        await settled()
        assert not task.done(), "the call still runs"
        gate.open()
        await asyncio.wait([task])
        assert task.cancelled()
        assert gate.left

    run(main)


def cancelled_twice(subject: Subject) -> None:
    """A second cancellation does not end the wait earlier, nor is it lost."""

    async def main() -> None:
        gate = Gate()
        task = asyncio.create_task(subject.sync_to_async(gate)())
        await gate.wait_entered()
        task.cancel()
        await settled()
        task.cancel()
        await settled()
        assert not task.done(), "the call still runs"
        assert task.cancelling() == 2
        gate.open()
        await asyncio.wait([task])
        assert task.cancelled()

    run(main)


def cancelled_call_that_raises(subject: Subject) -> None:
    """A cancellation wins over what the running call raises."""

    async def main() -> None:
        gate = Gate()

        def fails() -> None:
            gate()
            raise LookupError

        task = asyncio.create_task(subject.sync_to_async(fails)())
        await gate.wait_entered()
        task.cancel()
        await settled()
        assert not task.done(), "the call still runs"
        gate.open()
        await asyncio.wait([task])
        assert task.cancelled()

    run(main)


def cancelled_inside_async_to_sync(subject: Subject) -> None:
    """The coroutine that blocking code waits for is cancelled."""

    async def main() -> None:
        inside = asyncio.Event()
        seen: list[str] = []

        async def waits() -> None:
            inside.set()
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                seen.append("cancelled")
                raise

        call = subject.sync_to_async(subject.async_to_sync(waits))
        task = asyncio.create_task(call())
        await inside.wait()
        task.cancel()
        await asyncio.wait([task], timeout=PATIENCE)
        assert task.cancelled()
        assert seen == ["cancelled"]

    run(main)


def cancellation_cannot_be_swallowed(subject: Subject) -> None:
    """Blocking code that catches the error and returns is cancelled all the same."""

    async def main() -> None:
        inside = asyncio.Event()

        async def waits() -> None:
            inside.set()
            await asyncio.Event().wait()

        back = subject.async_to_sync(waits)

        def swallows() -> str:
            with suppress(asyncio.CancelledError):
                back()
            return "as if nothing had been"

        task = asyncio.create_task(subject.sync_to_async(swallows)())
        await inside.wait()
        task.cancel()
        await asyncio.wait([task], timeout=PATIENCE)
        assert task.cancelled()

    run(main)


def no_more_work_after_cancellation(subject: Subject) -> None:
    """The next async_to_sync of a cancelled request raises, and starts nothing."""

    async def main() -> None:
        gate = Gate()
        started: list[str] = []
        errors: list[str] = []

        async def more_work() -> None:
            started.append("started")

        more = subject.async_to_sync(more_work)

        def blocking() -> None:
            gate()
            try:
                more()
            except BaseException as exc:
                errors.append(type(exc).__name__)
                raise

        task = asyncio.create_task(subject.sync_to_async(blocking)())
        await gate.wait_entered()
        task.cancel()
        await settled()
        gate.open()
        await asyncio.wait([task])
        await subject.sync_to_async(str)()  # behind it
        assert errors == ["CancelledError"]
        assert started == []

    run(main)


def cancelled_at_context_exit(subject: Subject) -> None:
    """A cancellation that arrives at the exit of a context is not lost."""

    async def main() -> None:
        gate = Gate()

        async def request() -> str:
            async with subject.thread_sensitive_context():
                await subject.sync_to_async(str)()
                task = asyncio.current_task()
                assert task is not None
                task.cancel()
            await asyncio.sleep(0)
            return "went on"

        task = asyncio.create_task(request())
        await asyncio.wait([task])
        assert task.cancelled()
        gate.open()

    run(main)


def cancelled_in_context(subject: Subject) -> None:
    """A context that is left by a cancellation is left when its call has ended."""

    async def main() -> None:
        gate = Gate()
        left_after: list[bool] = []

        async def request() -> None:
            try:
                async with subject.thread_sensitive_context():
                    await subject.sync_to_async(gate)()
            finally:
                left_after.append(gate.left)

        task = asyncio.create_task(request())
        await gate.wait_entered()
        task.cancel()
        await settled()
        task.cancel()
        await settled()
        gate.open()
        await asyncio.wait([task])
        assert task.cancelled()
        assert left_after == [True]

    run(main)


def timeout_is_kept(subject: Subject) -> None:
    """asyncio.timeout() raises TimeoutError, after the call, and counts are right."""

    async def main() -> None:
        gate = Gate()
        outcome: list[object] = []

        async def request(limit: asyncio.Timeout) -> None:
            try:
                async with limit:
                    await subject.sync_to_async(gate)()
            except TimeoutError:
                outcome.append(gate.left)
            current = asyncio.current_task()
            assert current is not None
            outcome.append(current.cancelling())

        limit = asyncio.timeout(None)
        task = asyncio.create_task(request(limit))
        await gate.wait_entered()
        limit.reschedule(0)
        await settled()
        assert not task.done(), "the call still runs"
        gate.open()
        await task
        assert outcome == [True, 0]

    run(main)


def wait_for_is_kept(subject: Subject) -> None:
    """asyncio.wait_for() raises TimeoutError, and not before the call has ended."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, AdvancedLoop)
        gate = Gate()
        call = subject.sync_to_async(gate)
        task = asyncio.create_task(asyncio.wait_for(call(), 1000))
        await gate.wait_entered()
        loop.advance(1001)
        await settled()
        assert not task.done(), "the call still runs"
        gate.open()
        await asyncio.wait([task])
        assert isinstance(task.exception(), TimeoutError)

    run(main, AdvancedLoop)


def task_group_waits(subject: Subject) -> None:
    """A TaskGroup that fails waits for its members' running calls."""

    async def main() -> None:
        gate, failing = Gate(), asyncio.Event()

        async def fails() -> None:
            await gate.wait_entered()
            failing.set()
            raise LookupError

        async def request() -> None:
            async with asyncio.TaskGroup() as group:
                group.create_task(subject.sync_to_async(gate)())
                group.create_task(fails())

        task = asyncio.create_task(request())
        await failing.wait()
        await settled()
        assert not task.done(), "the call still runs"
        gate.open()
        await asyncio.wait([task])
        exc = task.exception()
        assert isinstance(exc, ExceptionGroup)
        assert [type(it) for it in exc.exceptions] == [LookupError]

    run(main)


def shield_protects(subject: Subject) -> None:
    """What asyncio.shield() protects runs on and keeps its result."""

    async def main() -> None:
        gate = Gate()
        inner = asyncio.create_task(subject.sync_to_async(gate)())

        async def outer() -> None:
            await asyncio.shield(inner)

        task = asyncio.create_task(outer())
        await gate.wait_entered()
        task.cancel()
        await asyncio.wait([task], timeout=PATIENCE)
        assert task.cancelled()
        assert not inner.done()
        gate.open()
        assert await inner == "out"

    run(main)


def anyio_scope_does_not_spin(subject: Subject) -> None:
    """A cancelled anyio scope waits for the call without keeping the loop busy."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, AdvancedLoop)
        gate = Gate()
        scopes: list[anyio.CancelScope] = []
        after: list[bool] = []

        async def request() -> None:
            with anyio.CancelScope() as scope:
                scopes.append(scope)
                await subject.sync_to_async(gate)()
            after.append(gate.left)

        task = asyncio.create_task(request())
        await gate.wait_entered()
        scopes[0].cancel()
        await settled()
        assert not task.done(), "the call still runs"
        before = loop.scheduled
        await settled(100)
        assert loop.scheduled - before <= 110, "the loop is kept busy"
        gate.open()
        await asyncio.wait([task])
        assert task.exception() is None
        assert scopes[0].cancelled_caught
        assert after == [True]

    run(main, AdvancedLoop)


def abandoned_on_time(subject: Subject) -> None:
    """Where the caller asked to abandon, a timeout is honoured on time."""

    async def main() -> None:
        gate = Gate()

        async def request(limit: asyncio.Timeout) -> bool:
            call = subject.sync_to_async(gate, abandon_on_cancel=True)
            try:
                async with limit:
                    await call()
            except TimeoutError:
                return gate.left
            return True

        limit = asyncio.timeout(None)
        task = asyncio.create_task(request(limit))
        await gate.wait_entered()
        limit.reschedule(0)
        await asyncio.wait([task], timeout=PATIENCE)
        assert task.done()
        assert task.result() is False
        gate.open()
        await subject.sync_to_async(str)()  # behind it
        assert gate.left

    run(main)


def late_exceptions_are_reported(subject: Subject) -> None:
    """What an abandoned call raises is reported once, to the loop's handler."""

    async def main() -> None:
        gate = Gate()
        reported: list[BaseException | None] = []
        told = asyncio.Event()

        def handler(
            _loop: asyncio.AbstractEventLoop, context: dict[str, object]
        ) -> None:
            exc = context.get("exception")
            assert isinstance(exc, BaseException)
            reported.append(exc)
            told.set()

        def fails() -> None:
            gate()
            msg = "late"
            raise LookupError(msg)

        asyncio.get_running_loop().set_exception_handler(handler)
        call = subject.sync_to_async(fails, abandon_on_cancel=True)
        task = asyncio.create_task(call())
        await gate.wait_entered()
        task.cancel()
        await asyncio.wait([task], timeout=PATIENCE)
        assert task.cancelled()
        gate.open()
        await subject.sync_to_async(str)()  # behind it
        await settled()
        assert [str(exc) for exc in reported] == ["late"]

    run(main)


def outermost_call_is_cancelled_by_its_thread(subject: Subject) -> None:
    """An exception in a call back reaches the coroutine, not only the thread."""
    seen: list[str] = []

    def fails() -> None:
        seen.append(threading.current_thread().name)
        raise LookupError

    async def main() -> str:
        try:
            await subject.sync_to_async(fails)()
        except LookupError:
            return "caught in the coroutine"
        return "not raised"

    assert subject.async_to_sync(main)() == "caught in the coroutine"
    assert seen == [threading.current_thread().name]


CLAUSES = clauses(
    "Cancellation",
    (
        cancelled_while_queued,
        cancelled_while_running,
        cancelled_twice,
        cancelled_call_that_raises,
        cancelled_inside_async_to_sync,
        cancellation_cannot_be_swallowed,
        no_more_work_after_cancellation,
        cancelled_at_context_exit,
        cancelled_in_context,
        timeout_is_kept,
        wait_for_is_kept,
        task_group_waits,
        shield_protects,
        anyio_scope_does_not_spin,
        abandoned_on_time,
        late_exceptions_are_reported,
        outermost_call_is_cancelled_by_its_thread,
    ),
)
