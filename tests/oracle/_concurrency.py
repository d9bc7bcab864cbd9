"""Concurrency, and injected parts."""

import asyncio
import threading
import tracemalloc
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import uvloop

from tests.oracle._model import Options, Subject, clauses
from tests.oracle._tools import PATIENCE, Gate, run, settled, threads_now

__all__ = ("CLAUSES",)


def pool_cap_is_kept(subject: Subject) -> None:
    """A pool of three threads runs three calls at once, and has no more threads."""
    with ThreadPoolExecutor(3) as pool:

        async def main(subject: Subject) -> int:
            gate = Gate(full=3)
            call = subject.sync_to_async(gate, thread_sensitive=False, executor=pool)
            return await _threads_needed(gate, call, calls=60)

        with subject.configured(Options(pool_threads=3)) as configured:
            assert run(lambda: main(configured)) == 3


def context_cap_is_kept(subject: Subject) -> None:
    """Fifty contexts at once may be given four threads, and all get their turn."""

    async def main(subject: Subject) -> int:
        gate = Gate(full=4)
        call = subject.sync_to_async(gate)

        async def request() -> None:
            async with subject.thread_sensitive_context():
                await call()

        return await _threads_needed(gate, request, calls=50)

    with subject.configured(Options(most_threads=4)) as configured:
        assert run(lambda: main(configured)) == 4


async def _threads_needed(
    gate: Gate, call: Callable[[], Coroutine[Any, Any, object]], *, calls: int
) -> int:
    """Return how many threads *calls* calls at once start, having let them run."""
    await asyncio.to_thread(str)  # the thread that waits for us in wait_entered()
    before = threads_now()
    tasks = [asyncio.create_task(call()) for _ in range(calls)]
    await gate.wait_entered()
    await settled()
    needed = len(threads_now() - before)
    gate.open()
    await asyncio.gather(*tasks)
    return needed


def first_in_first_out(subject: Subject) -> None:
    """Calls that wait for a thread run in the order in which they were made."""

    async def main() -> list[int]:
        gate, order = Gate(), list[int]()
        first = asyncio.create_task(subject.sync_to_async(gate)())
        await gate.wait_entered()
        append = subject.sync_to_async(order.append)
        others = [asyncio.create_task(append(n)) for n in range(50)]
        await settled()
        gate.open()
        await asyncio.gather(first, *others)
        return order

    assert run(main) == list(range(50))


def loops_do_not_stall_each_other(subject: Subject) -> None:
    """While one loop's call blocks its caller's thread, another's goes on."""
    gate = Gate()

    async def blocked() -> object:
        return await subject.sync_to_async(gate)()

    async def free() -> object:
        return await subject.sync_to_async(lambda: "free")()

    results: list[object] = []
    one = threading.Thread(
        target=lambda: results.append(subject.async_to_sync(blocked)())
    )
    one.start()
    assert gate.entered.wait(PATIENCE)
    other = threading.Thread(
        target=lambda: results.append(subject.async_to_sync(free)())
    )
    other.start()
    other.join(PATIENCE)
    first = list(results)
    gate.open()
    one.join(PATIENCE)
    assert first == ["free"]
    assert results == ["free", "out"]


def gather_is_parallel(subject: Subject) -> None:
    """Calls that are not thread-sensitive really run at the same time."""

    async def main() -> list[str]:
        meeting = threading.Barrier(5)
        call = subject.sync_to_async(meeting.wait, thread_sensitive=False)
        await asyncio.gather(*(call(PATIENCE) for _ in range(5)))
        return ["met"]

    assert run(main) == ["met"]


def waiting_costs_memory_only(subject: Subject) -> None:
    """Two thousand waiting calls need no threads, no files, and 10 kB each."""
    waiting = 2000

    async def main() -> None:
        gate = Gate()
        first = asyncio.create_task(subject.sync_to_async(gate)())
        await gate.wait_entered()
        threads, files = threading.active_count(), _descriptors()
        tracemalloc.start()
        try:
            call = subject.sync_to_async(str)
            others = [asyncio.create_task(call()) for _ in range(waiting)]
            await settled()
            used = tracemalloc.get_traced_memory()[0]
        finally:
            tracemalloc.stop()
        assert threading.active_count() <= threads
        assert _descriptors() <= files
        gate.open()
        await asyncio.gather(first, *others)
        assert used / waiting < 10_000, used / waiting

    run(main)


def _descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def own_executor_for_everything(subject: Subject) -> None:
    """A user's single-thread executor can be the thread-sensitive one."""
    with ThreadPoolExecutor(1, thread_name_prefix="mine") as mine:

        async def main(subject: Subject) -> str:
            name = subject.sync_to_async(lambda: threading.current_thread().name)
            return str(await name())

        with subject.configured(Options(sensitive=mine)) as configured:
            assert run(lambda: main(configured)).startswith("mine")


def own_executor_for_a_context(subject: Subject) -> None:
    """The same for one context."""
    with ThreadPoolExecutor(1, thread_name_prefix="mine") as mine:

        async def main() -> str:
            name = subject.sync_to_async(lambda: threading.current_thread().name)
            async with subject.thread_sensitive_context(executor=mine):
                return str(await name())

        assert run(main).startswith("mine")


def main_thread_pumped_by_user(subject: Subject) -> None:
    """A test's own thread, pumped by the test, runs the ORM's calls."""
    caller = subject.caller_executor()

    async def main(subject: Subject) -> object:
        return await subject.sync_to_async(threading.get_ident)()

    with ThreadPoolExecutor(1) as elsewhere:
        with subject.configured(Options(sensitive=caller)) as configured:
            future = elsewhere.submit(run, lambda: main(configured))
            caller.run_until_future(future)
        assert future.result() == threading.get_ident()


def loop_factory_is_used(subject: Subject) -> None:
    """A loop factory makes the loop of a coroutine called from blocking code."""

    async def main() -> str:
        return type(asyncio.get_running_loop()).__module__

    with subject.configured(Options(loop_factory=uvloop.new_event_loop)) as configured:
        assert configured.async_to_sync(main)() == "uvloop"


def helper_loop_where_a_loop_runs(subject: Subject) -> None:
    """Where a loop runs on this thread, a helper loop can be asked for."""

    async def inner() -> int:
        await asyncio.sleep(0)
        return threading.get_ident()

    async def main() -> int:
        result: int = subject.async_to_sync(inner, helper_loop=True)()
        return result

    assert run(main) != threading.get_ident()


CLAUSES = (
    *clauses(
        "Concurrency",
        (
            pool_cap_is_kept,
            context_cap_is_kept,
            first_in_first_out,
            loops_do_not_stall_each_other,
            gather_is_parallel,
            waiting_costs_memory_only,
        ),
    ),
    *clauses(
        "Injection",
        (
            own_executor_for_everything,
            own_executor_for_a_context,
            main_thread_pumped_by_user,
            loop_factory_is_used,
            helper_loop_where_a_loop_runs,
        ),
    ),
)
