"""Loops that are used again, and how they end."""

import asyncio
import signal
import socket
import sys
import weakref
from asyncio import AbstractEventLoop
from collections.abc import AsyncGenerator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from asgibridge.loops import LoopCache, RecyclableLoop, _recycling, retire


@pytest.fixture
def loop() -> Iterator[RecyclableLoop]:
    """A loop that is retired in the end, whatever was done to it."""
    loop = RecyclableLoop()
    yield loop
    if not loop.is_closed():
        retire(loop)


def is_clean_after(
    loop: RecyclableLoop, use: Callable[[RecyclableLoop], object]
) -> bool:
    """Ask the loop whether *use* left anything in it; what it returns is kept."""
    loop.note()
    kept = use(loop)
    clean = loop.is_clean()
    del kept
    return clean


def run_a_call(loop: RecyclableLoop) -> None:
    """Use the loop as most calls do."""

    async def call() -> None:
        await asyncio.sleep(0)
        async with asyncio.timeout(60), asyncio.Lock():
            await asyncio.gather(asyncio.sleep(0), asyncio.sleep(0))
        async for _ in numbers():
            pass

    loop.run_until_complete(call())


async def numbers() -> AsyncGenerator[int]:
    """Yield twice."""
    yield 1
    yield 2


def test_a_call_that_tidies_up_leaves_the_loop_clean(loop: RecyclableLoop) -> None:
    """Tasks, timeouts, locks and generators that have ended leave nothing."""
    assert is_clean_after(loop, run_a_call)
    assert is_clean_after(loop, run_a_call), "and not the second time either"


def leave_attribute(loop: RecyclableLoop) -> None:
    """Store something on the loop, as libraries do."""
    loop.my_cache = {}  # type: ignore[attr-defined]  # that is what they do


def leave_task(loop: RecyclableLoop) -> object:
    """Leave a task that has not ended."""
    return loop.create_task(asyncio.sleep(60))


def leave_done_task(loop: RecyclableLoop) -> object:
    """Keep a task that has ended, which holds the loop."""
    task = loop.create_task(asyncio.sleep(0))
    loop.run_until_complete(task)
    return task


def leave_lock(loop: RecyclableLoop) -> object:
    """Keep a lock that has been waited for, and so belongs to the loop."""
    lock = asyncio.Lock()

    async def wait() -> None:
        await lock.acquire()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0):
                await lock.acquire()
        lock.release()

    loop.run_until_complete(wait())
    return lock


def leave_executor(loop: RecyclableLoop) -> None:
    """Have the loop make its default executor."""
    loop.run_until_complete(loop.run_in_executor(None, int))


def leave_own_executor(loop: RecyclableLoop) -> None:
    """Give the loop a default executor."""
    loop.set_default_executor(ThreadPoolExecutor(1))


def leave_exception_handler(loop: RecyclableLoop) -> None:
    """Give the loop an exception handler."""
    loop.set_exception_handler(lambda *_: None)


def leave_timer(loop: RecyclableLoop) -> None:
    """Leave a timer that has not come."""
    loop.call_later(60, int)


def leave_callback(loop: RecyclableLoop) -> None:
    """Leave a callback that has not run."""
    loop.call_soon(int)


def leave_generator(loop: RecyclableLoop) -> object:
    """Leave an asynchronous generator that was begun."""
    generator = numbers()
    begin(loop, generator)
    return generator


def begin(loop: RecyclableLoop, generator: AsyncGenerator[int]) -> None:
    """Begin to iterate *generator* on the loop, which hears of it so."""

    async def first() -> None:
        assert await anext(generator) == 1

    loop.run_until_complete(first())


def leave_signal_handler(loop: RecyclableLoop) -> None:
    """Leave a handler of a signal."""
    loop.add_signal_handler(signal.SIGUSR1, int)


def leave_debug(loop: RecyclableLoop) -> None:
    """Switch the debug mode on, or off where it is on."""
    loop.set_debug(not loop.get_debug())


def leave_task_factory(loop: RecyclableLoop) -> None:
    """Give the loop a task factory."""
    loop.set_task_factory(
        lambda loop, coro, **options: asyncio.Task(coro, loop=loop, **options)
    )


def leave_slow_callback_duration(loop: RecyclableLoop) -> None:
    """Configure the debug mode."""
    loop.slow_callback_duration = 0.5


def leave_shutdown(loop: RecyclableLoop) -> None:
    """Shut asynchronous generators down, after which none may begin."""
    loop.run_until_complete(loop.shutdown_asyncgens())


