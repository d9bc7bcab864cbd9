"""The conformance suites fail for executors and runners that break a promise."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from contextvars import Context
from typing import Any, ParamSpec, TypeVar, cast, final

import pytest

from asgibridge.testing.conformance import (
    ExecutorConformance,
    RunnerConformance,
    _executors,
    _runner_ends,
    _tools,
)
from asgibridge.types import CallerExecutor

pytest_plugins = ["pytester"]

P = ParamSpec("P")
T = TypeVar("T")


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the suites' safety nets be reached soon: here they are the test."""
    for module in (_tools, _executors, _runner_ends):
        monkeypatch.setattr(module, "SAFETY_NET", 0.05)


class Pool:
    """A pool of one thread, to be broken in one way by each subclass."""

    def __init__(self) -> None:
        self.pool = ThreadPoolExecutor(1)

    def submit(
        self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs
    ) -> Future[T]:
        return self.pool.submit(fn, *args, **kwargs)

    def close(self) -> None:
        self.pool.shutdown()


class Twice(Pool):
    """Runs every call twice."""

    def submit(
        self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs
    ) -> Future[T]:
        self.pool.submit(fn, *args, **kwargs)
        return self.pool.submit(fn, *args, **kwargs)


class OwnKeyword(Pool):
    """Has a parameter that a keyword of the call can collide with."""

    def submit(  # type: ignore[override] # what the test is about
        self, fn: Callable[..., T], /, *args: object, work: int = 0, **kwargs: object
    ) -> Future[T]:
        del work
        return self.pool.submit(fn, *args, **kwargs)


class CopiesException(Pool):
    """Raises another exception than the call did."""

    def submit(
        self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs
    ) -> Future[T]:
        def run() -> T:
            try:
                return fn(*args, **kwargs)
            except BaseException as exc:  # noqa: BLE001 - what the test is about
                raise type(exc)(*exc.args) from None

        return self.pool.submit(run)


class Waits(Pool):
    """Returns when the call is done."""

    def submit(
        self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs
    ) -> Future[T]:
        future = self.pool.submit(fn, *args, **kwargs)
        with suppress(BaseException):
            future.result(0.1)
        return future


class RunsCancelled(Pool):
    """Runs a call whose future was cancelled."""

    def submit(
        self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs
    ) -> Future[T]:
        outer = Future[T]()

        def run() -> None:
            with suppress(BaseException):
                result = fn(*args, **kwargs)
                outer.set_result(result)

        self.pool.submit(run)
        return outer


class Keeps(Pool):
    """Keeps the arguments of its last call."""

    def submit(
        self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs
    ) -> Future[T]:
        self.last = (args, kwargs)
        return super().submit(fn, *args, **kwargs)


class AcceptsAfterClose(Pool):
    """Accepts calls after its close, and never runs them."""

    def submit(
        self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs
    ) -> Future[T]:
        with suppress(RuntimeError):
            return super().submit(fn, *args, **kwargs)
        return Future()


class Loses(Pool):
    """Forgets what it has not run when it is closed."""

    def submit(
        self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs
    ) -> Future[T]:
        outer = Future[T]()

        def run() -> None:
            outer.set_running_or_notify_cancel()
            outer.set_result(fn(*args, **kwargs))

        self.pool.submit(run)
        return outer

    def close(self) -> None:
        self.pool.shutdown(cancel_futures=True)


class LeavesThread(Pool):
    """Does not end its thread."""

    def close(self) -> None:
        """Forget it."""


class Suite(ExecutorConformance):
    """A suite that promises all there is to promise."""

    in_order = True
    one_thread = True


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(
    ("broken", "test"),
    [
        (Twice, Suite.test_many_submitters),
        (OwnKeyword, Suite.test_arguments_arrive),
        (Waits, Suite.test_submit_does_not_wait),
        (RunsCancelled, Suite.test_cancelled_call_never_runs),
        (RunsCancelled, Suite.test_running_call_cannot_be_cancelled),
        (AcceptsAfterClose, Suite.test_submit_after_close),
        (AcceptsAfterClose, Suite.test_close_without_use),
        (Loses, Suite.test_no_accepted_call_is_lost),
        (LeavesThread, Suite.test_threads_end),
    ],
)
def test_broken_executor_is_caught(
    broken: type[Pool], test: Callable[[Suite, Pool], None]
) -> None:
    """The test about the promise that is broken fails."""
    executor = broken()
    try:
        with pytest.raises((AssertionError, pytest.fail.Exception)):
            test(Suite(), executor)
    finally:
        executor.pool.shutdown()


@pytest.mark.usefixtures("impatient")
def test_broken_exceptions_are_caught() -> None:
    """So do those about exceptions and references."""
    with pytest.raises(AssertionError):
        Suite().test_exception_arrives(CopiesException(), ValueError("a"))
    with pytest.raises(AssertionError):
        Suite().test_call_is_forgotten(Keeps(), "returns")


