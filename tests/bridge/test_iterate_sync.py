"""`Bridge.iterate_sync`: async iterators for blocking code."""

import asyncio
import contextvars
import gc
import logging
import threading
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Callable,
    Iterator,
)
from typing import Any, TypeVar

import pytest
from hypothesis import given, settings, strategies as st

from asgibridge.bridge import Bridge, _actor
from asgibridge.bridge._places import Frame
from asgibridge.errors import (
    BridgeClosedError,
    LoopStoppedError,
    NotAsyncError,
    OptionError,
    RunningLoopError,
    WrongThreadError,
)
from asgibridge.executors import InThreadLoopRunner

T = TypeVar("T")
variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable")


@pytest.fixture
def bridge() -> Iterator[Bridge]:
    """Return a bridge that is closed in the end."""
    with Bridge() as bridge:
        yield bridge


class Recorder:
    """An async generator that writes down what happens to it, and where."""

    def __init__(self, count: int = 5, *, suspends: bool = False) -> None:
        self.count = count
        self.suspends = suspends
        self.produced = 0
        self.events: list[object] = []
        self.tasks: set[object] = set()
        self.threads: set[int] = set()
        self.closed = threading.Event()

    async def __call__(self) -> AsyncGenerator[int, None]:
        """Yield numbers."""
        try:
            for number in range(self.count):
                self._note()
                self.produced += 1
                if self.suspends:
                    await asyncio.sleep(0)
                try:
                    yield number
                except ValueError as exc:
                    self.events.append(exc)
        except BaseException as exc:
            self.events.append(type(exc))
            raise
        finally:
            self._note()
            await asyncio.sleep(0)
            self.events.append("closed")
            self.closed.set()

    def _note(self) -> None:
        self.tasks.add(asyncio.current_task())
        self.threads.add(threading.get_ident())


class Interrupt:
    """Work that is interrupted, as by Ctrl-C just when its thread waits."""

    def run(self) -> None:
        """Raise."""
        raise KeyboardInterrupt


def interrupt(bridge: Bridge) -> None:
    """Interrupt the thread that waits for the current coroutine."""
    place = bridge._engine.affinity.get()
    assert isinstance(place, Frame)
    place.executor.post(Interrupt())


def outermost(_bridge: Bridge, fn: Callable[[], T]) -> T:
    """Run *fn* with no async code above it."""
    return fn()


def below_async(bridge: Bridge, fn: Callable[[], T]) -> T:
    """Run *fn* in a blocking call of async code."""
    return asyncio.run(bridge.sync_to_async(fn)())


Place = Callable[[Bridge, Callable[[], object]], object]
places = pytest.mark.parametrize("place", [outermost, below_async])


# --- items ------------------------------------------------------------------


@settings(deadline=None, max_examples=30)
@given(
    st.lists(st.tuples(st.integers(), st.booleans()), max_size=50), st.integers(1, 20)
)
def test_items_arrive_in_order(items: list[tuple[int, bool]], look_ahead: int) -> None:
    """Whatever the look-ahead, and wherever the source has to wait."""

    async def source() -> AsyncIterator[int]:
        for item, suspends in items:
            if suspends:
                await asyncio.sleep(0)
            yield item

    with Bridge() as ours:
        found = list(ours.iterate_sync(source(), look_ahead=look_ahead))
    assert found == [item for item, _ in items]


@places
@pytest.mark.parametrize("suspends", [True, False])
def test_all_steps_run_in_one_task(
    bridge: Bridge,
    place: Place,
    suspends: bool,  # noqa: FBT001  # a parameter of the test
) -> None:
    """Cancel scopes and timeouts of the source stay in their task."""
    source = Recorder(100, suspends=suspends)
    assert place(bridge, lambda: list(bridge.iterate_sync(source()))) == list(
        range(100)
    )
    assert len(source.tasks) == len(source.threads) == 1
    assert source.events == ["closed"]


def test_runs_on_the_loop_above(bridge: Bridge) -> None:
    """Below a blocking call it is the loop of the async code that waits for it."""

    async def source() -> AsyncIterator[asyncio.AbstractEventLoop]:
        yield asyncio.get_running_loop()

    async def main() -> bool:
        items = bridge.iterate_sync(source())
        (loop,) = await bridge.sync_to_async(lambda: list(items))()
        return loop is asyncio.get_running_loop()

    assert asyncio.run(main())


