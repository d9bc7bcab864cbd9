"""PerCallLoopRunner."""

import asyncio
import gc
import threading
import weakref
from asyncio import AbstractEventLoop
from collections.abc import Coroutine, Iterator
from contextvars import ContextVar, copy_context
from typing import Any, TypeVar

import attrs
import pytest

from asgibridge.errors import ExecutorClosedError, NoThreadError
from asgibridge.executors import (
    CurrentThreadExecutor,
    PerCallLoopRunner,
    ThreadLease,
)
from asgibridge.executors._loop_call import LoopCall
from asgibridge.executors._per_call import _Visit
from asgibridge.executors._queue import WorkQueue
from asgibridge.loops import RecyclableLoop
from asgibridge.types import LoopRunner, Runnable
from tests.staging import PATIENCE, is_closed

T = TypeVar("T")


def run_with(runner: LoopRunner, coro: Coroutine[Any, Any, T]) -> T:
    """Run *coro*, and serve this thread meanwhile."""
    with CurrentThreadExecutor() as caller:
        return runner.run(coro, context=copy_context(), caller=caller)


@pytest.fixture
def runner() -> Iterator[PerCallLoopRunner]:
    """A runner that is closed in the end."""
    with PerCallLoopRunner() as runner:
        yield runner


async def loop_and_thread() -> tuple[int, int]:
    """Tell where this runs."""
    return id(asyncio.get_running_loop()), threading.get_ident()


async def name_of_thread() -> str:
    """Tell the name of the thread."""
    return threading.current_thread().name


def test_clean_loops_are_used_again(runner: PerCallLoopRunner) -> None:
    """Never on the caller's thread; loop and thread are the warm ones."""
    first, second = (run_with(runner, loop_and_thread()) for _ in range(2))
    assert first[1] != threading.get_ident()
    assert first == second
    assert len(runner._loops._idle) == 1


def test_loops_with_leftovers_are_retired(runner: PerCallLoopRunner) -> None:
    """A task that is left is cancelled, and the next call has another loop."""
    seen: list[str] = []
    tasks: list[asyncio.Task[None]] = []

    async def wait() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            seen.append("cancelled")
            raise

    async def leave() -> AbstractEventLoop:
        tasks.append(asyncio.create_task(wait()))
        await asyncio.sleep(0)
        return asyncio.get_running_loop()

    loop = run_with(runner, leave())
    assert seen == ["cancelled"]
    assert loop.is_closed()
    assert run_with(runner, loop_and_thread())[0] != id(loop)


def test_a_loop_that_somebody_keeps_is_closed(runner: PerCallLoopRunner) -> None:
    """What no call may see again is not left open."""
    loops: list[AbstractEventLoop] = []

    async def keep() -> None:
        loops.append(asyncio.get_running_loop())

    run_with(runner, keep())
    assert loops[0].is_closed()


def test_no_more_idle_loops_than_allowed() -> None:
    """None at all, if so wished."""
    with PerCallLoopRunner(max_idle=0) as runner:
        run_with(runner, loop_and_thread())
        assert runner._loops._idle == []


def test_own_factory() -> None:
    """Its loops are used once and retired."""
    loops: list[AbstractEventLoop] = []

    def make() -> AbstractEventLoop:
        loops.append(asyncio.SelectorEventLoop())
        return loops[-1]

    async def running() -> bool:
        return asyncio.get_running_loop() is loops[-1]

    with PerCallLoopRunner(loop_factory=make) as runner:
        assert run_with(runner, running())
        assert run_with(runner, running())
    assert [loop.is_closed() for loop in loops] == [True, True]


def test_a_factory_that_fails() -> None:
    """Its error is the caller's, and the coroutine is closed."""

    def fail() -> AbstractEventLoop:
        msg = "no loop today"
        raise LookupError(msg)

    with PerCallLoopRunner(loop_factory=fail) as runner:
        coro = loop_and_thread()
        with pytest.raises(LookupError, match="no loop today"):
            run_with(runner, coro)
        assert is_closed(coro)


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("factory", [None, asyncio.SelectorEventLoop])
def test_interrupts_of_the_coroutine(
    kind: type[BaseException],
    factory: type[AbstractEventLoop] | None,
) -> None:
    """They end the loop, reach the caller, and leave the runner as it was."""

    async def interrupt() -> None:
        await asyncio.sleep(0)
        raise kind

    with PerCallLoopRunner(loop_factory=factory) as runner:
        with pytest.raises(kind):
            run_with(runner, interrupt())
        assert run_with(runner, loop_and_thread())


def test_exceptions_and_context(runner: PerCallLoopRunner) -> None:
    """The coroutine's exception is raised; its variables can be read."""
    variable: ContextVar[str] = ContextVar("variable")

    async def fail() -> None:
        variable.set("seen")
        raise LookupError

    context = copy_context()
    with CurrentThreadExecutor() as caller, pytest.raises(LookupError):
        runner.run(fail(), context=context, caller=caller)
    assert context[variable] == "seen"


