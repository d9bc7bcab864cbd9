"""Nothing is left behind, and nothing hangs at the end."""

import asyncio
import gc
import os
import signal
import sys
import threading
import time
import weakref
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress

from tests.oracle._model import Options, Subject, clauses
from tests.oracle._tools import PATIENCE, frames, run, threads_now

__all__ = ("CLAUSES",)


class _Boom(Exception):  # noqa: N818 - as such things are called
    pass


@contextmanager
def _collector_off() -> Iterator[None]:
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def no_cycles_from_async(subject: Subject) -> None:
    """An exception of blocking code is freed when the last reference goes."""

    def fails() -> None:
        raise _Boom

    call = subject.sync_to_async(fails)

    async def main() -> "weakref.ref[BaseException]":
        try:
            await call()
        except _Boom as exc:
            return weakref.ref(exc)
        raise AssertionError

    with _collector_off():
        assert run(main)() is None


def no_cycles_from_sync(subject: Subject) -> None:
    """An exception of a coroutine is freed when the last reference goes."""

    async def fails() -> None:
        raise _Boom

    call = subject.async_to_sync(fails)

    def blocking() -> "weakref.ref[BaseException]":
        try:
            call()
        except _Boom as exc:
            return weakref.ref(exc)
        raise AssertionError

    with _collector_off():
        assert blocking()() is None


def no_cycles_there_and_back(subject: Subject) -> None:
    """The same for an exception that crosses twice, and its objects."""

    class Payload:
        pass

    async def fails(payload: Payload) -> None:
        raise _Boom(payload)

    call = subject.sync_to_async(subject.async_to_sync(fails))

    async def main() -> "weakref.ref[Payload]":
        payload = Payload()
        with suppress(_Boom):
            await call(payload)
        return weakref.ref(payload)

    with _collector_off():
        assert run(main)() is None


def arguments_are_not_kept(subject: Subject) -> None:
    """An idle thread keeps neither arguments nor results of its last call."""

    class Payload:
        pass

    async def main() -> None:
        payload = Payload()
        reference = weakref.ref(payload)
        result = await subject.sync_to_async(lambda it: it)(payload)
        assert result is payload
        del payload, result
        # Behind it on the same thread, which has put the first call away by then.
        await subject.sync_to_async(str)()
        assert reference() is None

    with _collector_off():
        run(main)


def exceptions_being_handled_stay_short(subject: Subject) -> None:
    """Twenty crossings while an exception is handled add nothing to its traceback."""

    def fails() -> None:
        raise _Boom

    async def main() -> tuple[list[str], list[str]]:
        call = subject.sync_to_async(subject.async_to_sync(_nothing))
        try:
            fails()
        except _Boom as exc:
            before = frames(exc)
            for _ in range(20):
                await call()
            return before, frames(exc)
        raise AssertionError

    before, after = run(main)
    assert before == after, f"{len(before)} frames became {len(after)}"


async def _nothing() -> None:
    pass


def raised_again_and_again(subject: Subject) -> None:
    """An exception raised twenty times anew gains the frames that ran, no more."""
    boom = _Boom()

    def fails() -> None:
        raise boom

    async def main() -> None:
        for _ in range(20):
            with suppress(_Boom):
                await subject.sync_to_async(fails)()

    run(main)
    # Each round really ran main(), the wrapper and fails().
    own = [name for name in frames(boom) if name == __file__]
    foreign = [name for name in frames(boom) if name != __file__]
    assert len(own) <= 40
    assert len(foreign) <= 40, f"{len(foreign) / 20} frames for each hop"


