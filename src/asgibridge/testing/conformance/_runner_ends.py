"""What a runner promises about how calls end."""

import asyncio
import gc
import threading
import weakref
from collections.abc import AsyncGenerator, Callable, Coroutine
from concurrent.futures import Future
from typing import Any

import pytest

from ...types import LoopRunner
from ._runner_base import RunnerSuite, run
from ._tools import SAFETY_NET, expect_no_new_threads

__all__ = ("RunnerEnds",)


def _end_of(
    runner: LoopRunner, function: Callable[[], Coroutine[Any, Any, None]]
) -> BaseException | None:
    """Return how a call ended, made on a thread that may hang for ever."""
    outcome: Future[None] = Future()

    def call() -> None:
        try:
            run(runner, function())
        except BaseException as exc:  # noqa: BLE001 - handed to the test's thread
            outcome.set_exception(exc)
        else:
            outcome.set_result(None)

    threading.Thread(target=call, daemon=True).start()
    return outcome.exception(SAFETY_NET)


class RunnerEnds(RunnerSuite):
    """Results, exceptions, cancellation, no silent hang, nothing left behind."""

    # Results and exceptions

    def test_result_arrives(self, runner: LoopRunner) -> None:
        """The caller gets what the coroutine returned, the very object."""
        value = object()

        async def give() -> object:
            return value

        async def give_later() -> object:
            await asyncio.sleep(0)
            return value

        assert run(runner, give()) is value
        assert run(runner, give_later()) is value

    @pytest.mark.parametrize("suspends", [False, True])
    @pytest.mark.parametrize(
        "exception",
        [
            ValueError("a"),
            TimeoutError("b"),
            BaseException("c"),
            ExceptionGroup("d", [ValueError("e")]),
        ],
        ids=lambda exception: type(exception).__name__,
    )
    def test_exception_arrives(
        self,
        runner: LoopRunner,
        exception: BaseException,
        *,
        suspends: bool,
    ) -> None:
        """The caller gets what the coroutine raised, the very object."""

        async def fail() -> None:
            if suspends:
                await asyncio.sleep(0)
            raise exception

        with pytest.raises(type(exception)) as caught:
            run(runner, fail())
        assert caught.value is exception

    @pytest.mark.parametrize("exception", [SystemExit("a"), KeyboardInterrupt("b")])
    def test_exit_arrives(self, runner: LoopRunner, exception: BaseException) -> None:
        """So does what ends programs, which loops treat in a way of their own."""

        async def leave() -> None:
            raise exception

        with pytest.raises(type(exception)):
            run(runner, leave())

    def test_exception_makes_no_cycle(self, runner: LoopRunner) -> None:
        """An exception is freed as soon as it is handled, without the collector."""

        class Seen(Exception):  # noqa: N818 - a name for a test
            pass

        async def fail() -> None:
            raise Seen

        def seen_exception() -> weakref.ref[Seen]:
            try:
                run(runner, fail())
            except Seen as exc:
                return weakref.ref(exc)
            pytest.fail("the exception did not arrive")

        gc.collect()
        gc.disable()
        try:
            seen = seen_exception()
            # Another run: the loop's thread may still be leaving the frames.
            run(runner, asyncio.sleep(0))
            assert seen() is None
        finally:
            gc.enable()

    # Cancellation

    def test_cancelled_coroutine(self, runner: LoopRunner) -> None:
        """A coroutine that is cancelled raises `asyncio.CancelledError`."""

        async def cancel_itself() -> None:
            task = asyncio.current_task()
            assert task is not None
            task.cancel()
            await asyncio.sleep(0)

        with pytest.raises(asyncio.CancelledError):
            run(runner, cancel_itself())

    def test_timeout_within(self, runner: LoopRunner) -> None:
        """Timeouts inside work, and leave the task uncancelled."""

        async def time_out() -> int:
            task = asyncio.current_task()
            assert task is not None
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0):
                    await asyncio.Event().wait()
            return task.cancelling()

        assert run(runner, time_out()) == 0

    # No silent hang

    def test_stopped_loop_is_an_error(self, runner: LoopRunner) -> None:
        """A loop that stops under the coroutine is an error, not a hang."""

        async def stop() -> None:
            asyncio.get_running_loop().stop()
            await asyncio.Event().wait()

        assert isinstance(_end_of(runner, stop), RuntimeError)

    def test_call_after_a_stopped_loop(self, runner: LoopRunner) -> None:
        """A loop that was stopped is replaced, or is an error for later calls."""

        async def stop() -> None:
            asyncio.get_running_loop().stop()

        async def come_later() -> None:
            await asyncio.sleep(0)

        _end_of(runner, stop)
        assert isinstance(_end_of(runner, come_later), RuntimeError | None)

    # Nothing left behind

    def test_tasks_left(self, runner: LoopRunner) -> None:
        """Tasks left on a loop for one call are ended; on a shared one they live."""
        ended = threading.Event()
        tasks: list[asyncio.Task[None]] = []

        async def linger() -> None:
            try:
                await asyncio.Event().wait()
            finally:
                await asyncio.sleep(0)  # ending may take a few steps
                ended.set()

        async def leave() -> None:
            tasks.append(asyncio.create_task(linger()))
            await asyncio.sleep(0)

        async def cancel() -> None:
            tasks[0].cancel()
            await asyncio.wait(tasks)

        run(runner, leave())
        assert ended.is_set() is not self.shares_loop
        if self.shares_loop:
            run(runner, cancel())
        assert tasks[0].cancelled()

    def test_async_generators_left(self, runner: LoopRunner) -> None:
        """Generators left on a loop for one call are closed on it."""
        if self.shares_loop:
            pytest.skip("a shared loop closes them when it ends")
        closed: list[bool] = []

        async def generate() -> AsyncGenerator[int]:
            try:
                yield 1
            finally:
                await asyncio.sleep(0)
                closed.append(True)

        generator = generate()

        async def leave() -> int:
            return await anext(generator)

        assert run(runner, leave()) == 1
        assert closed == [True]

    def test_later_call_starts_clean(self, runner: LoopRunner) -> None:
        """What one call left scheduled is not run during a later one."""
        if self.shares_loop:
            pytest.skip("a shared loop goes on with it")
        ran: list[int] = []

        async def leave() -> None:
            loop = asyncio.get_running_loop()
            loop.call_later(0, ran.append, 1)
            loop.call_soon(loop.call_soon, ran.append, 2)

        async def look() -> None:
            for _ in range(3):
                await asyncio.sleep(0)

        run(runner, leave())
        before = list(ran)  # the end of the first call may still run some of it
        run(runner, look())
        assert ran == before

    def test_same_loop(self, runner: LoopRunner) -> None:
        """All calls run on one loop, if that is promised."""
        if not self.shares_loop:
            pytest.skip("the runner does not promise one loop")

        async def loop() -> asyncio.AbstractEventLoop:
            return asyncio.get_running_loop()

        assert run(runner, loop()) is run(runner, loop())

    def test_run_after_close(self, runner: LoopRunner) -> None:
        """A closed runner raises a RuntimeError, and closes the coroutine."""
        run(runner, asyncio.sleep(0))
        self.close(runner)
        coro = asyncio.sleep(0)
        with pytest.raises(RuntimeError):
            run(runner, coro)
        # It was closed: to await it now says so.  If it was not, Python warns
        # of a coroutine never awaited.
        with pytest.raises(RuntimeError, match="cannot reuse"):
            coro.send(None)

    def test_threads_end(self, runner: LoopRunner) -> None:
        """The threads that it started end with its close."""
        with expect_no_new_threads():
            run(runner, asyncio.sleep(0))
            self.close(runner)
