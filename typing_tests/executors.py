"""What fits which interface, and what submit() tells of its result."""

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from contextvars import Context
from typing import Any, ParamSpec, TypeVar, assert_type

from asgibridge.executors import (
    CurrentThreadExecutor,
    PerCallLoopRunner,
    PersistentLoopRunner,
    ThreadLease,
    ThreadSensitivePool,
    WorkerPool,
)
from asgibridge.types import (
    BlockingExecutor,
    CallerExecutor,
    ExecutorLease,
    LoopRunner,
    Runnable,
    SingleThreadRunner,
    SupportsLease,
    SupportsPost,
    SupportsSingleThread,
)

P = ParamSpec("P")
T = TypeVar("T")


def length(text: str, *, strict: bool = False) -> int:
    """Block."""
    return len(text) + strict


def takes_executor(executor: BlockingExecutor) -> None:
    """Take something to submit to."""


def takes_runner(runner: LoopRunner) -> None:
    """Take something that runs coroutines."""


for executor in (
    CurrentThreadExecutor(),
    ThreadSensitivePool(),
    WorkerPool(),
    ThreadSensitivePool().lease(),
):
    takes_executor(executor)
    assert_type(executor.submit(length, "x", strict=True), Future[int])
    executor.submit(length, 1)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    executor.submit(length, "x", lenient=True)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    executor.submit(length)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]

takes_executor(ThreadPoolExecutor())
takes_executor(ProcessPoolExecutor())
takes_executor(object())  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
takes_executor(PerCallLoopRunner())  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


class MyExecutor:
    """A user's own."""

    def submit(
        self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs
    ) -> Future[T]:
        """Run it here."""
        future: Future[T] = Future()
        future.set_result(fn(*args, **kwargs))
        return future


class NoExecutor:
    """Has the method, but makes no futures."""

    def submit(self, fn: Callable[[], object]) -> None:
        """Run it."""
        fn()


takes_executor(MyExecutor())
takes_executor(NoExecutor())  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]

# -- what executors can do besides --

posts: tuple[SupportsPost, ...] = (
    WorkerPool(),
    ThreadSensitivePool(),
    CurrentThreadExecutor(),
)
lends: SupportsLease = ThreadSensitivePool()
lends_not: SupportsLease = WorkerPool()  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]
caller: CallerExecutor = CurrentThreadExecutor()
no_caller: CallerExecutor = WorkerPool()  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]
lease: ExecutorLease = ThreadSensitivePool().lease()
assert_type(ThreadSensitivePool().lease(), ThreadLease)


class Work:
    """A piece of work."""

    def run(self) -> None:
        """Do it."""


work: Runnable = Work()
WorkerPool().post(work)
WorkerPool().post(length)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]

# -- options --

WorkerPool(max_workers=3, idle_timeout=1.5, name="mine")
WorkerPool(3)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
ThreadSensitivePool(max_workers=None)
WorkerPool(max_workers=None)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
PerCallLoopRunner(loop_factory=asyncio.new_event_loop)
PerCallLoopRunner(loop_factory=object)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
PersistentLoopRunner(loop_factory=asyncio.SelectorEventLoop)

# -- runners --

takes_runner(PerCallLoopRunner())
takes_runner(PersistentLoopRunner())
takes_runner(PerCallLoopRunner().on_one_thread())
takes_runner(WorkerPool())  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
single: SupportsSingleThread = PerCallLoopRunner()
single_not: SupportsSingleThread = PersistentLoopRunner()  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]
assert_type(PerCallLoopRunner().on_one_thread(), SingleThreadRunner)


class MyRunner:
    """The simplest one, as in the documentation of `LoopRunner`."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop

    def run(
        self,
        coro: Coroutine[Any, Any, T],
        /,
        *,
        context: Context,
        caller: CallerExecutor,
    ) -> T:
        """Run it on that loop."""
        future = context.run(asyncio.run_coroutine_threadsafe, coro, self._loop)
        caller.run_until_future(future)
        return future.result()


takes_runner(MyRunner(asyncio.new_event_loop()))


async def number() -> int:
    """Wait."""
    return 1


with CurrentThreadExecutor() as waiting:
    assert_type(
        PerCallLoopRunner().run(number(), context=Context(), caller=waiting), int
    )
    PerCallLoopRunner().run(number(), context=Context(), caller=WorkerPool())  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
