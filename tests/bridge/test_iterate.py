"""`Bridge.iterate_in_thread`: blocking iterators for async code."""

import asyncio
import contextvars
import gc
import threading
from collections.abc import AsyncIterator, Callable, Generator, Iterable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import aclosing, suppress
from typing import TypeVar, cast

import pytest
from hypothesis import given, settings, strategies as st

from asgibridge.bridge import Bridge, ThreadIterator, _source
from asgibridge.errors import (
    ExecutorDroppedCallError,
    NotExhaustedError,
    NotSyncError,
    OptionError,
)
from asgibridge.executors import ThreadLease, ThreadSensitivePool

T = TypeVar("T")
variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable")


@pytest.fixture
def bridge() -> Iterator[Bridge]:
    """Return a bridge that is closed in the end."""
    with Bridge() as bridge:
        yield bridge


@pytest.fixture
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make every source a quick one, however slow the machine is."""
    monkeypatch.setattr(_source, "monotonic", lambda: 0.0)


async def collect(items: AsyncIterator[T]) -> list[T]:
    """Return all items."""
    return [item async for item in items]


async def collect_into(found: list[T], items: AsyncIterator[T]) -> None:
    """Put all items into *found*, one by one."""
    async for item in items:
        found.append(item)  # noqa: PERF401  # those before an exception as well


class Recorder:
    """A generator that writes down what happens to it, and on which threads."""

    def __init__(self, count: int = 5) -> None:
        self.count = count
        self.produced = 0
        self.events: list[object] = []
        self.threads: set[int] = set()

    def __call__(self) -> Generator[int, None, str]:
        """Yield numbers, return a text."""
        try:
            for number in range(self.count):
                self.threads.add(threading.get_ident())
                self.produced += 1
                try:
                    yield number
                except ValueError as exc:
                    self.events.append(exc)
        except BaseException as exc:
            self.events.append(type(exc))
            raise
        finally:
            self.threads.add(threading.get_ident())
            self.events.append("closed")
        return "returned"


# --- items ------------------------------------------------------------------


@settings(deadline=None, max_examples=30)
@given(st.lists(st.integers(), max_size=100), st.integers(1, 40), st.booleans())
def test_items_arrive_in_order(
    items: list[int],
    look_ahead: int,
    thread_sensitive: bool,  # noqa: FBT001  # given by hypothesis
) -> None:
    """Whatever the look-ahead and the thread, it is the same sequence."""
    with Bridge() as ours:
        source = ours.iterate_in_thread(
            items, look_ahead=look_ahead, thread_sensitive=thread_sensitive
        )
        assert asyncio.run(collect(source)) == items


def test_generator_function_keeps_its_parameters(bridge: Bridge) -> None:
    """A wrapped function takes the same arguments and starts nothing itself."""

    @bridge.iterate_in_thread
    def count(start: int, *, stop: int) -> Generator[int, None, None]:
        """Count."""
        yield from range(start, stop)

    assert count.__doc__ == "Count."
    assert asyncio.run(collect(count(2, stop=5))) == [2, 3, 4]


def test_decorator_with_options(bridge: Bridge) -> None:
    """Without a source it is a decorator."""

    @bridge.iterate_in_thread(look_ahead=1, thread_sensitive=False)
    def count() -> Generator[int, None, None]:
        yield 1

    assert asyncio.run(collect(count())) == [1]


def test_static_method_stays_one(bridge: Bridge) -> None:
    """A staticmethod of a generator function can be wrapped."""

    class Shelf:
        books = bridge.iterate_in_thread(staticmethod(lambda: iter("ab")))

    assert asyncio.run(collect(Shelf.books())) == ["a", "b"]


@pytest.mark.parametrize("thread_sensitive", [True, False])
def test_all_steps_run_on_one_thread_that_is_not_the_loops(
    bridge: Bridge,
    thread_sensitive: bool,  # noqa: FBT001  # a parameter of the test
) -> None:
    """Making, iterating and closing have one thread."""
    source = Recorder(100)

    async def main() -> None:
        items = bridge.iterate_in_thread(source, thread_sensitive=thread_sensitive)()
        async with items:
            async for number in items:
                if number == 50:
                    break

    asyncio.run(main())
    assert len(source.threads) == 1
    assert threading.get_ident() not in source.threads
    assert source.events == [GeneratorExit, "closed"]


def test_sensitive_steps_stay_on_their_thread_when_the_place_changes(
    bridge: Bridge,
) -> None:
    """A source that was begun outside of a scope is not moved into it."""
    source = Recorder(3)

    async def main() -> None:
        items = bridge.iterate_in_thread(source, look_ahead=1)()
        await anext(items)
        async with bridge.thread_sensitive_context():
            other = await bridge.sync_to_async(threading.get_ident)()
            assert other not in source.threads
            assert await collect(items) == [1, 2]

    asyncio.run(main())
    assert len(source.threads) == 1


def test_source_that_outlives_its_scope_goes_on_elsewhere(bridge: Bridge) -> None:
    """The scope's thread is given back; the shared one takes over."""
    source = Recorder(3)

    async def main() -> list[int]:
        items = bridge.iterate_in_thread(source, look_ahead=1)()
        async with bridge.thread_sensitive_context():
            await anext(items)
        return await collect(items)

    assert asyncio.run(main()) == [1, 2]
    assert len(source.threads) == 2


