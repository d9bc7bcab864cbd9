"""What a `BlockingExecutor` promises beyond its type."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import CancelledError, Future, wait
from typing import ClassVar

import pytest

from ...types import BlockingExecutor
from ._tools import (
    SAFETY_NET,
    Blocker,
    DropWatch,
    call_close,
    expect_no_new_threads,
    fixture_missing,
)

__all__ = ("ExecutorConformance",)


class ExecutorConformance:
    """What a `BlockingExecutor` promises beyond its type.

    Subclass it, and provide a fixture ``executor`` that yields a new one for
    each test and closes it afterwards (closing twice must be harmless).

    Attributes:
        max_workers: How many calls run at once; 0 if there is no limit.
        is_inline: It runs calls on the submitting thread, within `submit`.
        in_order: It promises to start calls in the order of their submission.
        one_thread: It promises to run all calls on one thread.
    """

    max_workers: ClassVar[int] = 1
    is_inline: ClassVar[bool] = False
    in_order: ClassVar[bool] = False
    one_thread: ClassVar[bool] = False

    @pytest.fixture
    def executor(self) -> BlockingExecutor:
        """Provide the executor: yours overrides this one."""
        fixture_missing(type(self), "executor")

    def close(self, executor: BlockingExecutor) -> None:
        """Close it; override for executors that end in a way of their own."""
        call_close(executor)

    def workers(self) -> int:
        """Return how many calls fill the executor, or skip the test."""
        if self.is_inline or not self.max_workers:
            pytest.skip("needs an executor whose workers can all be busy")
        return self.max_workers

    # Results

    def test_result_arrives(self, executor: BlockingExecutor) -> None:
        """The future has what the function returned, the very object."""
        value = object()
        assert executor.submit(lambda: value).result(SAFETY_NET) is value

    def test_arguments_arrive(self, executor: BlockingExecutor) -> None:
        """All arguments are passed on, whatever the keywords are called."""

        def collect(*args: int, **kwargs: int) -> tuple[tuple[int, ...], object]:
            return args, kwargs

        future = executor.submit(collect, 1, 2, self=3, args=4, future=5, work=6)
        expected = ((1, 2), {"self": 3, "args": 4, "future": 5, "work": 6})
        assert future.result(SAFETY_NET) == expected

    @pytest.mark.parametrize(
        "exception",
        [
            ValueError("a"),
            StopIteration("b"),
            CancelledError("c"),
            TimeoutError("d"),
            SystemExit("e"),
            KeyboardInterrupt("f"),
            BaseException("g"),
        ],
        ids=lambda exception: type(exception).__name__,
    )
    def test_exception_arrives(
        self, executor: BlockingExecutor, exception: BaseException
    ) -> None:
        """The future has what the function raised, the very object."""

        def fail() -> None:
            raise exception

        assert executor.submit(fail).exception(SAFETY_NET) is exception
        assert executor.submit(int).result(SAFETY_NET) == 0  # and it works on

    def test_done_callback_is_called_once(self, executor: BlockingExecutor) -> None:
        """A callback of the future is called once, when it is done."""
        called = threading.Semaphore(0)
        states: list[bool] = []

        def callback(future: Future[int]) -> None:
            states.append(future.done())
            called.release()

        executor.submit(int).add_done_callback(callback)
        assert called.acquire(timeout=SAFETY_NET)
        executor.submit(int).result(SAFETY_NET)
        assert states == [True]

    # How often, where, in which order

    def test_many_submitters(self, executor: BlockingExecutor) -> None:
        """Every call runs exactly once, whoever submits at the same time."""
        submitters, each = 4, 25
        barrier = threading.Barrier(submitters)
        runs: list[tuple[int, int]] = []
        futures: list[Future[None]] = []

        def submit(submitter: int) -> None:
            barrier.wait(SAFETY_NET)
            futures.extend(
                executor.submit(runs.append, (submitter, number))
                for number in range(each)
            )

        threads = [
            threading.Thread(target=submit, args=(number,))
            for number in range(submitters)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(SAFETY_NET)
        assert len(futures) == submitters * each
        assert not wait(futures, SAFETY_NET).not_done
        expected = [(s, n) for s in range(submitters) for n in range(each)]
        assert sorted(runs) == expected

    def test_thread(self, executor: BlockingExecutor) -> None:
        """Calls run on another thread than the submitter's (on it, if inline)."""
        ran_on = executor.submit(threading.get_ident).result(SAFETY_NET)
        assert (ran_on == threading.get_ident()) is self.is_inline

    def test_no_running_loop_is_seen(self, executor: BlockingExecutor) -> None:
        """Blocking code sees no running event loop, for it may block."""

        def has_loop() -> bool:
            try:
                asyncio.get_running_loop()
            except RuntimeError:
                return False
            return True

        async def submit() -> bool:
            return await asyncio.wrap_future(executor.submit(has_loop))

        assert asyncio.run(submit()) is False

    def test_order(self, executor: BlockingExecutor) -> None:
        """Calls start in the order of their submission, if that is promised."""
        if not self.in_order:
            pytest.skip("the executor does not promise an order")
        started: list[int] = []
        with Blocker().occupying(executor, self.workers()):
            futures = [executor.submit(started.append, n) for n in range(50)]
        assert not wait(futures, SAFETY_NET).not_done
        assert started == list(range(50))

    def test_one_thread(self, executor: BlockingExecutor) -> None:
        """All calls run on one thread, if that is promised."""
        if not self.one_thread:
            pytest.skip("the executor does not promise one thread")
        futures = [executor.submit(threading.get_ident) for _ in range(50)]
        assert len({future.result(SAFETY_NET) for future in futures}) == 1

    def test_submit_does_not_wait(self, executor: BlockingExecutor) -> None:
        """Submitting returns while every worker is busy."""
        with Blocker().occupying(executor, self.workers()) as busy:
            future = executor.submit(int)
            assert not future.done()
            assert not any(blocked.done() for blocked in busy)
        assert future.result(SAFETY_NET) == 0

    def test_submit_from_within_a_call(self, executor: BlockingExecutor) -> None:
        """A call may submit another, as long as it does not wait for it."""
        inner = executor.submit(lambda: executor.submit(int)).result(SAFETY_NET)
        assert inner.result(SAFETY_NET) == 0

    # Cancelling

    def test_cancelled_call_never_runs(self, executor: BlockingExecutor) -> None:
        """A queued call that is cancelled never runs; the next one does."""
        ran: list[str] = []
        with Blocker().occupying(executor, self.workers()):
            cancelled = executor.submit(ran.append, "cancelled")
            assert cancelled.cancel()
        assert executor.submit(ran.append, "next").result(SAFETY_NET) is None
        assert cancelled.cancelled()
        assert ran == ["next"]

    def test_running_call_cannot_be_cancelled(self, executor: BlockingExecutor) -> None:
        """The future of a running call says so, and refuses to be cancelled."""
        with Blocker().occupying(executor, self.workers()) as busy:
            assert [future.running() for future in busy] == [True] * len(busy)
            assert [future.cancel() for future in busy] == [False] * len(busy)

    # References

    @pytest.mark.parametrize("outcome", ["returns", "raises"])
    def test_call_is_forgotten(self, executor: BlockingExecutor, outcome: str) -> None:
        """Arguments are dropped after the call, without another one coming."""
        dropped = threading.Event()

        def use(watch: DropWatch) -> DropWatch:
            if outcome == "raises":
                raise ValueError(outcome)
            return watch

        def submit_and_forget(function: Callable[[DropWatch], object]) -> None:
            wait([executor.submit(function, DropWatch(dropped))], SAFETY_NET)

        submit_and_forget(use)
        assert dropped.wait(SAFETY_NET)

    # Closing

    def test_submit_after_close(self, executor: BlockingExecutor) -> None:
        """A closed executor refuses calls with a RuntimeError."""
        executor.submit(int).result(SAFETY_NET)
        self.close(executor)
        with pytest.raises(RuntimeError):
            executor.submit(int)

    def test_close_without_use(self, executor: BlockingExecutor) -> None:
        """One that never ran anything can be closed, twice too."""
        self.close(executor)
        self.close(executor)
        with pytest.raises(RuntimeError):
            executor.submit(int)

    def test_no_accepted_call_is_lost(self, executor: BlockingExecutor) -> None:
        """What was accepted before the close is run, or cancelled: never neither."""
        closing = threading.Thread(target=self.close, args=(executor,))
        ran: list[int] = []
        with Blocker().occupying(executor, self.workers()):
            futures = [executor.submit(ran.append, n) for n in range(20)]
            closing.start()
        closing.join(SAFETY_NET)
        assert not wait(futures, SAFETY_NET).not_done
        done = [n for n, future in enumerate(futures) if not future.cancelled()]
        assert sorted(ran) == done

    def test_threads_end(self, executor: BlockingExecutor) -> None:
        """The threads that it started end with its close."""
        with expect_no_new_threads():
            executor.submit(int).result(SAFETY_NET)
            self.close(executor)