def test_sensitive_calls_of_the_source_run_on_the_consumers_thread(
    bridge: Bridge,
) -> None:
    """The thread that waits for an item runs them."""

    async def source() -> AsyncIterator[int]:
        for _ in range(3):
            yield await bridge.sync_to_async(threading.get_ident)()

    assert set(bridge.iterate_sync(source())) == {threading.get_ident()}


@settings(deadline=None, max_examples=20)
@given(st.integers(1, 20), st.integers(0, 40), st.booleans())
def test_never_further_ahead_than_allowed(
    look_ahead: int,
    taken: int,
    suspends: bool,  # noqa: FBT001  # given by hypothesis
) -> None:
    """After any number of items the source has made at most so many more."""
    source = Recorder(200, suspends=suspends)
    with (
        Bridge() as ours,
        ours.iterate_sync(source(), look_ahead=look_ahead) as items,
    ):
        for index in range(taken):
            assert next(items) == index
            assert source.produced <= index + 1 + look_ahead


def test_look_ahead_of_one_runs_only_when_asked(bridge: Bridge) -> None:
    """With 1 the source makes nothing that nobody waits for."""
    source = Recorder()
    with bridge.iterate_sync(source(), look_ahead=1) as items:
        for index in range(3):
            assert source.produced == index
            next(items)


def test_item_does_not_wait_for_the_next_one(bridge: Bridge) -> None:
    """An item is there although the source, which is ahead, waits."""
    taken = threading.Event()

    async def source() -> AsyncIterator[int]:
        yield 0
        yield 1
        assert await asyncio.to_thread(taken.wait, 5)
        yield 2

    items = bridge.iterate_sync(source())
    found = [next(items), next(items)]
    taken.set()
    assert [*found, *items] == [0, 1, 2]


def test_ready_items_cost_few_crossings(bridge: Bridge) -> None:
    """A thousand items for which nothing has to be waited come in batches."""
    crossings = 0
    send = _actor.Actor.send

    def counted(*args: Any) -> Any:  # noqa: ANN401  # as Actor.send
        nonlocal crossings
        crossings += 1
        return send(*args)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_actor.Actor, "send", counted)
        found = list(bridge.iterate_sync(Recorder(1000)()))
    assert found == list(range(1000))
    assert crossings < 50


# --- the end ----------------------------------------------------------------


@places
def test_exception_arrives_after_the_items_before_it(
    bridge: Bridge, place: Place
) -> None:
    """What the source raises comes in its turn, and then there is nothing."""

    async def source() -> AsyncIterator[int]:
        yield 1
        yield 2
        yield 3
        msg = "fourth"
        raise KeyError(msg)

    def consume() -> list[int]:
        items = bridge.iterate_sync(source())
        found = [next(items), next(items), next(items)]
        with pytest.raises(KeyError, match="fourth"):
            next(items)
        return [*found, *items]

    assert place(bridge, consume) == [1, 2, 3]


def test_return_value_of_an_iterator_arrives(bridge: Bridge) -> None:
    """StopAsyncIteration's value becomes that of StopIteration."""

    class Source:
        def __aiter__(self) -> "Source":
            return self

        async def __anext__(self) -> int:
            msg = "returned"
            raise StopAsyncIteration(msg)

    with pytest.raises(StopIteration) as caught:
        next(bridge.iterate_sync(Source()))
    assert caught.value.value == "returned"


def test_stop_iteration_inside_does_not_hang(bridge: Bridge) -> None:
    """A StopIteration of the source's own code is an error (PEP 479)."""

    async def source() -> AsyncIterator[int]:
        yield 1
        next(iter(()))

    items = bridge.iterate_sync(source())
    assert next(items) == 1
    with pytest.raises(RuntimeError, match="StopIteration"):
        next(items)


# --- leaving early ----------------------------------------------------------


@places
@pytest.mark.parametrize("suspends", [True, False])
def test_close_reaches_the_source(
    bridge: Bridge,
    place: Place,
    suspends: bool,  # noqa: FBT001  # a parameter of the test
) -> None:
    """Leaving a `with` closes it, in its task; a second close does nothing."""
    source = Recorder(100, suspends=suspends)

    def consume() -> None:
        with bridge.iterate_sync(source()) as items:
            for number in items:
                if number == 10:
                    break
        items.close()
        assert list(items) == []

    place(bridge, consume)
    assert source.events[-1] == "closed"
    assert source.events[0] in {GeneratorExit, asyncio.CancelledError}
    assert len(source.tasks) == 1


def test_closing_what_was_not_begun_runs_nothing(bridge: Bridge) -> None:
    """No loop is started for it."""
    source = Recorder()
    items = bridge.iterate_sync(source())
    items.close()
    assert list(items) == []
    assert source.events == []