def test_below_a_waiting_thread_it_runs_there(bridge: Bridge) -> None:
    """The source of async code that a thread waits for runs on that thread."""
    source = Recorder(3)

    async def main() -> list[int]:
        return await collect(bridge.iterate_in_thread(source)())

    assert bridge.async_to_sync(main)() == [0, 1, 2]
    assert source.threads == {threading.get_ident()}


def test_source_begun_outside_goes_on_below_the_same_thread(bridge: Bridge) -> None:
    """When its thread itself waits for async code, its steps run in that wait."""
    source = Recorder(3)

    async def main() -> list[int]:
        items = bridge.iterate_in_thread(source, look_ahead=1)()
        first = await anext(items)

        def blocking() -> list[int]:
            return bridge.async_to_sync(collect)(items)

        return [first, *await bridge.sync_to_async(blocking)()]

    assert asyncio.run(main()) == [0, 1, 2]
    assert len(source.threads) == 1


# --- how far it runs ahead --------------------------------------------------


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 20), st.integers(0, 60))
def test_never_further_ahead_than_allowed(look_ahead: int, taken: int) -> None:
    """After any number of items the source has made at most so many more."""
    source = Recorder(200)

    async def main() -> None:
        items = ours.iterate_in_thread(source, look_ahead=look_ahead)()
        async with items:
            for index in range(taken):
                assert await anext(items) == index
                assert source.produced <= index + 1 + look_ahead

    with Bridge() as ours:
        asyncio.run(main())


def test_look_ahead_of_one_runs_only_when_asked(bridge: Bridge) -> None:
    """With 1 the source makes nothing that nobody waits for."""
    source = Recorder()

    async def main() -> None:
        async with bridge.iterate_in_thread(source, look_ahead=1)() as items:
            for index in range(3):
                assert source.produced == index
                await anext(items)

    asyncio.run(main())


@pytest.mark.usefixtures("_patient")
def test_quick_source_costs_few_crossings(bridge: Bridge) -> None:
    """A thousand quick items come in batches."""
    steps = 0
    pull = _source.Source[int].pull

    def counted(self: "_source.Source[int]", limit: int) -> bool:
        nonlocal steps
        steps += 1
        return pull(self, limit)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_source.Source, "pull", counted)
        items = asyncio.run(collect(bridge.iterate_in_thread(range(1000))))
    assert items == list(range(1000))
    assert steps < 50


def test_item_does_not_wait_for_the_next_one(bridge: Bridge) -> None:
    """An item is there although the source, which is ahead, blocks."""
    release = threading.Event()

    def source() -> Generator[int, None, None]:
        yield 0
        yield 1
        assert release.wait(timeout=60)
        yield 2

    async def main() -> list[int]:
        async with bridge.iterate_in_thread(source)() as items:
            first = [await anext(items), await anext(items)]
            release.set()
            return [*first, *await collect(items)]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_source, "monotonic", lambda: 0.0)
        assert asyncio.run(main()) == [0, 1, 2]


