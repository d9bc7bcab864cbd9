"""PersistentLoopRunner."""

import asyncio
import threading
from collections.abc import AsyncGenerator, Coroutine, Iterator
from contextvars import ContextVar, copy_context
from typing import Any, TypeVar

import pytest

from asgibridge.errors import (
    DeadlockError,
    ExecutorClosedError,
    LoopStoppedError,
    NoThreadError,
)
from asgibridge.executors import (
    CurrentThreadExecutor,
    PersistentLoopRunner,
    _caller,
    _persistent,
)
from asgibridge.types import LoopRunner
from tests.staging import PATIENCE, is_closed

T = TypeVar("T")


def run_with(runner: LoopRunner, coro: Coroutine[Any, Any, T]) -> T:
    """Run *coro*, and serve this thread meanwhile."""
    with CurrentThreadExecutor() as caller:
        return runner.run(coro, context=copy_context(), caller=caller)


@pytest.fixture
def runner() -> Iterator[PersistentLoopRunner]:
    """A runner that is closed in the end."""
    with PersistentLoopRunner() as runner:
        yield runner


async def loop_and_thread() -> tuple[int, int]:
    """Tell where this runs."""
    return id(asyncio.get_running_loop()), threading.get_ident()


def test_one_loop_for_all_calls(runner: PersistentLoopRunner) -> None:
    """On one named thread, from call to call and for every caller."""
    before = set(threading.enumerate())
    places = [run_with(runner, loop_and_thread())]
    (thread,) = set(threading.enumerate()) - before
    assert thread.name == "asgibridge-persistent-loop"
    callers = [
        threading.Thread(
            target=lambda: places.append(run_with(runner, loop_and_thread()))
        )
        for _ in range(3)
    ]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert len(places) == 4
    assert set(places) == {(places[0][0], thread.ident)}


def test_callers_do_not_wait_for_one_another(runner: PersistentLoopRunner) -> None:
    """A coroutine of one caller may wait for that of another."""
    reached = threading.Event()
    event: list[asyncio.Event] = []

    async def wait() -> str:
        event.append(asyncio.Event())
        reached.set()
        await event[0].wait()
        return "released"

    async def release() -> None:
        event[0].set()

    results: list[str] = []
    caller = threading.Thread(target=lambda: results.append(run_with(runner, wait())))
    caller.start()
    assert reached.wait(PATIENCE)
    run_with(runner, release())
    caller.join()
    assert results == ["released"]


def test_tasks_go_on_between_calls(runner: PersistentLoopRunner) -> None:
    """What a call leaves is there for the next one."""
    tasks: list[asyncio.Task[str]] = []
    event: list[asyncio.Event] = []

    async def begin() -> None:
        event.append(asyncio.Event())

        async def go_on() -> str:
            await event[0].wait()
            return "went on"

        tasks.append(asyncio.create_task(go_on()))

    async def end() -> str:
        event[0].set()
        return await tasks[0]

    run_with(runner, begin())
    assert run_with(runner, end()) == "went on"


def test_exceptions_and_context(runner: PersistentLoopRunner) -> None:
    """The coroutine's exception is raised; its variables can be read."""
    variable: ContextVar[str] = ContextVar("variable")

    async def fail() -> None:
        variable.set("seen")
        raise LookupError

    context = copy_context()
    with CurrentThreadExecutor() as caller, pytest.raises(LookupError):
        runner.run(fail(), context=context, caller=caller)
    assert context[variable] == "seen"


def test_closing_retires_the_loop() -> None:
    """Tasks are cancelled, generators closed, the thread has ended."""
    before = set(threading.enumerate())
    seen: list[str] = []
    kept: list[object] = []
    runner = PersistentLoopRunner()

    async def generate() -> AsyncGenerator[int]:
        try:
            yield 1
        finally:
            seen.append("closed")

    async def wait() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            seen.append("cancelled")
            raise

    async def leave() -> asyncio.AbstractEventLoop:
        generator = generate()
        await anext(generator)
        kept.extend((generator, asyncio.create_task(wait())))
        await asyncio.sleep(0)
        return asyncio.get_running_loop()

    loop = run_with(runner, leave())
    runner.close()
    assert sorted(seen) == ["cancelled", "closed"]
    assert loop.is_closed()
    assert set(threading.enumerate()) == before
    runner.close()


def test_a_closed_runner_refuses() -> None:
    """With the function and the runner; the coroutine is closed."""
    runner = PersistentLoopRunner()
    run_with(runner, loop_and_thread())
    runner.close()
    coro = loop_and_thread()
    with pytest.raises(ExecutorClosedError, match=r"loop_and_thread: runner .* closed"):
        run_with(runner, coro)
    assert is_closed(coro)