def test_close_from_another_thread(bridge: Bridge) -> None:
    """A step that is ahead is cancelled and the source closed, by any thread."""
    source = Recorder(suspends=True)

    async def blocked() -> AsyncIterator[int]:
        async for number in source():
            yield number
            if number == 1:
                await asyncio.Event().wait()

    items = bridge.iterate_sync(blocked())
    assert [next(items), next(items)] == [0, 1]
    thread = threading.Thread(target=items.close)
    thread.start()
    thread.join(timeout=60)
    assert not thread.is_alive()
    assert list(items) == []


def test_next_from_another_thread(bridge: Bridge) -> None:
    """While a step is ahead, its thread has to take the items."""
    release = threading.Event()

    async def source() -> AsyncIterator[int]:
        yield 0
        yield 1
        await asyncio.to_thread(release.wait, 5)
        yield 2

    items = bridge.iterate_sync(source())
    assert [next(items), next(items)] == [0, 1]
    errors: list[BaseException] = []

    def take() -> None:
        try:
            next(items)
        except WrongThreadError as exc:
            errors.append(exc)

    thread = threading.Thread(target=take)
    thread.start()
    thread.join(timeout=60)
    release.set()
    assert list(items) == [2]
    assert "take all items on one thread" in str(errors[0])


@places
def test_collected_iterator_closes_its_source(bridge: Bridge, place: Place) -> None:
    """Dropping the iterator closes the source, which nobody waits for."""
    source = Recorder()

    def consume() -> None:
        items = bridge.iterate_sync(source())
        next(items)
        del items
        gc.collect()
        assert source.closed.wait(timeout=60)

    place(bridge, consume)
    assert source.events == [GeneratorExit, "closed"]
    assert len(source.tasks) == 1


def test_error_of_a_collected_iterator_is_reported(bridge: Bridge) -> None:
    """What the source raises while it is closed goes to the log."""
    records: list[str] = []
    reported = threading.Event()

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            records.append(record.getMessage())
            reported.set()

    async def source() -> AsyncIterator[int]:
        try:
            yield 1
        finally:
            msg = "closing"
            raise OSError(msg)

    handler = Handler()
    # To the root, behind those of pytest: when it has the record, they have it too.
    logging.getLogger().addHandler(handler)
    try:
        items = bridge.iterate_sync(source())
        next(items)
        del items
        gc.collect()
        assert reported.wait(timeout=60)
    finally:
        logging.getLogger().removeHandler(handler)
    assert "source raised after its caller had stopped waiting" in records[0]


def test_collected_after_its_loop_has_ended(
    bridge: Bridge, caplog: pytest.LogCaptureFixture
) -> None:
    """With its loop the source has ended: there is nothing to close or report."""

    async def main() -> Iterator[int]:
        items = bridge.iterate_sync(Recorder()(), look_ahead=1)
        await bridge.sync_to_async(lambda: next(items))()
        return items

    before = set(threading.enumerate())
    items = asyncio.run(main())
    del items
    gc.collect()
    for thread in set(threading.enumerate()) - before:
        if thread.daemon and thread.name.startswith("Thread-"):
            thread.join(timeout=60)
            assert not thread.is_alive()
    assert caplog.text == ""


def test_error_that_nobody_got_to_is_reported(
    bridge: Bridge, caplog: pytest.LogCaptureFixture
) -> None:
    """A source that was ahead and failed is left early: the error is logged."""

    async def source() -> AsyncIterator[int]:
        yield 0
        yield 1
        msg = "ahead"
        raise OSError(msg)

    items = bridge.iterate_sync(source())
    found = [next(items), next(items)]
    items.close()
    assert found == [0, 1]
    assert "ahead" in caplog.text


def test_error_while_closing_arrives(bridge: Bridge) -> None:
    """What the source raises when it is closed goes to who closes it."""

    async def source() -> AsyncIterator[int]:
        try:
            yield 1
        finally:
            msg = "closing"
            raise OSError(msg)

    items = bridge.iterate_sync(source())
    next(items)
    with pytest.raises(OSError, match="closing"):
        items.close()


def test_throw_reaches_the_generator(bridge: Bridge) -> None:
    """The generator may handle it, and what it yields then is the next item."""
    source = Recorder(100, suspends=True)
    error = ValueError("thrown")
    items = bridge.iterate_sync(source())
    next(items)
    next(items)
    after = items.throw(error)
    assert source.events[0] is error
    assert [after, *items] == list(range(after, 100))