def test_item_that_takes_long_is_announced(bridge: Bridge) -> None:
    """A wait that has become long ends with the item, not with the batch."""
    waited, release = threading.Event(), threading.Event()

    def source() -> Generator[int, None, None]:
        yield 0
        assert waited.wait(timeout=60)
        yield 1
        assert release.wait(timeout=60)
        yield 2

    def announced(
        self: "_source.Source[int]", loop: asyncio.AbstractEventLoop
    ) -> "asyncio.Future[None]":
        future = first_item(self, loop)
        waited.set()
        return future

    async def main() -> list[int]:
        async with bridge.iterate_in_thread(source)() as items:
            found = [await anext(items), await anext(items)]
            release.set()
            return [*found, *await collect(items)]

    first_item = _source.Source[int].first_item
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_source, "monotonic", lambda: 0.0)
        # The consumer asks to be told once it has waited for a while.
        patch.setattr(_source.Source, "first_item", announced)
        assert asyncio.run(main()) == [0, 1, 2]


def test_slow_source_is_not_collected() -> None:
    """When an item has taken long, the batch ends with it."""
    clock = iter(range(100))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_source, "monotonic", lambda: float(next(clock)))
        source = _source.Source(lambda: [1, 2, 3], is_ours=False)
        assert source.pull(3) is False
    assert list(source.buffer) == [1]


def test_announcement_for_an_item_that_came_meanwhile() -> None:
    """Who asks after the item has come is told at once."""

    async def main() -> None:
        source = _source.Source(lambda: [1, 2], is_ours=False)
        source.pull(1)
        first = source.first_item(asyncio.get_running_loop())
        assert first.done()
        source.pull(1)  # tells once more, which changes nothing
        await first

    asyncio.run(main())


def test_announcement_to_a_closed_loop() -> None:
    """A thread that has an item for a loop that is gone keeps it, and lives."""
    loop = asyncio.new_event_loop()
    source = _source.Source(lambda: [1], is_ours=False)
    future = source.first_item(loop)
    loop.close()
    assert source.pull(1) is True
    assert list(source.buffer) == [1]
    assert not future.done()


# --- the end ----------------------------------------------------------------


def test_return_value_arrives(bridge: Bridge) -> None:
    """It is in `returned`, and in StopAsyncIteration as in StopIteration."""

    async def main() -> tuple[object, str]:
        items = bridge.iterate_in_thread(Recorder(1))()
        await anext(items)
        with pytest.raises(NotExhaustedError, match="has not come to its end"):
            items.returned  # noqa: B018  # the read is the test
        with pytest.raises(StopAsyncIteration) as caught:
            await anext(items)
        return caught.value.args[0], items.returned

    assert asyncio.run(main()) == ("returned", "returned")


def test_exception_arrives_after_the_items_before_it(bridge: Bridge) -> None:
    """What the source raises comes in its turn, with the source's traceback."""

    def source() -> Generator[int, None, None]:
        yield 1
        yield 2
        msg = "third"
        raise KeyError(msg)

    async def main() -> list[int]:
        items = bridge.iterate_in_thread(source)()
        found: list[int] = []
        with pytest.raises(KeyError, match="third") as caught:
            await collect_into(found, items)
        assert caught.traceback[-1].name == "source"
        assert await anext(items, None) is None
        with pytest.raises(NotExhaustedError):
            items.returned  # noqa: B018  # the read is the test
        return found

    assert asyncio.run(main()) == [1, 2]


def test_exception_makes_no_cycle(bridge: Bridge) -> None:
    """Nothing of a failed iteration needs the collector."""

    def source() -> Generator[int, None, None]:
        yield 1
        msg = "second"
        raise KeyError(msg)

    async def fail() -> None:
        with suppress(KeyError):
            await collect(bridge.iterate_in_thread(source)())

    gc.collect()
    gc.disable()
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        asyncio.run(fail())
        gc.collect()
        # Other things, of earlier tests, may be garbage as well.
        assert [x for x in gc.garbage if isinstance(x, KeyError)] == []
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()


def test_stop_iteration_inside_does_not_hang(bridge: Bridge) -> None:
    """A generator's own StopIteration is an error, as anywhere (PEP 479)."""

    def source() -> Generator[int, None, None]:
        yield 1
        raise StopIteration  # noqa: PLR1708  # the mistake

    async def main() -> None:
        with pytest.raises(RuntimeError, match="generator raised StopIteration"):
            await collect(bridge.iterate_in_thread(source)())

    asyncio.run(main())


