"""Deadlocks and executors."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import suppress
from contextvars import Context, copy_context
from typing import NoReturn, final

from tests.oracle._model import Options, Subject, clauses
from tests.oracle._tools import PATIENCE, Gate, run

__all__ = ("CLAUSES",)


def second_call_needed_by_first(subject: Subject) -> None:
    """A thread-sensitive call that the one before it waits for is run, or reported."""
    reports: list[str] = []

    async def main(subject: Subject) -> str:
        inside, done = asyncio.Event(), asyncio.Event()
        loop = asyncio.get_running_loop()
        told.append(lambda: loop.call_soon_threadsafe(done.set))

        async def wait_for_second() -> str:
            inside.set()
            await done.wait()
            return "first"

        async def second() -> None:
            with suppress(RuntimeError):  # a diagnosis will do
                await subject.sync_to_async(str)()
            done.set()

        first = asyncio.create_task(
            subject.sync_to_async(subject.async_to_sync(wait_for_second))()
        )
        await inside.wait()
        await asyncio.create_task(second())
        return str(await first)

    told: list[Callable[[], object]] = []

    def stuck(text: str) -> None:
        reports.append(text)
        told[0]()

    with subject.configured(Options(stuck=stuck, stuck_after=0.02)) as watched:
        assert run(lambda: main(watched)) == "first"
    assert all("wait_for_second" in report for report in reports), reports


def certain_deadlock_is_an_error(subject: Subject) -> None:
    """The only thread waits for a call queued behind itself: an error names both."""
    with ThreadPoolExecutor(1) as only:

        def second() -> str:
            return "ran"

        async def needs_the_thread() -> str:
            result: str = await subject.sync_to_async(
                second, thread_sensitive=False, executor=only
            )()
            return result

        back = subject.async_to_sync(needs_the_thread)

        async def main() -> object:
            call = subject.sync_to_async(back, thread_sensitive=False, executor=only)
            try:
                return await call()
            except RuntimeError as exc:
                return str(exc)

        outcome = run(main)
    assert outcome == "ran" or "second" in str(outcome)


def long_waits_are_reported(subject: Subject) -> None:
    """A call that waits behind another is reported: function, thread and seconds."""
    reports: list[str] = []
    reported = threading.Event()

    def stuck(text: str) -> None:
        reports.append(text)
        reported.set()

    async def main(subject: Subject) -> None:
        loop = asyncio.get_running_loop()

        def in_the_way() -> None:
            # Waits for a call behind itself, in a way that no bridge can see.
            call = subject.sync_to_async(str)
            future = asyncio.run_coroutine_threadsafe(call(), loop)
            assert reported.wait(PATIENCE), "nobody was told"
            future.cancel()

        await subject.sync_to_async(in_the_way)()

    options = Options(stuck=stuck, stuck_after=0.02)
    with subject.configured(options) as watched:
        run(lambda: main(watched))
    assert "in_the_way" in reports[0], reports
    assert "thread" in reports[0], reports
    assert any(character.isdecimal() for character in reports[0]), reports


def _background_task(subject: Subject, *, within_context: bool) -> str:
    async def main() -> str:
        ended = asyncio.Event()
        tasks: list[asyncio.Task[str]] = []

        async def background() -> str:
            await ended.wait()
            return str(await subject.sync_to_async(lambda: "late")())

        async def view() -> None:
            tasks.append(asyncio.create_task(background()))

        def middleware() -> None:
            subject.async_to_sync(view)()

        async def request() -> None:
            await subject.sync_to_async(middleware)()

        if within_context:
            async with subject.thread_sensitive_context():
                await request()
        else:
            await request()
        ended.set()
        return await tasks[0]

    return run(main)


def background_task_outlives_request(subject: Subject) -> None:
    """A task made below blocking middleware calls blocking code after the request."""
    assert _background_task(subject, within_context=False) == "late"


def background_task_outlives_context(subject: Subject) -> None:
    """The same, where the request had a thread-sensitive context."""
    assert _background_task(subject, within_context=True) == "late"


def background_task_from_pool(subject: Subject) -> None:
    """The same, where the task was made below a call on the pool."""

    async def main() -> str:
        ended = asyncio.Event()
        tasks: list[asyncio.Task[str]] = []

        async def background() -> str:
            await ended.wait()
            return str(await subject.sync_to_async(lambda: "late")())

        async def spawn() -> None:
            tasks.append(asyncio.create_task(background()))

        back = subject.async_to_sync(spawn)
        await subject.sync_to_async(back, thread_sensitive=False)()
        ended.set()
        return await tasks[0]

    assert run(main) == "late"


@final
class _FailingExecutor(Executor):
    def submit(self, *_args: object, **_kwargs: object) -> NoReturn:
        msg = "the user's executor is full"
        raise LookupError(msg)


def executor_errors_are_themselves(subject: Subject) -> None:
    """What a user's executor raises is raised, each time, and never a deadlock."""
    errors: list[str] = []

    async def call_thrice(subject: Subject) -> None:
        for _ in range(3):
            try:
                await subject.sync_to_async(str)()
            except Exception as exc:  # noqa: BLE001 - which one is the question
                errors.append(type(exc).__name__)

    with subject.configured(Options(sensitive=_FailingExecutor())) as configured:
        run(lambda: call_thrice(configured))
    assert errors == ["LookupError"] * 3