def test_a_runner_without_a_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """It says so, begins nothing, and works when there are threads again."""

    def refuse(_: threading.Thread) -> None:
        msg = "can't start new thread"
        raise RuntimeError(msg)

    loop = asyncio.new_event_loop()
    loops = [asyncio.new_event_loop(), loop]
    coro = loop_and_thread()
    with PersistentLoopRunner(loop_factory=loops.pop) as runner:
        with monkeypatch.context() as patch:
            patch.setattr(threading.Thread, "start", refuse)
            with pytest.raises(NoThreadError, match="'asgibridge-persistent-loop' can"):
                run_with(runner, coro)
        assert is_closed(coro)
        assert loop.is_closed()
        assert run_with(runner, loop_and_thread())[0] != id(loop)


def test_an_error_of_the_coroutine_about_threads(runner: PersistentLoopRunner) -> None:
    """It is the coroutine's own, and handed on as any other."""

    async def fail() -> None:
        raise NoThreadError

    with pytest.raises(NoThreadError):
        run_with(runner, fail())


def test_closing_a_runner_never_used() -> None:
    """There is nothing to end."""
    before = set(threading.enumerate())
    PersistentLoopRunner().close()
    assert set(threading.enumerate()) == before


def test_its_own_thread_would_wait_for_itself(runner: PersistentLoopRunner) -> None:
    """A call from a callback of the loop is refused, and the way out told."""

    async def nested() -> None:
        coro = loop_and_thread()
        with pytest.raises(DeadlockError, match="loop_and_thread was called on the"):
            run_with(runner, coro)
        assert is_closed(coro)

    run_with(runner, nested())


def test_a_loop_that_somebody_stops(
    runner: PersistentLoopRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever waits on it is told, now or soon."""
    monkeypatch.setattr(_caller, "CHECK_SECONDS", 0.001)

    async def stop() -> None:
        asyncio.get_running_loop().stop()
        await asyncio.Event().wait()

    # Retired by its thread, the loop cancels the task; or it is seen to stand.
    with pytest.raises((LoopStoppedError, asyncio.CancelledError)):
        run_with(runner, stop())
    thread = runner._thread
    assert thread is not None
    thread.join(PATIENCE)
    coro = loop_and_thread()
    with pytest.raises(
        ExecutorClosedError, match="the loop of runner 'asgibridge-persistent-loop' was"
    ):
        run_with(runner, coro)
    assert is_closed(coro)
    runner.close()


def test_a_call_that_comes_while_the_loop_ends() -> None:
    """It is given up, and not begun on a loop that is about to be closed."""
    given_up: list[str] = []

    class LateCall:
        """A call that writes down what becomes of it."""

        def claim(self) -> bool:
            """Be there for whoever comes."""
            return True

        def give_up(self) -> None:
            """Write it down."""
            given_up.append("given up")

    class Withdrawn(LateCall):
        """Its caller was interrupted."""

        def claim(self) -> bool:
            """Be nobody's any more."""
            return False

    calls = _persistent._Calls()
    calls.is_over = True
    withdrawn: Any = Withdrawn()
    calls.start(withdrawn)
    assert given_up == []
    late: Any = LateCall()
    calls.start(late)
    assert given_up == ["given up"]
    assert calls.running == set()


def test_forgetting_makes_it_new(runner: PersistentLoopRunner) -> None:
    """As in a forked child: another loop on another thread."""
    first = run_with(runner, loop_and_thread())
    runner.close()
    runner.forget()
    assert run_with(runner, loop_and_thread())[1] != first[0]


def test_a_call_that_comes_behind_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A loop that takes a callback and then never runs it is noticed."""
    monkeypatch.setattr(_caller, "CHECK_SECONDS", 0.001)

    class DeafLoop(asyncio.SelectorEventLoop):
        """Ends between accepting a callback and running it."""

        def call_soon_threadsafe(self, *args: Any, **options: Any) -> Any:  # type: ignore[override]  # noqa: ANN401  # hands them on
            """Accept the callback of a call, and forget it."""
            if len(args) > 1:  # the function, the call, and more
                super().call_soon_threadsafe(self.stop)
                return None
            return super().call_soon_threadsafe(*args, **options)

    coro = loop_and_thread()
    with PersistentLoopRunner(loop_factory=DeafLoop) as runner:
        with pytest.raises(LoopStoppedError, match="loop_and_thread cannot finish"):
            run_with(runner, coro)
        assert is_closed(coro)


def test_a_loop_of_its_own_factory() -> None:
    """Made once."""
    loops: list[asyncio.AbstractEventLoop] = []

    def make() -> asyncio.AbstractEventLoop:
        loops.append(asyncio.SelectorEventLoop())
        return loops[-1]

    with PersistentLoopRunner(loop_factory=make, name="mine") as runner:
        first = run_with(runner, loop_and_thread())
        second = run_with(runner, loop_and_thread())
        assert first[0] == second[0] == id(loops[0])
    assert len(loops) == 1


def test_another_process_begins_anew() -> None:
    """A forked child has none of its parent's threads; noticed at the next use."""
    runner = PersistentLoopRunner()
    first = run_with(runner, loop_and_thread())
    runner.close()
    runner._process = -1
    assert run_with(runner, loop_and_thread())[1] != first[0]
    runner.close()
    runner._process = -1
    runner.close()