def test_error_of_the_function_arrives(bridge: Bridge) -> None:
    """A function that raises instead of returning an iterable."""

    def source() -> Iterable[int]:
        msg = "no"
        raise OSError(msg)

    async def main() -> None:
        with pytest.raises(OSError, match="no"):
            await collect(bridge.iterate_in_thread(source)())

    asyncio.run(main())


# --- leaving early ----------------------------------------------------------


def test_aclose_closes_the_source_once(bridge: Bridge) -> None:
    """A second close does nothing, and there are no more items."""
    source = Recorder()

    async def main() -> None:
        items = bridge.iterate_in_thread(source)()
        await anext(items)
        await items.aclose()
        await items.aclose()
        assert await anext(items, "none") == "none"

    asyncio.run(main())
    assert source.events == [GeneratorExit, "closed"]


def test_closing_what_was_not_begun_runs_nothing(bridge: Bridge) -> None:
    """The source is not made to be closed."""
    source = Recorder()

    async def main() -> None:
        async with aclosing(bridge.iterate_in_thread(source)()):
            pass

    asyncio.run(main())
    assert source.events == []


def test_error_while_closing_arrives(bridge: Bridge) -> None:
    """What the source raises when it is closed goes to who closes it."""

    def source() -> Generator[int, None, None]:
        try:
            yield 1
        finally:
            msg = "closing"
            raise OSError(msg)

    async def main() -> None:
        items = bridge.iterate_in_thread(source)()
        await anext(items)
        with pytest.raises(OSError, match="closing"):
            await items.aclose()

    asyncio.run(main())


class Closable:
    """An iterator with a close method, which is no generator."""

    def __init__(self) -> None:
        self.closed = 0
        self._numbers = iter(range(3))

    def __iter__(self) -> "Closable":
        return self

    def __next__(self) -> int:
        return next(self._numbers)

    def close(self) -> None:
        """Count."""
        self.closed += 1


def test_who_makes_an_iterable_closes_it(bridge: Bridge) -> None:
    """One that is handed in is its owner's; one made for the iteration is closed."""
    theirs, ours = Closable(), Closable()

    async def main() -> None:
        assert await collect(bridge.iterate_in_thread(theirs)) == [0, 1, 2]
        assert await collect(bridge.iterate_in_thread(lambda: ours)()) == [0, 1, 2]

    asyncio.run(main())
    assert (theirs.closed, ours.closed) == (0, 1)


def test_collected_iterator_closes_its_source(bridge: Bridge) -> None:
    """Dropping the iterator closes the source on its thread."""
    source = Recorder()
    closed = threading.Event()

    def watched() -> Generator[int, None, None]:
        try:
            yield from source()
        finally:
            closed.set()

    async def main() -> None:
        items = bridge.iterate_in_thread(watched)()
        async for _ in items:
            break
        del items
        gc.collect()
        assert await asyncio.to_thread(closed.wait, 5)

    asyncio.run(main())
    assert len(source.threads) == 1
    assert source.events == [GeneratorExit, "closed"]


def test_end_of_the_loop_closes_the_source(bridge: Bridge) -> None:
    """What is forgotten is closed when the loop shuts down its generators."""
    source = Recorder()
    kept: list[ThreadIterator[int, str]] = []

    async def main() -> None:
        items = bridge.iterate_in_thread(source)()
        kept.append(items)
        await anext(items)

    asyncio.run(main())
    assert source.events == [GeneratorExit, "closed"]
    assert len(source.threads) == 1


def test_throw_reaches_the_generator(bridge: Bridge) -> None:
    """The generator may handle it, and what it yields then is the next item."""
    source = Recorder(100)
    error = ValueError("thrown")

    async def main() -> list[int]:
        items = bridge.iterate_in_thread(source)()
        await anext(items)
        await anext(items)
        after = await items.athrow(error)
        assert source.produced <= after + 33
        return [after, *await collect(items)]

    found = asyncio.run(main())
    assert source.events[0] is error
    assert found == list(range(found[0], 100))


@pytest.mark.parametrize("count", [1, 10])
def test_throw_that_is_not_handled_ends_it(bridge: Bridge, count: int) -> None:
    """The exception goes through the generator and comes back."""
    source = Recorder(count)

    async def main() -> None:
        items = bridge.iterate_in_thread(source)()
        await anext(items)
        with pytest.raises(KeyError, match="thrown"):
            await items.athrow(KeyError("thrown"))
        assert await anext(items, "none") == "none"

    asyncio.run(main())
    assert source.events == [KeyError, "closed"]


