"""Blocking code for async callers: threads, results, exceptions, executors."""

import asyncio
import gc
import sys
import threading
import traceback
import weakref
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from threading import get_ident
from typing import Any, ParamSpec, TypeVar

import pytest

from asgibridge import Bridge
from asgibridge.errors import ExecutorClosedError, ExecutorDroppedCallError
from asgibridge.executors import WorkerPool
from tests.staging import PATIENCE, BareExecutor, Gate, run, settled

P = ParamSpec("P")
T = TypeVar("T")


def test_arguments_and_results(bridge: Bridge) -> None:
    """The function gets its arguments, the caller its result."""

    def parse(text: str, *, base: int) -> int:
        return int(text, base)

    call = bridge.sync_to_async(parse)

    async def main() -> int:
        return await call("11", base=3)

    assert run(main) == 4


def test_thread_sensitive_calls_share_a_thread(bridge: Bridge) -> None:
    """Whatever task and loop they come from; others run elsewhere, in parallel."""
    sensitive = bridge.sync_to_async(get_ident)

    async def main() -> set[int]:
        return set(await asyncio.gather(*[sensitive() for _ in range(10)]))

    threads = run(main) | run(main)
    assert len(threads) == 1
    assert get_ident() not in threads
    together = threading.Barrier(3)

    @bridge.sync_to_async(thread_sensitive=False)
    def meet() -> int:
        together.wait(PATIENCE)
        return get_ident()

    async def others() -> set[int]:
        return set(await asyncio.gather(meet(), meet(), meet()))

    assert len(run(others) - threads) == 3


@pytest.mark.parametrize(
    "kind", [LookupError, StopIteration, KeyboardInterrupt, SystemExit, GeneratorExit]
)
def test_exceptions_arrive_as_raised(bridge: Bridge, kind: type[BaseException]) -> None:
    """The very object; a StopIteration does not end the coroutine silently."""
    exception = kind("raised")
    caught: list[BaseException] = []

    def fail() -> None:
        raise exception

    async def main() -> None:
        try:
            await bridge.sync_to_async(fail)()
        except (RuntimeError, BaseException) as exc:  # noqa: BLE001  # any of them
            caught.append(exc)

    run(main)
    (arrived,) = caught
    if kind is StopIteration:  # as in every coroutine (PEP 479)
        assert isinstance(arrived, RuntimeError)
        arrived_cause = arrived.__cause__
        assert arrived_cause is exception
    else:
        assert arrived is exception


def test_tracebacks_show_the_users_frames(bridge: Bridge) -> None:
    """And one of ours per hop, however often it is raised again."""

    def fail() -> None:
        raise LookupError

    async def main() -> list[str]:
        try:
            await bridge.sync_to_async(fail)()
        except LookupError as exc:
            return [frame.name for frame in traceback.extract_tb(exc.__traceback__)]
        return []

    assert run(main) == ["main", "call", "fail"]


def test_nothing_is_left_for_the_collector(bridge: Bridge) -> None:
    """After a failed call: no cycle, and no thread that keeps the arguments."""

    class Thing:
        """Something to hold."""

    def fail(_: Thing) -> None:
        raise LookupError

    async def main() -> None:
        thing = Thing()
        reference = weakref.ref(thing)
        call = bridge.sync_to_async(fail)
        with pytest.raises(LookupError):
            await call(thing)
        del thing
        await bridge.sync_to_async(int)()  # the thread has gone on
        assert reference() is None

    gc.collect()
    gc.disable()
    try:
        run(main)
    finally:
        gc.enable()


def test_the_function_sees_what_its_caller_handles(bridge: Bridge) -> None:
    """`sys.exception` inside is the caller's, as in a plain call, unharmed."""

    def look() -> BaseException | None:
        return sys.exception()

    def fail() -> None:
        raise KeyError

    async def main() -> None:
        try:
            raise LookupError
        except LookupError as exc:
            before = exc.__traceback__
            seen = await bridge.sync_to_async(look)()
            with pytest.raises(KeyError) as caught:
                await bridge.sync_to_async(fail)()
            outcome = (
                seen is exc,
                caught.value.__context__ is exc,
                exc.__traceback__ is before,
            )
        assert outcome == (True, True, True)
        assert await bridge.sync_to_async(look)() is None

    run(main)