def test_throw_waits_for_the_step_that_runs(bridge: Bridge) -> None:
    """The exception is raised behind the item that is being made."""
    release = threading.Event()
    caught: list[BaseException] = []

    async def source() -> AsyncIterator[int]:
        yield 0
        yield 1
        assert await asyncio.to_thread(release.wait, 5)
        try:
            yield 2
        except KeyError as exc:
            caught.append(exc)
        yield 3

    items = bridge.iterate_sync(source())
    assert [next(items), next(items)] == [0, 1]
    release.set()
    assert items.throw(KeyError("thrown")) == 3
    assert len(caught) == 1


def test_throw_that_is_not_handled_ends_it(bridge: Bridge) -> None:
    """The exception goes through the generator and comes back."""
    source = Recorder()
    items = bridge.iterate_sync(source())
    next(items)
    with pytest.raises(KeyError, match="thrown"):
        items.throw(KeyError("thrown"))
    assert list(items) == []
    assert source.events == [KeyError, "closed"]


def test_throw_before_the_beginning(bridge: Bridge) -> None:
    """There is nobody to handle it."""
    items = bridge.iterate_sync(Recorder()())
    with pytest.raises(KeyError, match="thrown"):
        items.throw(KeyError("thrown"))
    assert list(items) == []


class Plain:
    """An async iterator that is no generator."""

    def __init__(self) -> None:
        self.number = 0

    def __aiter__(self) -> "Plain":
        return self

    async def __anext__(self) -> int:
        self.number += 1
        return self.number


def test_throw_into_what_is_no_generator(bridge: Bridge) -> None:
    """It comes back, and the iteration is over."""
    items = bridge.iterate_sync(Plain())
    next(items)
    with pytest.raises(KeyError, match="thrown"):
        items.throw(KeyError("thrown"))
    assert list(items) == []


def test_what_is_no_generator_is_not_closed(bridge: Bridge) -> None:
    """It has nothing to be closed with."""
    source = Plain()
    with bridge.iterate_sync(source, look_ahead=1) as items:
        assert next(items) == 1
    assert source.number == 1


# --- cancellation -----------------------------------------------------------


def test_cancelling_the_call_cancels_the_step(bridge: Bridge) -> None:
    """The task that waits for the blocking code is cancelled: so is the source."""
    source = Recorder()
    begun = threading.Event()

    async def blocked() -> AsyncIterator[int]:
        begun.set()
        try:
            await asyncio.Event().wait()
            yield 1
        finally:
            source.events.append("closed")

    def consume() -> None:
        with pytest.raises(asyncio.CancelledError):
            list(bridge.iterate_sync(blocked()))
        # No more work for a call that was cancelled.
        with pytest.raises(asyncio.CancelledError):
            list(bridge.iterate_sync(blocked()))

    async def main() -> None:
        task = asyncio.create_task(bridge.sync_to_async(consume)())
        assert await asyncio.to_thread(begun.wait, 5)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert source.events == ["closed"]


def test_cancelled_call_throws_nothing(bridge: Bridge) -> None:
    """There is no more work for it, but for the close."""
    source = Recorder()
    begun, cancelled = threading.Event(), threading.Event()

    def consume() -> None:
        items = bridge.iterate_sync(source(), look_ahead=1)
        next(items)
        begun.set()
        assert cancelled.wait(timeout=60)
        with pytest.raises(asyncio.CancelledError):
            items.throw(KeyError())

    async def main() -> None:
        task = asyncio.create_task(bridge.sync_to_async(consume)())
        assert await asyncio.to_thread(begun.wait, 5)
        task.cancel()
        await asyncio.sleep(0)
        cancelled.set()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert source.events == [GeneratorExit, "closed"]


def test_cancelled_call_closes_its_source(bridge: Bridge) -> None:
    """The close is made, although the call was cancelled."""
    source = Recorder()
    begun, cancelled = threading.Event(), threading.Event()

    def consume() -> None:
        with bridge.iterate_sync(source(), look_ahead=1) as items:
            next(items)
            begun.set()
            assert cancelled.wait(timeout=60)

    async def main() -> None:
        task = asyncio.create_task(bridge.sync_to_async(consume)())
        assert await asyncio.to_thread(begun.wait, 5)
        task.cancel()
        await asyncio.sleep(0)
        cancelled.set()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert source.events == [GeneratorExit, "closed"]