def leave_reference(loop: RecyclableLoop) -> object:
    """Keep the loop."""
    return [loop]


def leave_weak_reference(loop: RecyclableLoop) -> object:
    """Keep a weak reference, as caches keyed by loops do."""
    return weakref.ref(loop, lambda _: None)


def leave_a_cache_entry(loop: RecyclableLoop) -> object:
    """Keep something by loop."""
    cache = weakref.WeakKeyDictionary[AbstractEventLoop, int]()
    cache[loop] = 1
    return cache


@pytest.mark.parametrize(
    "use",
    [
        leave_attribute,
        leave_task,
        leave_done_task,
        leave_lock,
        leave_executor,
        leave_own_executor,
        leave_exception_handler,
        leave_timer,
        leave_callback,
        leave_generator,
        leave_signal_handler,
        leave_debug,
        leave_task_factory,
        leave_slow_callback_duration,
        leave_shutdown,
        leave_reference,
        leave_weak_reference,
        leave_a_cache_entry,
    ],
)
def test_what_is_left_is_seen(
    loop: RecyclableLoop, use: Callable[[RecyclableLoop], object]
) -> None:
    """A loop in which a call left anything is not used again."""
    assert not is_clean_after(loop, use)


def test_a_watched_descriptor_is_seen(loop: RecyclableLoop) -> None:
    """So is one that watches something for the call."""
    one, other = socket.socketpair()
    with one, other:
        assert not is_clean_after(loop, lambda loop: loop.add_reader(one, int))
        loop.remove_reader(one)


def test_cancelled_timers_are_nothing(loop: RecyclableLoop) -> None:
    """A timeout that was not needed leaves a loop clean."""

    def use(loop: RecyclableLoop) -> None:
        loop.call_later(60, int).cancel()

    assert is_clean_after(loop, use)


def test_a_loop_that_noted_nothing_is_not_clean(loop: RecyclableLoop) -> None:
    """Without a note there is nothing to compare with."""
    assert not loop.is_clean()


def test_loops_that_cannot_tell_are_not_clean(loop: RecyclableLoop) -> None:
    """Where asyncio's state has other names no loop counts as clean."""
    loop.is_known = False
    assert not is_clean_after(loop, run_a_call)
    assert not loop.is_quiet()
    assert not loop.can_be_turned()
    assert loop.tolerate(lambda _: "done") == "done"


def test_what_is_tolerated_stays(loop: RecyclableLoop) -> None:
    """Something done to the loop on purpose does not make it unclean."""
    kept: list[object] = []
    one, other = socket.socketpair()

    def use(loop: RecyclableLoop) -> None:
        loop.tolerate(kept.append)
        loop.tolerate(lambda loop: loop.add_reader(one, int))
        loop.tolerate(store)

    def store(loop: AbstractEventLoop) -> None:
        loop.my_cache = {}  # type: ignore[attr-defined]  # that is what they do

    with one, other:
        assert is_clean_after(loop, use)
        assert is_clean_after(loop, lambda _: None)
        assert loop.is_quiet()
        assert not is_clean_after(loop, leave_timer), "what comes besides is still seen"
        loop.remove_reader(one)


def test_tolerating_before_a_note(loop: RecyclableLoop) -> None:
    """What was there before the call is none of its business."""
    kept: list[object] = []
    loop.tolerate(kept.append)
    assert is_clean_after(loop, lambda loop: loop.run_until_complete(asyncio.sleep(0)))


# -- the cache --


def test_cache_hands_out_the_warmest() -> None:
    """The loop that came back last is used first; there is a limit."""
    cache = LoopCache(None, max_idle=2)
    loops = [cache.take() for _ in range(3)]
    assert len(set(map(id, loops))) == 3
    recyclable = [loop for loop in loops if isinstance(loop, RecyclableLoop)]
    assert [cache.keep(loop) for loop in recyclable] == [True, True, False]
    assert [cache.take(), cache.take()] == [loops[1], loops[0]]
    for loop in loops:
        loop.close()


def test_closing_the_cache_closes_its_loops() -> None:
    """Idle loops end with the cache."""
    cache = LoopCache(None)
    loop = cache.take()
    assert isinstance(loop, RecyclableLoop)
    cache.keep(loop)
    cache.close()
    assert loop.is_closed()
    late = RecyclableLoop()
    assert not cache.keep(late), "whoever brings it closes it"
    late.close()