def test_throw_after_the_source_has_ended(bridge: Bridge) -> None:
    """A source that was ahead and is over cannot handle it."""

    async def main() -> None:
        items = bridge.iterate_in_thread(Recorder(2))()
        await anext(items)
        await anext(items)
        with pytest.raises(KeyError, match="thrown"):
            await items.athrow(KeyError("thrown"))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_source, "monotonic", lambda: 0.0)
        asyncio.run(main())


def test_throw_into_what_is_no_generator(bridge: Bridge) -> None:
    """It comes back, and the iteration is over."""

    async def main() -> None:
        items = bridge.iterate_in_thread([1, 2, 3])
        await anext(items)
        with pytest.raises(KeyError, match="thrown"):
            await items.athrow(KeyError("thrown"))
        assert await anext(items, "none") == "none"

    asyncio.run(main())


def test_throw_waits_for_the_step_that_runs(bridge: Bridge) -> None:
    """The exception is raised behind the item that is being made."""
    inside, release = threading.Event(), threading.Event()
    caught: list[BaseException] = []

    def source() -> Generator[int, None, None]:
        yield 0
        yield 1
        inside.set()
        assert release.wait(timeout=60)
        try:
            yield 2
        except KeyError as exc:
            caught.append(exc)
        yield 3

    async def main() -> int:
        items = bridge.iterate_in_thread(source)()
        await anext(items)
        await anext(items)
        assert await asyncio.to_thread(inside.wait, 5)
        throw = asyncio.create_task(items.athrow(KeyError("thrown")))
        await asyncio.sleep(0)
        release.set()
        return await throw

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_source, "monotonic", lambda: 0.0)
        assert asyncio.run(main()) == 3
    assert len(caught) == 1


# --- cancellation -----------------------------------------------------------


def test_cancelled_wait_closes_the_source_after_the_step(bridge: Bridge) -> None:
    """The wait ends when the step has, and the source is closed by then."""
    source = Recorder()
    inside, release = threading.Event(), threading.Event()

    def slow() -> Generator[int, None, None]:
        inside.set()
        assert release.wait(timeout=60)
        yield from source()

    async def main() -> None:
        task = asyncio.create_task(collect(bridge.iterate_in_thread(slow)()))
        assert await asyncio.to_thread(inside.wait, 5)
        task.cancel("first")
        await asyncio.sleep(0)
        task.cancel("second")
        await asyncio.sleep(0)
        assert not task.done()
        release.set()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert task.cancelling() == 2

    asyncio.run(main())
    assert source.events == [GeneratorExit, "closed"]


def test_cancelled_close_is_made_all_the_same(bridge: Bridge) -> None:
    """aclose() that is cancelled closes, and then raises the cancellation."""
    inside, release = threading.Event(), threading.Event()
    closed = threading.Event()

    def source() -> Generator[int, None, None]:
        try:
            yield 1
        finally:
            inside.set()
            assert release.wait(timeout=60)
            closed.set()

    async def main() -> None:
        items = bridge.iterate_in_thread(source)()
        await anext(items)
        task = asyncio.create_task(items.aclose())
        assert await asyncio.to_thread(inside.wait, 5)
        task.cancel()
        await asyncio.sleep(0)
        release.set()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert closed.is_set()

    asyncio.run(main())


def test_cancelled_throw_raises_the_cancellation(bridge: Bridge) -> None:
    """Cancelled while it waits for the step that runs, it does not throw any more."""
    inside, release = threading.Event(), threading.Event()
    seen: list[type[BaseException]] = []

    def source() -> Generator[int, None, None]:
        try:
            yield 0
            yield 1
            inside.set()
            assert release.wait(timeout=60)
            yield 2
        except BaseException as exc:
            seen.append(type(exc))
            raise

    async def main() -> None:
        items = bridge.iterate_in_thread(source)()
        await anext(items)
        await anext(items)
        assert await asyncio.to_thread(inside.wait, 5)
        throw = asyncio.create_task(items.athrow(KeyError("thrown")))
        await asyncio.sleep(0)
        throw.cancel()
        await asyncio.sleep(0)
        release.set()
        with pytest.raises(asyncio.CancelledError):
            await throw

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_source, "monotonic", lambda: 0.0)
        asyncio.run(main())
    assert seen == [GeneratorExit]