def fire_and_forget(subject: Subject) -> None:
    """Blocking code may start calls without waiting: they run after it."""

    async def main() -> str:
        loop = asyncio.get_running_loop()
        started: list[Future[str]] = []

        def starts_another() -> None:
            call = subject.sync_to_async(lambda: "ran later")
            started.append(asyncio.run_coroutine_threadsafe(call(), loop))

        await subject.sync_to_async(starts_another)()
        return await asyncio.wrap_future(started[0])

    assert run(main) == "ran later"


def tasks_sharing_a_context(subject: Subject) -> None:
    """Several tasks in one explicit Context all get their turn."""

    async def main() -> list[object]:
        loop = asyncio.get_running_loop()
        context = copy_context()
        tasks = [
            loop.create_task(subject.sync_to_async(str)(n), context=context)
            for n in range(5)
        ]
        return list(await asyncio.gather(*tasks, return_exceptions=True))

    assert run(main) == ["0", "1", "2", "3", "4"]


def _error_of_stopped_loop(subject: Subject, *, before_the_call: bool) -> object:
    """Stop the loop while a worker needs it; return what the worker gets."""
    gate, inside, error = Gate(), threading.Event(), Future[object]()
    loop = asyncio.new_event_loop()

    async def never() -> None:
        inside.set()
        await loop.create_future()

    def in_worker() -> None:
        gate()
        try:
            subject.async_to_sync(never)()
        except BaseException as exc:  # noqa: BLE001 - which one is the question
            error.set_result(exc)

    def stop_when_entered() -> None:
        assert (gate.entered if before_the_call else inside).wait(PATIENCE)
        loop.call_soon_threadsafe(loop.stop)

    task = loop.create_task(subject.sync_to_async(in_worker)())
    if not before_the_call:
        gate.open()
    stopper = threading.Thread(target=stop_when_entered)
    stopper.start()
    loop.run_forever()
    gate.open()
    stopper.join()
    try:
        return error.result(timeout=PATIENCE)
    finally:
        _end(loop, task)


def _end(loop: asyncio.AbstractEventLoop, task: asyncio.Task[object]) -> None:
    task.cancel()
    loop.run_until_complete(asyncio.wait(asyncio.all_tasks(loop) | {task}, timeout=1))
    loop.close()


def stopped_parent_loop(subject: Subject) -> None:
    """async_to_sync raises if its parent loop has stopped."""
    exc = _error_of_stopped_loop(subject, before_the_call=True)
    assert "loop" in str(exc)