def test_pool_of_several_is_not_one_thread() -> None:
    """The promise of one thread is not kept by a pool of several."""
    barrier = threading.Barrier(2)

    class InPairs(Pool):
        """Makes every second call run on another thread, at the same time."""

        def submit(
            self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs
        ) -> Future[T]:
            def run() -> T:
                barrier.wait(60)
                return fn(*args, **kwargs)

            return self.pool.submit(run)

    executor = InPairs()
    executor.pool = ThreadPoolExecutor(2)
    with pytest.raises(AssertionError):
        Suite().test_one_thread(executor)
    executor.close()


def test_loop_in_a_worker_is_caught() -> None:
    """An executor that runs calls where a loop runs is caught."""

    class OnThisThread(Pool):
        """Runs calls on the submitting thread as they are."""

        def submit(
            self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs
        ) -> Future[T]:
            future = Future[T]()
            future.set_result(fn(*args, **kwargs))
            return future

    with pytest.raises(AssertionError):
        Suite().test_no_running_loop_is_seen(OnThisThread())


@pytest.mark.usefixtures("impatient")
def test_too_many_workers_declared() -> None:
    """A suite that expects more workers than there are says so."""

    class Optimistic(ExecutorConformance):
        max_workers = 2

    with (
        ThreadPoolExecutor(1) as pool,
        pytest.raises(AssertionError, match="does not run 2 calls at once; set `max_"),
    ):
        Optimistic().test_submit_does_not_wait(pool)


def test_no_way_to_close() -> None:
    """Tests about the close are skipped for what cannot be closed."""
    with pytest.raises(pytest.skip.Exception, match="neither close"):
        _tools.call_close(object())


class Naive:
    """Runs the coroutine with `asyncio.run` in a thread, and no more."""

    def run(
        self,
        coro: Coroutine[Any, Any, T],
        /,
        *,
        context: Context,
        caller: CallerExecutor,
    ) -> T:
        del context
        with ThreadPoolExecutor(1) as pool:
            future = pool.submit(asyncio.run, coro)
            caller.run_until_future(future)
            return future.result()


@pytest.mark.parametrize(
    "test",
    [
        RunnerConformance.test_context_is_seen,
        RunnerConformance.test_exception_makes_no_cycle,
    ],
)
def test_naive_runner_is_caught(
    test: Callable[[RunnerConformance, Naive], None],
) -> None:
    """A runner that forgets the context, or makes cycles, is caught."""
    with pytest.raises(AssertionError):
        test(RunnerConformance(), Naive())


@final
class SwallowsExceptions:
    """Returns nothing where it should raise."""

    def run(
        self,
        coro: Coroutine[Any, Any, T],
        /,
        *,
        context: Context,
        caller: CallerExecutor,
    ) -> T:
        with suppress(BaseException):
            return Naive().run(coro, context=context, caller=caller)
        return cast("T", None)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(
    "test",
    [
        RunnerConformance.test_stopped_loop_is_an_error,
        RunnerConformance.test_exception_makes_no_cycle,
        RunnerConformance.test_cancelled_coroutine,
        RunnerConformance.test_context_can_be_read_afterwards,
    ],
)
def test_swallowed_exceptions_are_caught(
    test: Callable[[RunnerConformance, SwallowsExceptions], None],
) -> None:
    """A runner that swallows exceptions is caught."""
    with pytest.raises((AssertionError, KeyError, pytest.fail.Exception)):
        test(RunnerConformance(), SwallowsExceptions())


def test_missing_fixture_is_explained(pytester: pytest.Pytester) -> None:
    """A suite without its fixture says which one it needs."""
    pytester.makepyfile(
        """
        from asgibridge.testing import conformance as c

        class TestExecutor(c.ExecutorConformance): pass
        class TestLease(c.LeaseConformance): pass
        class TestPost(c.PostConformance): pass
        class TestRunner(c.RunnerConformance): pass
        class TestSource(c.SourceConformance): pass
        class TestSink(c.SinkConformance): pass
        """
    )
    result = pytester.runpytest_inprocess("-p", "no:cacheprovider")
    outcomes = result.parseoutcomes()
    assert set(outcomes) == {"errors", "failed"}
    result.stdout.fnmatch_lines_random(
        [
            "*TestExecutor needs a method or fixture 'executor'*",
            "*TestLease needs a method or fixture 'lender'*",
            "*TestPost needs a method or fixture 'poster'*",
            "*TestRunner needs a method or fixture 'runner'*",
            "*TestSource needs a method or fixture 'make_source'*",
            "*TestSink needs a method or fixture 'make_sink'*",
        ]
    )