def deep_tracebacks_stay_readable(subject: Subject) -> None:
    """At most three foreign frames for each hop of a deep raise."""
    depth = 8

    def fails() -> None:
        raise _Boom

    call = subject.sync_to_async(fails)
    for _ in range(depth // 2):

        async def through(inner=call):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202 - a default that binds
            return await inner()

        call = subject.sync_to_async(subject.async_to_sync(through))

    async def main() -> list[str]:
        try:
            await call()
        except _Boom as exc:
            return frames(exc)
        raise AssertionError

    foreign = [name for name in run(main) if name != __file__]
    assert len(foreign) <= 3 * (depth + 1), len(foreign)


def closed_loops_are_freed(subject: Subject) -> None:
    """No thread keeps a closed loop alive."""
    loops: list[weakref.ref[asyncio.AbstractEventLoop]] = []

    async def main() -> None:
        loops.append(weakref.ref(asyncio.get_running_loop()))
        await subject.sync_to_async(subject.async_to_sync(_nothing))()
        await subject.sync_to_async(str, thread_sensitive=False)()

    run(main)
    gc.collect()
    assert loops[0]() is None


def stop_iteration_does_not_hang(subject: Subject) -> None:
    """StopIteration raised by blocking code arrives as an error."""

    async def main() -> str:
        try:
            await subject.sync_to_async(next)(iter(()))
        except BaseException as exc:  # noqa: BLE001 - which one is the question
            return type(exc).__name__
        return "nothing was raised"

    assert run(main) in {"StopIteration", "RuntimeError"}


def system_exit_reaches_the_caller(subject: Subject) -> None:
    """SystemExit raised by blocking code reaches its caller, not only the thread."""

    async def main() -> object:
        try:
            await subject.sync_to_async(sys.exit)(3)
        except SystemExit as exc:
            return exc.code
        return "nothing was raised"

    assert run(main) == 3


def context_is_reentrant(subject: Subject) -> None:
    """The same context entered twice is left when it has been left twice."""

    async def main() -> None:
        context = subject.thread_sensitive_context()
        # Not its number: that of a thread that ended is given to the next.
        thread = subject.sync_to_async(threading.current_thread)
        async with context:
            first = await thread()
            async with context:
                assert await thread() is first
            assert await thread() is first, "the inner exit ended the outer block"

    run(main)


def context_left_in_another_task(subject: Subject) -> None:
    """Entered in one task and left in another: done, or refused by a clear error."""

    async def main() -> None:
        context = subject.thread_sensitive_context()
        name = subject.sync_to_async(threading.get_ident)

        async def enter() -> None:
            await context.__aenter__()
            await name()

        async def leave() -> str:
            try:
                await context.__aexit__(None, None, None)
            except RuntimeError as exc:
                return str(exc)
            return "left"

        await asyncio.create_task(enter())
        outcome = await asyncio.create_task(leave())
        assert outcome == "left" or "context" in outcome.lower()

    before = threads_now()
    run(main)
    del before


def threads_are_named(subject: Subject) -> None:
    """Names of threads and tasks say whose they are."""

    async def task_name() -> str:
        task = asyncio.current_task()
        assert task is not None
        return f"{task.get_name()} {threading.current_thread().name}"

    async def main() -> tuple[str, str]:
        current = subject.sync_to_async(lambda: threading.current_thread().name)
        pool = subject.sync_to_async(
            lambda: threading.current_thread().name, thread_sensitive=False
        )
        return await current(), await pool()

    task = subject.async_to_sync(task_name)()
    assert "task_name" in task, task
    for name in (*run(main), task):
        assert name.partition("ThreadPoolExecutor-")[0], name
        assert "asgi" in name, name


def forked_child_can_cross(subject: Subject) -> None:
    """A forked child crosses in both directions at once."""

    async def main() -> object:
        return await subject.sync_to_async(lambda: "child")()

    async def there_and_back() -> object:
        return await subject.sync_to_async(subject.async_to_sync(main))()

    def cross() -> None:
        assert subject.async_to_sync(main)() == "child"
        assert run(main) == "child"
        assert run(there_and_back) == "child"

    cross()
    child = os.fork()
    if not child:  # pragma: no cover - another process
        signal.alarm(int(PATIENCE))  # ends it if it hangs
        try:
            cross()
        except BaseException:  # noqa: BLE001 - its own way to say so
            os._exit(1)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert status == 0, status


def fork_within_a_crossing(subject: Subject) -> None:
    """Blocking code within a crossing may fork, and the child may cross."""

    async def main() -> object:
        return await subject.sync_to_async(lambda: "child")()

    def forks() -> int:
        child = os.fork()
        if not child:  # pragma: no cover - another process
            signal.alarm(int(PATIENCE))
            try:
                assert subject.async_to_sync(main)() == "child"
            except BaseException:  # noqa: BLE001 - its own way to say so
                os._exit(1)
            os._exit(0)
        return os.waitpid(child, 0)[1]

    async def parent() -> object:
        return await subject.sync_to_async(forks)()

    assert run(parent) == 0


def crossing_at_exit(subject: Subject) -> None:
    """Crossings work in a function registered with atexit."""
    import atexit  # noqa: PLC0415 - only here

    async def main() -> object:
        return await subject.sync_to_async(lambda: "crossed")()

    def at_exit() -> None:
        try:
            assert subject.async_to_sync(main)() == "crossed"
        except BaseException:  # noqa: BLE001 - the status is all that is left
            os._exit(1)

    assert subject.async_to_sync(main)() == "crossed"
    atexit.register(at_exit)


def first_crossing_at_exit(subject: Subject) -> None:
    """The same where nothing has crossed before."""
    import atexit  # noqa: PLC0415 - only here

    async def main() -> object:
        return await subject.sync_to_async(lambda: "crossed")()

    def at_exit() -> None:
        try:
            assert subject.async_to_sync(main)() == "crossed"
        except BaseException:  # noqa: BLE001 - the status is all that is left
            os._exit(1)

    atexit.register(at_exit)


def interrupt_ends_the_wait(subject: Subject) -> None:
    """SIGINT during async_to_sync cancels the coroutine, and the wait within 0.2 s."""
    seen: list[str] = []
    sent: list[float] = []
    waiting = threading.Event()

    async def waits() -> None:
        waiting.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            seen.append("cancelled")
            raise

    def interrupt() -> None:
        assert waiting.wait(PATIENCE)
        sent.append(time.monotonic())
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt, daemon=True).start()
    try:
        subject.async_to_sync(waits)()
    except KeyboardInterrupt:
        seen.append("interrupted")
    took = time.monotonic() - sent[0]
    assert seen == ["cancelled", "interrupted"]
    assert took < 0.2, took