def parent_loop_stops_meanwhile(subject: Subject) -> None:
    """async_to_sync raises if its parent loop stops while it waits."""
    exc = _error_of_stopped_loop(subject, before_the_call=False)
    assert "loop" in str(exc)


def library_calls_asyncio_run(subject: Subject) -> None:
    """A blocking library may call asyncio.run() within sync_to_async."""

    async def inner() -> str:
        await asyncio.sleep(0)
        return "inner"

    async def main() -> object:
        return await subject.sync_to_async(lambda: asyncio.run(inner()))()

    assert run(main) == "inner"


def crossing_within_inner_asyncio_run(subject: Subject) -> None:
    """sync_to_async works inside such a library's own loop."""

    async def inner() -> str:
        return str(await subject.sync_to_async(lambda: "innermost")())

    async def main() -> object:
        return await subject.sync_to_async(lambda: asyncio.run(inner()))()

    assert run(main) == "innermost"


def plain_thread_runs_a_loop(subject: Subject) -> None:
    """A plain thread that blocking code joins calls back: run, or reported."""
    reports: list[str] = []
    ended = threading.Event()
    results: list[object] = []

    def stuck(text: str) -> None:
        reports.append(text)
        ended.set()

    async def main(subject: Subject) -> None:
        async def inner() -> None:
            call = subject.sync_to_async(lambda: "called back")
            with suppress(RuntimeError):
                results.append(await call())

        def in_thread() -> None:
            asyncio.run(inner())
            ended.set()

        def joins() -> threading.Thread:
            thread = threading.Thread(target=in_thread)
            thread.start()
            # thread.join() in real life; here the report ends the wait, too.
            assert ended.wait(PATIENCE), "neither run nor reported"
            return thread

        thread = await subject.sync_to_async(joins)()
        await asyncio.to_thread(thread.join)

    with subject.configured(Options(stuck=stuck, stuck_after=0.02)) as watched:
        run(lambda: main(watched))
    assert results or reports


def _from_pool(subject: Subject, context: Context | None) -> object:
    with ThreadPoolExecutor(1) as pool:

        async def inner() -> object:
            return await subject.sync_to_async(lambda: "called back")()

        back = subject.async_to_sync(inner)

        def joins() -> object:
            used = context if context is not None else copy_context()
            return pool.submit(used.run, back).result(timeout=PATIENCE)

        async def main() -> object:
            return await subject.sync_to_async(joins)()

        return run(main)


def pool_that_blocking_code_joins(subject: Subject) -> None:
    """A pool's thread crosses while blocking code waits for it."""
    assert _from_pool(subject, Context()) == "called back"


def pool_with_the_callers_context(subject: Subject) -> None:
    """The same, where the pool's thread has a copy of the caller's Context."""
    assert _from_pool(subject, None) == "called back"


def pool_nested_in_itself(subject: Subject) -> None:
    """A pool's only thread waits for a coroutine that needs the pool."""
    with subject.configured(Options(pool_threads=1)) as configured:

        async def inner() -> object:
            return await configured.sync_to_async(
                lambda: "ran", thread_sensitive=False
            )()

        back = configured.async_to_sync(inner)

        async def main() -> object:
            asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(1))
            return await configured.sync_to_async(back, thread_sensitive=False)()

        assert run(main) == "ran"


CLAUSES = clauses(
    "Deadlocks and executors",
    (
        second_call_needed_by_first,
        background_task_outlives_request,
        background_task_outlives_context,
        background_task_from_pool,
        executor_errors_are_themselves,
        fire_and_forget,
        tasks_sharing_a_context,
        stopped_parent_loop,
        parent_loop_stops_meanwhile,
        library_calls_asyncio_run,
        crossing_within_inner_asyncio_run,
        plain_thread_runs_a_loop,
        pool_that_blocking_code_joins,
        pool_with_the_callers_context,
        pool_nested_in_itself,
        certain_deadlock_is_an_error,
        long_waits_are_reported,
    ),
)