def test_step_that_is_queued_is_withdrawn(bridge: Bridge) -> None:
    """Behind a call that blocks the thread, a cancelled source never begins."""
    source = Recorder()
    inside, release = threading.Event(), threading.Event()

    def block() -> None:
        inside.set()
        assert release.wait(timeout=60)

    async def main() -> None:
        blocking = asyncio.create_task(bridge.sync_to_async(block)())
        assert await asyncio.to_thread(inside.wait, 5)
        task = asyncio.create_task(collect(bridge.iterate_in_thread(source)()))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        release.set()
        await blocking

    asyncio.run(main())
    assert source.events == []
    assert source.produced == 0


# --- context ----------------------------------------------------------------


def test_source_has_one_context_and_its_consumer_sees_it(bridge: Bridge) -> None:
    """Tokens can be reset across items, and what is set is seen by the consumer."""

    def source() -> Generator[str, None, None]:
        token = variable.set("set by source")
        yield variable.get()
        yield variable.get()
        variable.reset(token)
        yield variable.get("reset")

    async def main() -> list[str]:
        found = []
        async for seen in bridge.iterate_in_thread(source, look_ahead=1)():
            found += [seen, variable.get("none")]
            if seen == "set by source" and len(found) == 2:
                variable.set("set by consumer")
        return found

    assert asyncio.run(main()) == [
        "set by source",
        "set by source",
        "set by consumer",
        "set by consumer",
        "reset",
        # As if both were in one context: the token is from before all of that.
        "none",
    ]


def test_reset_reaches_the_consumer(bridge: Bridge) -> None:
    """A variable that the source takes back is gone for the consumer as well."""

    def source() -> Generator[str, None, None]:
        token = variable.set("set by source")
        yield variable.get()
        variable.reset(token)
        yield "reset"

    async def main() -> list[str]:
        items = bridge.iterate_in_thread(source, look_ahead=1)()
        return [*await collect(items), variable.get("none")]

    assert asyncio.run(main()) == ["set by source", "reset", "none"]


def test_steps_made_from_different_tasks(bridge: Bridge) -> None:
    """What was set for one task is not taken back in another."""

    def source() -> Generator[str, None, None]:
        token = variable.set("set by source")
        yield variable.get()
        variable.reset(token)
        yield "reset"

    async def main() -> list[str]:
        items = bridge.iterate_in_thread(source, look_ahead=1)()
        first = await anext(items)

        async def rest() -> list[str]:
            return [*await collect(items), variable.get("none")]

        return [first, *await asyncio.create_task(rest()), variable.get("none")]

    assert asyncio.run(main()) == [
        "set by source",
        "reset",
        "set by source",
        "set by source",
    ]


# --- executors --------------------------------------------------------------


def test_executor_that_lends_threads_is_asked_for_one(bridge: Bridge) -> None:
    """Two iterations at once each have a thread."""
    sources = Recorder(3), Recorder(3)

    async def main(pool: ThreadSensitivePool) -> None:
        wrapped = [
            bridge.iterate_in_thread(
                source, thread_sensitive=False, executor=pool, look_ahead=1
            )()
            for source in sources
        ]
        for items in wrapped:
            await anext(items)
        for items in wrapped:
            await collect(items)

    with ThreadSensitivePool() as pool:
        asyncio.run(main(pool))
    assert len(sources[0].threads | sources[1].threads) == 2
    assert len(sources[0].threads) == 1


def test_thread_of_any_executor_is_held_and_given_back(bridge: Bridge) -> None:
    """A plain pool with one thread can be used again afterwards."""
    source = Recorder()
    with ThreadPoolExecutor(1) as pool:
        for _ in range(2):
            items = bridge.iterate_in_thread(
                source, thread_sensitive=False, executor=pool
            )()
            assert asyncio.run(collect(items)) == [0, 1, 2, 3, 4]
        assert pool.submit(threading.get_ident).result(timeout=60) in source.threads
    assert len(source.threads) == 1


class InlineExecutor(Executor):
    """Runs each call where it is submitted."""

    def submit(
        self, fn: Callable[..., T], /, *args: object, **kwargs: object
    ) -> "Future[T]":
        """Run the call now."""
        future: Future[T] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except BaseException as exc:  # noqa: BLE001  # as any executor
            future.set_exception(exc)
        return future