# -- executors --


def test_any_executor_of_the_standard_library(bridge: Bridge) -> None:
    """It runs the calls it is given."""
    with ThreadPoolExecutor(1, thread_name_prefix="mine") as executor:
        call = bridge.sync_to_async(
            lambda: threading.current_thread().name,
            thread_sensitive=False,
            executor=executor,
        )
        assert run(call).startswith("mine")


def test_an_executor_that_refuses(bridge: Bridge) -> None:
    """Its error is the caller's, each time, as it was raised."""
    executor = ThreadPoolExecutor(1)
    executor.shutdown()
    call = bridge.sync_to_async(int, thread_sensitive=False, executor=executor)
    for _ in range(2):
        with pytest.raises(RuntimeError, match="cannot schedule new futures"):
            run(call)


class OddExecutor:
    """An executor that does something else with a call."""

    def __init__(self, treat: Callable[[Future[Any]], object]) -> None:
        self._treat = treat

    def submit(self, _fn: Any, /, *_args: Any, **_kwargs: Any) -> Future[Any]:  # noqa: ANN401  # whatever comes
        """Do it."""
        future = Future[Any]()
        self._treat(future)
        return future

    def __repr__(self) -> str:
        return "<odd>"


@pytest.mark.parametrize("sensitive", [True, False])
@pytest.mark.parametrize(
    ("treat", "error", "message"),
    [
        (
            lambda future: future.cancel(),
            ExecutorDroppedCallError,
            "<odd> cancelled int, which it had accepted; was it shut down with",
        ),
        (
            lambda future: future.set_exception(LookupError("broke")),
            LookupError,
            "broke",
        ),
    ],
)
def test_an_executor_that_drops_or_breaks(
    treat: Callable[[Future[Any]], object],
    error: type[Exception],
    message: str,
    sensitive: bool,  # noqa: FBT001  # a parameter of the test
) -> None:
    """A call that was accepted and never run is an error, not a hang."""
    executor = OddExecutor(treat)
    with Bridge(thread_sensitive=executor, workers=executor) as bridge:
        call = bridge.sync_to_async(int, thread_sensitive=sensitive)
        for _ in range(2):
            with pytest.raises(error, match=message):
                run(call)


def test_an_executor_that_is_shut_down(bridge: Bridge) -> None:
    """What it cancels fails; what runs ends."""
    executor = ThreadPoolExecutor(1)
    gate = Gate()

    async def main() -> None:
        options: Any = {"thread_sensitive": False, "executor": executor}
        running = asyncio.create_task(bridge.sync_to_async(gate, **options)())
        await gate.entered_async()
        queued = asyncio.create_task(bridge.sync_to_async(int, **options)())
        await settled()
        executor.shutdown(wait=False, cancel_futures=True)
        with pytest.raises(ExecutorDroppedCallError, match="cancel_futures=True"):
            await queued
        gate.open()
        assert await running == "out"

    run(main)
    executor.shutdown()


def test_an_executor_whose_future_fails_late(bridge: Bridge) -> None:
    """What happens to the future after the call has run is of no interest."""
    bare = BareExecutor()

    async def main() -> None:
        call = bridge.sync_to_async(int, thread_sensitive=False, executor=bare)
        task = asyncio.create_task(call())
        await settled()
        future, work = bare.calls.pop()
        await asyncio.to_thread(work)
        future.set_exception(LookupError())
        assert await task == 0

    run(main)


def test_an_executor_on_the_loops_own_thread(bridge: Bridge) -> None:
    """The function does not see the loop, and may run one of its own."""
    bare = BareExecutor()

    async def inner() -> str:
        return "inner"

    def nested() -> str:
        return asyncio.run(inner())

    async def main() -> None:
        loop = asyncio.get_running_loop()
        call = bridge.sync_to_async(nested, thread_sensitive=False, executor=bare)
        task = asyncio.create_task(call())
        await settled()
        bare.run_next()
        assert asyncio.get_running_loop() is loop
        assert await task == "inner"

    run(main)


