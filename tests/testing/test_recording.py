"""RecordingObserver."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from asgibridge import Bridge
from asgibridge.testing import FakeCrossing, RecordingObserver
from asgibridge.types import Observer


def load() -> None:
    """Be a function that a crossing is about."""


def store() -> None:
    """Be another one."""


def test_writes_down_every_step() -> None:
    """All steps are kept in order, with thread, result, exception and obstacle."""
    recorder = RecordingObserver()
    observer: Observer = recorder
    crossing = FakeCrossing(load)
    observer.queued(crossing)
    observer.stuck(crossing, 1.5, "store on worker-1")
    with ThreadPoolExecutor(1) as pool:
        thread = pool.submit(threading.get_ident).result()
        pool.submit(observer.started, crossing).result()
    crossing.exception = error = ValueError()
    crossing.result = result = object()
    observer.finished(crossing)
    crossing.exception = crossing.result = None  # as the engine does
    assert recorder.steps_of(load) == ("queued", "stuck", "started", "finished")
    assert recorder.steps_of(store) == ()
    _, stuck, started, finished = recorder.steps
    assert stuck.behind == "store on worker-1"
    assert started.thread == thread
    assert finished.thread == threading.get_ident()
    assert finished.exception is error
    assert finished.result is result
    assert finished.function is load
    assert recorder.crossings == (crossing,)


def test_wait_for() -> None:
    """wait_for returns the step asked for, once it is there."""
    recorder = RecordingObserver()
    other, wanted = FakeCrossing(store), FakeCrossing(load)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(recorder.wait_for, "queued", load)
        recorder.queued(other)
        recorder.started(wanted)
        recorder.queued(wanted)
        assert waiting.result(60).crossing is wanted
    assert recorder.wait_for("queued", store).crossing is other


def test_wait_for_times_out() -> None:
    """The message says what was seen instead."""
    recorder = RecordingObserver()
    recorder.queued(FakeCrossing(load))
    with pytest.raises(TimeoutError, match=r"was not finished .* \('queued',\)"):
        recorder.wait_for("finished", load, timeout=0.0)


def test_clear() -> None:
    """Everything is forgotten."""
    recorder = RecordingObserver()
    recorder.queued(FakeCrossing(load))
    recorder.clear()
    assert recorder.steps == ()
    assert recorder.crossings == ()


def test_stuck_call_of_a_bridge() -> None:
    """A bridge tells of a call that waits, and names what is in the way."""
    recorder = RecordingObserver()
    release = threading.Event()

    def hold_the_thread() -> bool:
        return release.wait(60)

    async def test(bridge: Bridge) -> str | None:
        first = asyncio.create_task(bridge.sync_to_async(hold_the_thread)())
        second = asyncio.create_task(bridge.sync_to_async(load)())
        stuck = await asyncio.to_thread(recorder.wait_for, "stuck", load)
        release.set()
        await asyncio.gather(first, second)
        return stuck.behind

    with Bridge(observers=[recorder], stuck_after=0.05) as bridge:
        behind = asyncio.run(test(bridge))
    assert behind is not None
    assert "hold_the_thread" in behind
    assert recorder.steps_of(load) == ("queued", "stuck", "started", "finished")
