"""Being told about crossings."""

import asyncio
import logging
import threading
from threading import get_ident
from typing import Any

import pytest

from asgibridge import Bridge
from asgibridge.types import Crossing
from tests.staging import Gate, run, settled

Told = list[tuple[str, Crossing, int, BaseException | None]]


class Recorder:
    """Writes down what it is told."""

    def __init__(self) -> None:
        self.told: Told = []
        self.behind: list[str] = []
        self.was_stuck = threading.Event()

    def queued(self, crossing: Crossing, /) -> None:
        """Write it down."""
        self._add("queued", crossing)

    def started(self, crossing: Crossing, /) -> None:
        """Write it down."""
        self._add("started", crossing)

    def finished(self, crossing: Crossing, /) -> None:
        """Write it down."""
        self._add("finished", crossing)

    def stuck(self, crossing: Crossing, seconds: float, behind: str, /) -> None:
        """Write it down."""
        assert seconds > 0
        self.behind.append(behind)
        self._add("stuck", crossing)
        self.was_stuck.set()

    def _add(self, step: str, crossing: Crossing) -> None:
        self.told.append((step, crossing, get_ident(), crossing.exception))

    @property
    def steps(self) -> list[tuple[str, str]]:
        """Every step, with the name of its function."""
        return [(step, c.function.__name__) for step, c, _, _ in self.told]


class Failing:
    """Fails, whatever it is told."""

    def fail(self, *_: object) -> None:
        """Fail."""
        msg = "the observer's own mistake"
        raise LookupError(msg)

    queued = started = finished = stuck = fail


def work() -> str:
    """Return."""
    return "worked"


async def work_async() -> str:
    """Return, in time."""
    await asyncio.sleep(0)
    return "worked"


def test_a_blocking_call_is_observed() -> None:
    """Each step on its own thread, with times, threads and loop."""
    recorder = Recorder()
    with Bridge(observers=[recorder]) as bridge:

        async def main() -> int:
            assert await bridge.sync_to_async(work)() == "worked"
            return id(asyncio.get_running_loop())

        loop = run(main)
    assert recorder.steps == [
        ("queued", "work"),
        ("started", "work"),
        ("finished", "work"),
    ]
    (crossing,) = {told[1] for told in recorder.told}
    threads = [told[2] for told in recorder.told]
    assert crossing.direction == "sync_to_async"
    assert crossing.function is work
    assert crossing.parent is None
    assert crossing.caller_thread == threads[0] == get_ident()
    assert crossing.caller_loop == loop
    assert crossing.thread == threads[1] == threads[2] != get_ident()
    assert crossing.loop is None
    assert crossing.started_at is not None
    assert crossing.finished_at is not None
    assert crossing.queued_at <= crossing.started_at <= crossing.finished_at


def test_a_coroutine_is_observed() -> None:
    """The other direction: without a loop before, with one then."""
    recorder = Recorder()
    with Bridge(observers=[recorder]) as bridge:
        assert bridge.async_to_sync(work_async)() == "worked"
    assert [told[0] for told in recorder.told] == ["queued", "started", "finished"]
    crossing = recorder.told[0][1]
    assert crossing.direction == "async_to_sync"
    assert crossing.caller_loop is None
    assert isinstance(crossing.loop, int)
    assert crossing.thread == recorder.told[1][2] != get_ident()


def test_parents() -> None:
    """A crossing knows the one within which it was made."""
    recorder = Recorder()
    with Bridge(observers=[recorder]) as bridge:

        def middle() -> None:
            bridge.async_to_sync(work_async)()

        async def outer() -> None:
            await bridge.sync_to_async(middle)()
            await bridge.sync_to_async(work)()

        bridge.async_to_sync(outer)()
    by_name: dict[str, Crossing] = {
        c.function.__name__: c for _, c, _, _ in recorder.told
    }
    assert by_name["outer"].parent is None
    assert by_name["middle"].parent is by_name["outer"]
    assert by_name["work_async"].parent is by_name["middle"]
    assert by_name["work"].parent is by_name["outer"]


def test_exceptions_are_seen_while_they_are_told() -> None:
    """And kept by no record afterwards."""
    recorder = Recorder()

    def fail() -> None:
        raise LookupError

    async def fail_async() -> None:
        raise KeyError

    with Bridge(observers=[recorder]) as bridge:
        with pytest.raises(LookupError):
            run(bridge.sync_to_async(fail))
        with pytest.raises(KeyError):
            bridge.async_to_sync(fail_async)()
    finished = [told for told in recorder.told if told[0] == "finished"]
    assert [type(told[3]) for told in finished] == [LookupError, KeyError]
    assert [told[1].exception for told in finished] == [None, None]


def test_results_are_seen_while_they_are_told() -> None:
    """The very objects; they are kept by no record afterwards, nor by the bridge."""
    seen: list[object] = []

    class Watching(Recorder):
        """Looks at results."""

        def finished(self, crossing: Crossing, /) -> None:
            super().finished(crossing)
            seen.append(crossing.result)

    watching, given = Watching(), object()

    async def give_async() -> object:
        return given

    def give() -> object:
        return given

    def fail() -> None:
        raise LookupError

    with Bridge(observers=[watching]) as bridge:
        assert run(bridge.sync_to_async(give)) is given
        assert bridge.async_to_sync(give_async)() is given
        with pytest.raises(LookupError):
            run(bridge.sync_to_async(fail))
    assert seen == [given, given, None]
    finished = [told for told in watching.told if told[0] == "finished"]
    assert [told[1].result for told in finished] == [None, None, None]