def test_a_crowd_of_waiting_calls(bridge: Bridge) -> None:
    """Thousands of them start no thread of their own, and all end in order."""
    order: list[int] = []
    call = bridge.sync_to_async(order.append)
    gate = Gate()

    async def main() -> None:
        first = asyncio.create_task(bridge.sync_to_async(gate)())
        await gate.entered_async()
        count = threading.active_count()
        tasks = [asyncio.create_task(call(number)) for number in range(2000)]
        await settled()
        assert threading.active_count() == count
        gate.open()
        await asyncio.gather(first, *tasks)

    run(main)
    assert order == list(range(2000))


def test_a_pool_that_is_full_is_no_obstacle(bridge: Bridge) -> None:
    """No more calls at once than workers; the rest waits its turn."""
    most, now = 0, 0
    lock = threading.Lock()

    def work() -> None:
        nonlocal most, now
        with lock:
            now += 1
            most = max(most, now)
        with lock:
            now -= 1

    with WorkerPool(max_workers=2) as pool:
        call = bridge.sync_to_async(work, thread_sensitive=False, executor=pool)

        async def main() -> None:
            await asyncio.gather(*[call() for _ in range(200)])

        run(main)
    assert 1 <= most <= 2


# -- loops inside calls --


def test_a_library_that_runs_its_own_loop(bridge: Bridge) -> None:
    """Calls of that inner loop run on the thread that waits for it, at once."""
    sensitive = bridge.sync_to_async(get_ident)

    async def inner() -> tuple[int, int]:
        return await sensitive(), get_ident()

    outer_thread, (thread, inner_thread) = run(
        bridge.sync_to_async(lambda: (get_ident(), asyncio.run(inner())))
    )
    assert thread == outer_thread == inner_thread


def test_calls_of_an_inner_loop_that_fail(bridge: Bridge) -> None:
    """They raise there, and the inner loop goes on."""

    def fail() -> None:
        assert asyncio._get_running_loop() is None
        raise LookupError

    async def inner() -> str:
        loop = asyncio.get_running_loop()
        with pytest.raises(LookupError):
            await bridge.sync_to_async(fail)()
        assert asyncio.get_running_loop() is loop
        return "went on"

    assert run(bridge.sync_to_async(lambda: asyncio.run(inner()))) == "went on"


def test_async_to_sync_in_a_call_of_an_inner_loop(bridge: Bridge) -> None:
    """The inner task cannot run it, being on the same thread: the runner does."""

    async def innermost() -> str:
        return "innermost"

    async def inner() -> str:
        back = bridge.async_to_sync(innermost)
        return await bridge.sync_to_async(back)()

    assert run(bridge.sync_to_async(lambda: asyncio.run(inner()))) == "innermost"


def test_a_closed_shared_thread(bridge: Bridge) -> None:
    """A user's executor that is closed raises, and is no dead place."""
    with WorkerPool(max_workers=1) as pool:
        pass
    with (
        Bridge(thread_sensitive=pool) as other,
        pytest.raises(ExecutorClosedError, match="cannot run int"),
    ):
        run(other.sync_to_async(int))
    assert run(bridge.sync_to_async(int)) == 0


class AtOnce(ThreadPoolExecutor):
    """An executor whose calls are done when they have been submitted."""

    def submit(
        self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs
    ) -> Future[T]:
        """Run the call to its end."""
        future = super().submit(fn, *args, **kwargs)
        future.exception(PATIENCE)
        return future


def test_quick_calls_let_others_have_their_turn() -> None:
    """A task with one call after another does not keep the loop to itself."""

    async def main() -> None:
        with Bridge() as bridge, AtOnce() as executor:
            call = bridge.sync_to_async(int, thread_sensitive=False, executor=executor)
            turns = 0

            async def other() -> None:
                nonlocal turns
                while True:
                    await asyncio.sleep(0)
                    turns += 1

            task = asyncio.create_task(other())
            for _ in range(50):
                await call()
            task.cancel()
            assert turns >= 49

    run(main)


def test_a_cancellation_meets_a_call_that_is_done() -> None:
    """It is raised all the same, as by every await that suspends."""

    async def main() -> None:
        with Bridge() as bridge, AtOnce() as executor:
            call = bridge.sync_to_async(int, thread_sensitive=False, executor=executor)

            async def body() -> None:
                task = asyncio.current_task()
                assert task is not None
                task.cancel()
                await call()

            with pytest.raises(asyncio.CancelledError):
                await asyncio.create_task(body())

    run(main)