def test_a_forked_child_leaves_the_loops_alone() -> None:
    """Loops of the parent are neither used nor closed, nor collected."""
    cache = LoopCache(None)
    loop = cache.take()
    assert isinstance(loop, RecyclableLoop)
    cache.keep(loop)
    cache.forget()
    other = cache.take()
    assert other is not loop
    cache.close()
    other.close()
    state: dict[str, Any] = vars(loop)
    assert state["_selector"].get_map() is not None, "its poller is still open"
    assert loop.is_closed(), "it must not close itself when it is collected"
    state["_closed"] = False
    loop.close()


def test_own_factory_makes_every_loop() -> None:
    """A user's factory is asked each time."""
    loops = [asyncio.new_event_loop(), asyncio.new_event_loop()]
    remaining = iter(loops)
    cache = LoopCache(lambda: next(remaining))
    assert [cache.take(), cache.take()] == loops
    for loop in loops:
        loop.close()


@pytest.mark.parametrize(
    ("platform", "gil", "recycles"),
    [
        ("linux", None, True),
        ("linux", True, True),
        ("linux", False, False),
        ("win32", True, False),
    ],
)
def test_where_loops_are_recycled(
    platform: str,
    gil: bool | None,  # noqa: FBT001  # a parameter of the test
    recycles: bool,  # noqa: FBT001  # a parameter of the test
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Not on Windows, and not without a GIL."""
    monkeypatch.setattr(sys, "platform", platform)
    if gil is None:
        monkeypatch.delattr(sys, "_is_gil_enabled", raising=False)
    else:
        monkeypatch.setattr(sys, "_is_gil_enabled", lambda: gil, raising=False)
    assert _recycling._recycles() is recycles
    cache = LoopCache(None)
    monkeypatch.undo()
    loop = cache.take()
    assert isinstance(loop, RecyclableLoop) is recycles
    loop.close()


# -- the end --


def test_retiring_cancels_tasks(loop: RecyclableLoop) -> None:
    """Tasks that are left are cancelled, and may tidy up."""
    seen: list[str] = []

    async def wait() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            await asyncio.sleep(0)
            seen.append("tidied up")
            raise

    task = loop.create_task(wait())
    loop.call_soon(loop.stop)
    loop.run_forever()
    retire(loop)
    assert task.cancelled()
    assert seen == ["tidied up"]
    assert loop.is_closed()


def test_retiring_reports_failures(loop: RecyclableLoop) -> None:
    """A task that fails instead of ending is reported to the loop's handler."""
    reports: list[dict[str, Any]] = []

    async def fail() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            raise LookupError

    async def resist() -> str:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return "resisted"
        return "never"

    tasks = [loop.create_task(fail()), loop.create_task(resist())]
    loop.set_exception_handler(lambda _, report: reports.append(report))
    loop.call_soon(loop.stop)
    loop.run_forever()
    retire(loop)
    (report,) = reports
    assert report["task"] is tasks[0]
    assert isinstance(report["exception"], LookupError)
    assert "retired" in report["message"]


def test_retiring_ends_generators_and_executor(loop: RecyclableLoop) -> None:
    """Asynchronous generators run their finally, the executor its end."""
    seen: list[str] = []

    async def generate() -> AsyncGenerator[int]:
        try:
            yield 1
        finally:
            seen.append("closed")

    generator = generate()
    executor = ThreadPoolExecutor(1)
    loop.set_default_executor(executor)
    begin(loop, generator)
    retire(loop)
    assert seen == ["closed"]
    with pytest.raises(RuntimeError, match="shutdown"):
        executor.submit(int)


def test_retiring_survives_a_pending_stop(loop: RecyclableLoop) -> None:
    """A stop that an interrupted call left behind does not stop the retiring."""
    loop.call_soon(loop.stop)
    retire(loop)
    assert loop.is_closed()


def test_a_quiet_loop(loop: RecyclableLoop) -> None:
    """Nothing is ready, timed or watched: only somebody's call can wake it."""
    loop.note()
    answers = [loop.is_quiet()]
    timer = loop.call_later(60, int)
    answers.append(loop.is_quiet())
    timer.cancel()
    answers.append(loop.is_quiet())
    one, other = socket.socketpair()
    with one, other:
        loop.add_reader(one, int)
        answers.append(loop.is_quiet())
        loop.remove_reader(one)
    answers.append(loop.is_quiet())
    assert answers == [True, False, True, False, True]