def interrupt_in_a_call_back(subject: Subject) -> None:
    """SIGINT while the main thread runs a call back ends the whole call."""

    async def main() -> None:
        def blocking() -> None:
            os.kill(os.getpid(), signal.SIGINT)
            for _ in range(1000):
                time.monotonic()  # where the signal is handled

        await subject.sync_to_async(blocking)()

    try:
        subject.async_to_sync(main)()
    except KeyboardInterrupt:
        return
    raise AssertionError


def exit_with_a_blocked_call(subject: Subject) -> None:
    """The interpreter ends although a call still blocks a worker thread."""
    started, never = threading.Event(), threading.Event()

    def blocks() -> None:
        started.set()
        never.wait()

    async def main() -> None:
        await subject.sync_to_async(blocks)()

    threading.Thread(target=lambda: run(main), daemon=True).start()
    assert started.wait(PATIENCE)


def exit_with_a_blocked_caller(subject: Subject) -> None:
    """The interpreter ends although a thread waits in async_to_sync."""
    started = threading.Event()

    async def waits() -> None:
        started.set()
        await asyncio.Event().wait()

    threading.Thread(target=subject.async_to_sync(waits), daemon=True).start()
    assert started.wait(PATIENCE)


def signal_handlers_work_in_thread(subject: Subject) -> None:
    """loop.add_signal_handler() works where the loop runs in the main thread."""
    with subject.configured(Options(in_thread=True)) as configured:
        arrived: Future[int] = Future()

        async def main() -> None:
            loop = asyncio.get_running_loop()
            loop.add_signal_handler(signal.SIGUSR1, arrived.set_result, 1)
            os.kill(os.getpid(), signal.SIGUSR1)
            await asyncio.wrap_future(arrived)
            loop.remove_signal_handler(signal.SIGUSR1)

        configured.async_to_sync(main)()
        assert arrived.result() == 1


CLAUSES = (
    *clauses(
        "Lifecycle",
        (
            no_cycles_from_async,
            no_cycles_from_sync,
            no_cycles_there_and_back,
            arguments_are_not_kept,
            exceptions_being_handled_stay_short,
            raised_again_and_again,
            deep_tracebacks_stay_readable,
            closed_loops_are_freed,
            stop_iteration_does_not_hang,
            system_exit_reaches_the_caller,
            context_is_reentrant,
            context_left_in_another_task,
            threads_are_named,
        ),
    ),
    *clauses(
        "Lifecycle",
        (
            forked_child_can_cross,
            fork_within_a_crossing,
            crossing_at_exit,
            first_crossing_at_exit,
            interrupt_ends_the_wait,
            interrupt_in_a_call_back,
            signal_handlers_work_in_thread,
            exit_with_a_blocked_call,
            exit_with_a_blocked_caller,
        ),
        own_process=True,
    ),
)