def test_several_callers_at_once(runner: PerCallLoopRunner) -> None:
    """Each has a loop and a thread of its own, and no other waits for it."""
    together = threading.Barrier(3)
    places: list[tuple[int, int]] = []

    async def meet() -> None:
        together.wait(PATIENCE)
        places.append(await loop_and_thread())

    threads = [
        threading.Thread(target=lambda: run_with(runner, meet())) for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({place[0] for place in places}) == 3
    assert len({place[1] for place in places}) == 3


def test_one_thread_for_all(runner: PerCallLoopRunner) -> None:
    """A runner for one thread keeps it until it is released."""
    single = runner.on_one_thread()
    threads = {run_with(single, loop_and_thread())[1] for _ in range(3)}
    assert len(threads) == 1
    other = run_with(runner, loop_and_thread())[1]
    assert other not in threads
    single.release()
    single.release()
    coro = loop_and_thread()
    with pytest.raises(ExecutorClosedError, match="loop_and_thread"):
        run_with(single, coro)
    assert is_closed(coro)


def test_names(runner: PerCallLoopRunner) -> None:
    """Threads are named after the runner."""
    assert run_with(runner, name_of_thread()) == "asgibridge-loop-1"
    with PerCallLoopRunner(name="mine") as other:
        assert run_with(other, name_of_thread()) == "mine-1"


def test_closing() -> None:
    """Threads and idle loops have ended; later calls are refused and closed."""
    before = set(threading.enumerate())
    runner = PerCallLoopRunner()
    run_with(runner, loop_and_thread())
    (loop,) = runner._loops._idle
    runner.close()
    assert loop.is_closed()
    assert set(threading.enumerate()) == before
    coro = loop_and_thread()
    with pytest.raises(
        ExecutorClosedError, match="loop_and_thread: executor 'asgibridge-loop' is"
    ):
        run_with(runner, coro)
    assert is_closed(coro)
    runner.close()


def test_a_forgotten_runner_closes_its_idle_loops() -> None:
    """One that lives as long as the program is rarely closed."""
    runner = PerCallLoopRunner(idle_timeout=0.001)
    run_with(runner, loop_and_thread())
    (loop,) = runner._loops._idle
    reference = weakref.ref(runner)
    del runner
    gc.collect()
    assert reference() is None
    # The last reference to the cache of loops may be a thread's.
    for thread in threading.enumerate():
        if thread.name.startswith("asgibridge-loop"):
            thread.join(PATIENCE)
    gc.collect()
    assert loop.is_closed()


def test_forgetting_makes_it_new(runner: PerCallLoopRunner) -> None:
    """As in a forked child: another thread, another loop."""
    loop, thread = run_with(runner, loop_and_thread())
    old_threads, (old_loop,) = runner._threads.close(), runner._loops._idle
    runner.forget()
    for worker in old_threads:
        worker.join()
    assert run_with(runner, loop_and_thread())[0] != loop == id(old_loop)
    assert thread == old_threads[0].ident
    state: dict[str, Any] = vars(old_loop)
    state["_closed"] = False
    assert isinstance(old_loop, RecyclableLoop)
    old_loop.close()


def test_wrong_options_are_refused() -> None:
    """Numbers that mean nothing, and changes afterwards."""
    with pytest.raises(ValueError, match="max_idle"):
        PerCallLoopRunner(max_idle=-1)
    with pytest.raises(ValueError, match="idle_timeout"):
        PerCallLoopRunner(idle_timeout=0)
    with pytest.raises(attrs.exceptions.FrozenAttributeError):
        PerCallLoopRunner().loop_factory = None


def test_an_interrupt_while_the_thread_is_woken(
    runner: PerCallLoopRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Withdrawn or cancelled, it ends; the thread comes back for the next call."""
    assert run_with(runner, loop_and_thread())
    put = WorkQueue[Runnable].put
    puts: list[object] = []

    def interrupted(queue: WorkQueue[Runnable], item: Runnable) -> None:
        puts.append(item)
        if len(puts) == 1:
            raise KeyboardInterrupt
        put(queue, item)

    async def for_ever() -> None:
        await asyncio.Event().wait()

    with monkeypatch.context() as patch:
        patch.setattr(WorkQueue, "put", interrupted)
        with pytest.raises(KeyboardInterrupt):
            run_with(runner, for_ever())
    assert len(puts) >= 2
    while not runner._threads._idle:  # it may still be on its way back
        pass
    before = threading.active_count()
    assert run_with(runner, loop_and_thread())
    assert threading.active_count() == before


def test_a_visit_that_was_withdrawn(runner: PerCallLoopRunner) -> None:
    """The thread does nothing for it, and is free."""
    coro = loop_and_thread()
    with CurrentThreadExecutor() as caller:
        call = LoopCall(coro, copy_context(), caller)
    assert not call.claim()  # it has not been offered to anybody
    visit = _Visit(call, runner._loops, runner._threads)
    visit.run()
    assert visit.is_done
    assert not call.is_done
    coro.close()


def test_an_error_of_the_coroutine_about_threads(runner: PerCallLoopRunner) -> None:
    """It is the coroutine's own affair: nothing is run a second time."""
    runs: list[int] = []

    async def fail() -> None:
        runs.append(1)
        msg = "no more"
        raise NoThreadError(msg)

    with pytest.raises(NoThreadError, match="no more"):
        run_with(runner, fail())
    assert runs == [1]


def test_no_thread_for_a_lease(
    runner: PerCallLoopRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The coroutine is closed; an error of its own is raised as it is."""

    def none_left(*_: object) -> None:
        msg = "none left"
        raise NoThreadError(msg)

    one = runner.on_one_thread()
    coro = loop_and_thread()
    with monkeypatch.context() as patch:
        patch.setattr(ThreadLease, "post", none_left)
        with pytest.raises(NoThreadError, match="none left"):
            run_with(one, coro)
    assert is_closed(coro)

    async def fail() -> None:
        none_left()

    with pytest.raises(NoThreadError, match="none left"):
        run_with(one, fail())
    one.release()