def test_a_withdrawn_call_is_never_started() -> None:
    """It was queued, and that is all."""
    recorder = Recorder()
    gate = Gate()
    with Bridge(observers=[recorder]) as bridge:

        async def main() -> None:
            first = asyncio.create_task(bridge.sync_to_async(gate)())
            await gate.entered_async()
            second = asyncio.create_task(bridge.sync_to_async(work)())
            await settled()
            second.cancel()
            await asyncio.wait([second])
            gate.open()
            await first

        run(main)
    steps = [told[0] for told in recorder.told if told[1].function is work]
    assert steps == ["queued"]


def test_failing_observers_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    """They are not in the way: of the call, nor of other observers."""
    recorder = Recorder()
    with Bridge(observers=[Failing(), recorder]) as bridge:
        assert run(bridge.sync_to_async(work)) == "worked"
        assert bridge.async_to_sync(work_async)() == "worked"
    assert len(recorder.told) == 6
    assert [record.name for record in caplog.records] == ["asgibridge"] * 6
    assert all("an observer failed" in record.message for record in caplog.records)
    assert all(record.exc_info for record in caplog.records)


def test_stuck_calls_are_reported(caplog: pytest.LogCaptureFixture) -> None:
    """Once for each, with what is in the way, to observers and to the log."""
    recorder = Recorder()
    gate = Gate()

    def blocker() -> str:
        return gate()

    with Bridge(observers=[Failing(), recorder], stuck_after=0.01) as bridge:

        async def main() -> None:
            await bridge.sync_to_async(int)()  # the thread is there, and quick
            first = asyncio.create_task(bridge.sync_to_async(blocker)())
            await gate.entered_async()
            second = asyncio.create_task(bridge.sync_to_async(work)())
            await asyncio.to_thread(recorder.was_stuck.wait)
            await _some_looks(bridge)
            gate.open()
            assert [await first, await second] == ["out", "worked"]

        with caplog.at_level(logging.WARNING, "asgibridge"):
            run(main)
    stuck = [c.function for step, c, _, _ in recorder.told if step == "stuck"]
    assert stuck == [work]
    (behind,) = recorder.behind
    assert "blocker" in behind
    assert f"on thread {gate.thread}" in behind
    warnings = [r.message for r in caplog.records if r.levelno == logging.WARNING]
    (warning,) = warnings
    assert "work has waited 0.0 s to be started, behind " in warning
    assert behind in warning


async def _some_looks(bridge: Bridge) -> None:
    """Let the watch look a few more times."""
    state = bridge._engine.threads.state
    assert state.mailbox is not None
    watch: Any = state.mailbox.watch
    for _ in range(3):
        watch._look()
        await settled(2)


def test_stuck_calls_without_observers(caplog: pytest.LogCaptureFixture) -> None:
    """The log is told in any case; which executor, where nothing more is known."""
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415  # only here

    gate = Gate()
    reported = threading.Event()

    class Handler(logging.Handler):
        """Tells that something was logged."""

        def emit(self, _record: logging.LogRecord) -> None:
            reported.set()

    handler = Handler()
    logger = logging.getLogger("asgibridge")
    logger.addHandler(handler)
    # Time enough for a thread to begin what is in the way.
    with ThreadPoolExecutor(1) as executor, Bridge(stuck_after=0.1) as bridge:
        options: Any = {"thread_sensitive": False, "executor": executor}

        async def main() -> None:
            first = asyncio.create_task(bridge.sync_to_async(gate, **options)())
            await gate.entered_async()
            second = asyncio.create_task(bridge.sync_to_async(work, **options)())
            await asyncio.to_thread(reported.wait)
            gate.open()
            await asyncio.gather(first, second)

        run(main)
    logger.removeHandler(handler)
    (record,) = caplog.records
    assert f"behind other calls of {executor}" in record.message


def test_stuck_behind_a_coroutine(caplog: pytest.LogCaptureFixture) -> None:
    """The coroutine that the thread waits for is named as well."""
    recorder = Recorder()
    # As above.
    with Bridge(observers=[recorder], stuck_after=0.1) as bridge:

        async def main() -> None:
            inside, release = asyncio.Event(), asyncio.Event()

            async def waits() -> None:
                inside.set()
                await release.wait()

            def holder() -> None:
                bridge.async_to_sync(waits)()

            first = asyncio.create_task(bridge.sync_to_async(holder)())
            await inside.wait()
            second = asyncio.create_task(bridge.sync_to_async(work)())
            await asyncio.to_thread(recorder.was_stuck.wait)
            release.set()
            await asyncio.gather(first, second)

        run(main)
    assert "holder" in recorder.behind[0]
    assert "which waits for the coroutine" in recorder.behind[0]
    assert "waits" in recorder.behind[0]
    assert len(caplog.records) == 1