def test_executor_that_cannot_be_held(bridge: Bridge) -> None:
    """One that runs calls at once, as in tests, is asked for each step."""
    source = Recorder(50)
    items = bridge.iterate_in_thread(
        source, thread_sensitive=False, executor=InlineExecutor()
    )()
    assert asyncio.run(collect(items)) == list(range(50))
    assert source.threads == {threading.get_ident()}


class LateExecutor(Executor):
    """Accepts calls and cancels them when told to."""

    def __init__(self) -> None:
        self.futures: list[Future[object]] = []

    def submit(
        self, _fn: Callable[..., T], /, *_a: object, **_k: object
    ) -> "Future[T]":
        """Keep the call."""
        future: Future[T] = Future()
        self.futures.append(cast("Future[object]", future))
        return future


def test_executor_that_drops_the_call_after_the_iteration(bridge: Bridge) -> None:
    """Everything was withdrawn by then: nobody has to be told."""
    executor = LateExecutor()

    async def main() -> None:
        items = bridge.iterate_in_thread([1], thread_sensitive=False, executor=executor)
        task = asyncio.create_task(collect(items))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    (future,) = executor.futures
    assert future.cancel()
    assert future.cancelled()


class DroppingExecutor(Executor):
    """Accepts a call and cancels it, or makes it fail."""

    def __init__(self, error: Exception | None) -> None:
        self.error = error

    def submit(
        self, _fn: Callable[..., T], /, *_args: object, **_kwargs: object
    ) -> "Future[T]":
        """Return a future without a result."""
        future: Future[T] = Future()
        if self.error is None:
            future.cancel()
            future.set_running_or_notify_cancel()
        else:
            future.set_exception(self.error)
        return future


@pytest.mark.parametrize("error", [None, OSError("lost")])
def test_executor_that_drops_the_call(bridge: Bridge, error: Exception | None) -> None:
    """A thread that cannot be held is an error that names the executor."""
    executor = DroppingExecutor(error)
    items = bridge.iterate_in_thread([1], thread_sensitive=False, executor=executor)
    with pytest.raises(ExecutorDroppedCallError, match=r"DroppingExecutor .* dropped"):
        asyncio.run(collect(items))


def test_thread_that_ends_between_two_looks(bridge: Bridge) -> None:
    """A place that ends just now is passed over, as one that has ended."""
    source = Recorder(3)

    async def main() -> list[int]:
        items = bridge.iterate_in_thread(source, look_ahead=1)()
        scope = bridge.thread_sensitive_context()
        async with scope:
            await anext(items)
            async with bridge.thread_sensitive_context(executor=other):
                lease = scope.executor
                assert isinstance(lease, ThreadLease)
                lease.release()
                return await collect(items)

    with ThreadSensitivePool() as pool:
        other = pool.lease()
        assert asyncio.run(main()) == [1, 2]
        other.release()
    assert len(source.threads) == 2


# --- mistakes ---------------------------------------------------------------


async def async_generator() -> AsyncIterator[int]:
    """Yield a number."""
    yield 1


async def coroutine_function() -> None:
    """Return nothing."""


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (async_generator, "async_generator is async already: use `async for`"),
        (async_generator(), "async_generator is async already: use `async for`"),
        (coroutine_function, "needs an iterable, or a blocking function that"),
        (5, "needs an iterable, or a blocking function that returns one, got 5"),
    ],
)
def test_what_cannot_be_iterated(
    bridge: Bridge, source: Iterable[int], message: str
) -> None:
    """Async things and others are refused, with the right way."""
    with pytest.raises(NotSyncError, match=message):
        bridge.iterate_in_thread(source)


def test_look_ahead_must_have_a_meaning(bridge: Bridge) -> None:
    """Below 1 nothing could ever come."""
    with pytest.raises(OptionError, match="at least 1, got 0"):
        bridge.iterate_in_thread([1], look_ahead=0)


def test_sync_to_async_names_the_right_call(bridge: Bridge) -> None:
    """A generator function given to sync_to_async is sent here."""

    def numbers() -> Generator[int, None, None]:
        yield 1

    with pytest.raises(NotSyncError, match=r"use iterate_in_thread\(.*numbers\)"):
        bridge.sync_to_async(numbers)