def test_timeout_in_the_source_ends_it(bridge: Bridge) -> None:
    """It cancels the task between two items: the source is closed, the next one says so."""
    source = Recorder()
    expired = threading.Event()

    async def limited() -> AsyncIterator[int]:
        task = asyncio.current_task()
        assert task is not None
        try:
            yield 1
            yield 2
        finally:
            source.events.append("closed")
            expired.set()

    with bridge.iterate_sync(limited(), look_ahead=1) as items:
        assert next(items) == 1
        actor = items._driver._actor
        assert actor is not None
        assert actor._task is not None
        actor._loop.call_soon_threadsafe(actor._task.cancel)
        assert expired.wait(timeout=60)
        with pytest.raises(asyncio.CancelledError):
            next(items)
    assert source.events == ["closed"]


def test_interrupt_cancels_the_step(bridge: Bridge) -> None:
    """Ctrl-C while an item is waited for ends the source, and goes on."""
    events: list[str] = []

    async def source() -> AsyncIterator[int]:
        try:
            interrupt(bridge)
            await asyncio.Event().wait()
            yield 1
        finally:
            events.append("closed")

    with pytest.raises(KeyboardInterrupt):
        list(bridge.iterate_sync(source()))
    assert events == ["closed"]


# --- loops ------------------------------------------------------------------


def test_loop_that_ends_is_an_error(bridge: Bridge) -> None:
    """An iteration that is carried out of its loop says so."""

    async def main() -> Iterator[int]:
        items = bridge.iterate_sync(Recorder()(), look_ahead=1)
        await bridge.sync_to_async(lambda: next(items))()
        return items

    items = asyncio.run(main())
    with pytest.raises(LoopStoppedError, match="close it before that loop ends"):
        next(items)


def test_context_is_carried_both_ways(bridge: Bridge) -> None:
    """One context for all steps, and what is set is seen by the consumer."""

    async def source() -> AsyncIterator[str]:
        token = variable.set("inside")
        yield variable.get()
        yield variable.get()
        variable.reset(token)
        yield variable.get("reset")

    def consume() -> list[str]:
        found = []
        for seen in bridge.iterate_sync(source(), look_ahead=1):
            found += [seen, variable.get("none")]
            if len(found) == 2:
                variable.set("outside")
        return found

    assert contextvars.copy_context().run(consume) == [
        "inside",
        "inside",
        "outside",
        "outside",
        "reset",
        "none",
    ]


def test_refused_where_a_loop_runs(bridge: Bridge) -> None:
    """It would block the loop, unless that is wanted."""

    async def main() -> list[int]:
        with pytest.raises(RunningLoopError, match="would block it"):
            list(bridge.iterate_sync(Recorder()()))
        return list(bridge.iterate_sync(Recorder(2)(), helper_loop=True))

    assert asyncio.run(main()) == [0, 1]


def test_closed_bridge(bridge: Bridge) -> None:
    """A closed bridge gives no loop."""
    bridge.close()
    with pytest.raises(BridgeClosedError, match="gives no more loops"):
        list(bridge.iterate_sync(Recorder()()))


def test_in_thread_runner() -> None:
    """Where loop and blocking code take turns on one thread, it works as well."""
    source = Recorder()
    with InThreadLoopRunner() as runner, Bridge(runner=runner) as ours:

        async def main() -> list[int]:
            return await ours.sync_to_async(lambda: list(ours.iterate_sync(source())))()

        assert ours.async_to_sync(main)() == [0, 1, 2, 3, 4]


# --- mistakes ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (Recorder().__call__, "call it first"),
        ([1], "a plain one: use `for`, without iterate_sync"),
        (5, "needs an async iterable, got 5$"),
    ],
)
def test_what_cannot_be_iterated(
    bridge: Bridge, source: AsyncIterable[int], message: str
) -> None:
    """Other things are refused, with the right way."""
    with pytest.raises(NotAsyncError, match=message):
        bridge.iterate_sync(source)


def test_look_ahead_must_have_a_meaning(bridge: Bridge) -> None:
    """Below 1 nothing could ever come."""
    with pytest.raises(OptionError, match="at least 1, got 0"):
        bridge.iterate_sync(Recorder()(), look_ahead=0)


def test_async_to_sync_names_the_right_call(bridge: Bridge) -> None:
    """An async generator function given to async_to_sync is sent here."""

    async def numbers() -> AsyncIterator[int]:
        yield 1

    with pytest.raises(NotAsyncError, match=r"use iterate_sync\(.*numbers\(\.\.\.\)\)"):
        bridge.async_to_sync(numbers)  # type: ignore[arg-type]
