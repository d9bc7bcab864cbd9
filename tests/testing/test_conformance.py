"""The conformance suites, run on executors that are known to keep them."""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from contextvars import Context
from typing import Any, ParamSpec, TypeVar, final

import attrs
import pytest

from asgibridge.errors import ExecutorClosedError, NothingPendingError
from asgibridge.testing import InlineExecutor, ManualExecutor
from asgibridge.testing.conformance import (
    ExecutorConformance,
    LeaseConformance,
    PostConformance,
    RunnerConformance,
)
from asgibridge.types import BlockingExecutor, CallerExecutor, Runnable

P = ParamSpec("P")
T = TypeVar("T")


class TestThreadPool(ExecutorConformance):
    """The standard library's pool."""

    max_workers = 3
    in_order = False

    @pytest.fixture
    def executor(self) -> Iterator[BlockingExecutor]:
        with ThreadPoolExecutor(3) as pool:
            yield pool


class TestOneThread(ExecutorConformance):
    """The standard library's pool of one thread, which keeps more promises."""

    in_order = True
    one_thread = True

    @pytest.fixture
    def executor(self) -> Iterator[BlockingExecutor]:
        with ThreadPoolExecutor(1) as pool:
            yield pool


class TestInline(ExecutorConformance):
    """The executor without threads."""

    is_inline = True

    @pytest.fixture
    def executor(self) -> Iterator[BlockingExecutor]:
        with InlineExecutor() as executor:
            yield executor


class TestManual(ExecutorConformance):
    """The executor that runs what it is told to, told by one thread."""

    in_order = True
    one_thread = True

    @pytest.fixture
    def executor(self) -> Iterator[BlockingExecutor]:
        executor = ManualExecutor()

        def drive() -> None:
            with suppress(ExecutorClosedError):
                while True:
                    executor.wait_pending()
                    with suppress(NothingPendingError):  # cancelled meanwhile
                        executor.run_next()

        thread = threading.Thread(target=drive)
        with executor:
            thread.start()
            yield executor
        thread.join()


@final
@attrs.define(eq=False)
class PoolLease:
    """A lease that is a pool of one thread."""

    _pool: ThreadPoolExecutor = attrs.field(factory=lambda: ThreadPoolExecutor(1))

    def submit(
        self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs
    ) -> Future[T]:
        return self._pool.submit(fn, *args, **kwargs)

    def release(self) -> None:
        self._pool.shutdown(wait=False)


@final
class PoolLender:
    """An executor that lends, and takes work, by starting threads."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(1)

    def lease(self) -> PoolLease:
        return PoolLease()

    def post(self, work: Runnable, /) -> None:
        self._pool.submit(work.run)

    def close(self) -> None:
        self._pool.shutdown()


class TestLease(LeaseConformance):
    """A lease that is a pool of its own."""

    @pytest.fixture
    def lender(self) -> Iterator[PoolLender]:
        lender = PoolLender()
        yield lender
        lender.close()


class TestPost(PostConformance):
    """Work run by a pool of one thread."""

    in_order = True

    @pytest.fixture
    def poster(self) -> Iterator[PoolLender]:
        poster = PoolLender()
        yield poster
        poster.close()


class TestUnorderedPost(TestPost):
    """The same, promising less."""

    in_order = False


async def settle(coro: Coroutine[Any, Any, T], box: list[Future[T]]) -> None:
    """Await *coro*; its outcome goes to the future in *box*, if that is still there.

    Not through `asyncio.run`, which leaves a cycle of exception, traceback and
    task behind.  From 3.12 on a traceback leads to the frames of the loop as
    well, so none of those may hold the future: hence the box.
    """
    try:
        result = await coro
    except BaseException as exc:  # noqa: BLE001 - handed to the blocked caller
        if box and not box[0].done():  # as when the loop was stopped
            box.pop().set_exception(exc)
    else:
        box.pop().set_result(result)


def run_alone(
    coro: Coroutine[Any, Any, T], box: list[Future[T]], context: Context
) -> None:
    """Run *coro* as `asyncio.run` does."""
    with asyncio.Runner() as runner:
        try:
            runner.run(settle(coro, box), context=context)
        except RuntimeError as exc:  # the loop was stopped
            box.pop().set_exception(exc)


@final
@attrs.define(eq=False)
class AsyncioRunner:
    """One thread and one `asyncio.run` for each call."""

    _closed: bool = attrs.field(default=False, init=False)

    def run(
        self,
        coro: Coroutine[Any, Any, T],
        /,
        *,
        context: Context,
        caller: CallerExecutor,
    ) -> T:
        if self._closed:
            coro.close()
            raise RunnerClosedError

        outcome = Future[T]()

        with ThreadPoolExecutor(1) as pool:
            pool.submit(run_alone, coro, [outcome], context)
            try:
                caller.run_until_future(outcome)
                return outcome.result()
            finally:
                del outcome

    def close(self) -> None:
        self._closed = True


class RunnerClosedError(RuntimeError):
    """Raised by the runners of this file after their close."""


@final
class SharedLoopRunner:
    """One loop on one thread for all calls, as simple as can be."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        self._lock = threading.Lock()
        self._running: set[Future[Any]] | None = set()  # None: the loop has ended
        self._tasks: set[asyncio.Task[None]] = set()

    def run(
        self,
        coro: Coroutine[Any, Any, T],
        /,
        *,
        context: Context,
        caller: CallerExecutor,
    ) -> T:
        outcome = Future[T]()
        try:
            with self._lock:
                if self._running is None:
                    raise RunnerClosedError
                self._running.add(outcome)
                self._loop.call_soon_threadsafe(self._start, coro, outcome, context)
            caller.run_until_future(outcome)
            return outcome.result()
        except RuntimeError:
            coro.close()
            raise
        finally:
            with self._lock:
                if self._running is not None:
                    self._running.discard(outcome)
            del outcome

    def close(self) -> None:
        with self._lock:  # a loop that has ended is on its way out: leave it alone
            if self._running is not None:
                self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def _start(
        self, coro: Coroutine[Any, Any, T], outcome: Future[T], context: Context
    ) -> None:
        task = self._loop.create_task(settle(coro, [outcome]), context=context)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.get_loop().run_forever()
            with self._lock:
                running, self._running = self._running or set(), None
            for outcome in running:
                if not outcome.done():  # its caller has not taken it away yet
                    outcome.set_exception(RunnerClosedError("the loop stopped"))


class TestSharedLoopRunner(RunnerConformance):
    """A runner with one loop for all calls."""

    shares_loop = True

    @pytest.fixture
    def runner(self) -> Iterator[SharedLoopRunner]:
        runner = SharedLoopRunner()
        yield runner
        runner.close()


class TestPerCallRunner(RunnerConformance):
    """A runner with a loop for each call."""

    @pytest.fixture
    def runner(self) -> AsyncioRunner:
        return AsyncioRunner()
