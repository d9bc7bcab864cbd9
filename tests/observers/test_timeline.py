"""TimelineObserver: what it records, and the trace it writes."""

import asyncio
import functools
import gc
import json
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from asgibridge import Bridge
from asgibridge.observers import TimelineCall, TimelineObserver
from asgibridge.observers._calls import Lane, lane_names
from asgibridge.observers._names import name_of
from asgibridge.observers._trace import trace_of
from asgibridge.testing import FakeCrossing, ManualExecutor


def load() -> None:
    """Be a function that a crossing is about."""


def fail() -> None:
    """Raise."""
    msg = "no <b>luck</b>"
    raise ValueError(msg)


async def fetch() -> int:
    """Be a coroutine that a crossing is about."""
    await asyncio.sleep(0)
    return 1


def test_records_a_bridge() -> None:
    """Names, parents, lanes, times and exceptions of real crossings are right."""
    timeline = TimelineObserver()
    with Bridge(observers=[timeline]) as bridge:
        price = bridge.async_to_sync(fetch)

        def view() -> None:
            price()

        async def main() -> None:
            await bridge.sync_to_async(view)()
            with pytest.raises(ValueError, match="luck"):
                await bridge.sync_to_async(fail, thread_sensitive=False)()

        bridge.async_to_sync(main)()
    calls = {call.name.rpartition(".")[2]: call for call in timeline.calls}
    assert set(calls) == {"main", "view", "fetch", "fail"}
    assert calls["main"].parent is None
    assert calls["view"].parent == calls["main"].number
    assert calls["fetch"].parent == calls["view"].number
    assert calls["fail"].error == "ValueError: no <b>luck</b>"
    here = threading.get_ident()
    for name in ("main", "fetch"):
        assert calls[name].direction == "async_to_sync"
        assert calls[name].caller == (here, "MainThread", None)
        assert calls[name].lane == calls["view"].caller
    assert calls["view"].lane == calls["main"].caller
    for call in calls.values():
        assert call.started is not None
        assert call.finished is not None
        assert call.queued <= call.started <= call.finished


def test_calls_under_way() -> None:
    """A call is there as soon as it is made, and changes as it goes on."""
    timeline = TimelineObserver()
    crossing = FakeCrossing(load)
    timeline.queued(crossing)
    (queued,) = timeline.calls
    assert (queued.lane, queued.started, queued.finished) == (None, None, None)
    timeline.stuck(crossing, 10.0, "store on worker-1")
    crossing.thread, crossing.started_at = threading.get_ident(), time.monotonic()
    timeline.started(crossing)
    (started,) = timeline.calls
    assert started.stuck == "store on worker-1"
    assert started.lane == (threading.get_ident(), "MainThread", None)
    assert started.started == crossing.started_at
    crossing.finished_at = time.monotonic()
    timeline.finished(crossing)
    (finished,) = timeline.calls
    assert finished.finished == crossing.finished_at


def test_calls_since() -> None:
    """Only what is new is returned, and what is under way."""
    timeline = TimelineObserver()
    first, second, open_ = FakeCrossing(load), FakeCrossing(fail), FakeCrossing(fetch)
    timeline.queued(open_)
    timeline.queued(first)
    timeline.finished(first)
    position, calls = timeline.calls_since(0)
    assert [call.name for call in calls] == ["load", "fetch"]
    timeline.queued(second)
    timeline.finished(second)
    position, calls = timeline.calls_since(position)
    assert [call.name for call in calls] == ["fail", "fetch"]
    assert timeline.calls_since(position)[1][0].name == "fetch"
    timeline.clear()
    assert [call.name for call in timeline.calls] == ["fetch"]


def test_withdrawn_call_is_forgotten() -> None:
    """A call that is cancelled while it is queued does not stay for ever."""
    timeline, executor = TimelineObserver(), ManualExecutor()

    async def test(bridge: Bridge) -> None:
        task = asyncio.create_task(bridge.sync_to_async(load)())
        await executor.wait_pending_async()
        assert len(timeline.calls) == 1
        task.cancel()
        await asyncio.wait([task])

    with Bridge(thread_sensitive=executor, observers=[timeline]) as bridge:
        asyncio.run(test(bridge))
    executor.close()
    gc.collect()
    assert timeline.calls == []


def test_forgets_the_oldest() -> None:
    """No more calls are kept than asked for."""
    timeline = TimelineObserver(max_calls=2)
    for function in (load, fail, fetch):
        crossing = FakeCrossing(function)
        timeline.queued(crossing)
        timeline.finished(crossing)
    assert [call.name for call in timeline.calls] == ["fail", "fetch"]


def test_steps_of_unknown_crossings() -> None:
    """An observer that was added late says nothing about calls made before."""
    timeline = TimelineObserver()
    crossing = FakeCrossing(load)
    timeline.started(crossing)
    timeline.stuck(crossing, 1.0, "")
    timeline.finished(crossing)
    assert timeline.calls == []


def test_many_withdrawn_calls() -> None:
    """They are dropped now and then, also if nobody ever looks."""
    timeline = TimelineObserver()
    kept = [FakeCrossing(load) for _ in range(2000)]
    dropped = [FakeCrossing(fail) for _ in range(1500)]
    for crossing in dropped:
        timeline.queued(crossing)
    del crossing, dropped
    for crossing in kept:
        timeline.queued(crossing)
    assert len(timeline._open) == 2000
    assert {call.name for call in timeline.calls} == {"load"}


class View:
    """An object that can be called, as views of frameworks are."""

    def __call__(self) -> None:
        """Do nothing."""


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (load, "load"),
        (functools.partial(functools.partial(load)), "load"),
        (View(), "View"),
        (str.upper, "str.upper"),
    ],
)
def test_name_of(function: Callable[..., Any], expected: str) -> None:
    """Functions have names that people recognize."""
    assert name_of(function) == expected


def call(
    number: int, caller: Lane, lane: Lane | None, *times: float | None
) -> TimelineCall:
    """Return a call as it would be recorded."""
    queued, started, finished = times
    return TimelineCall(
        number, None, "sync_to_async", f"f{number}", caller, lane,
        queued or 0.0, started, finished, None, None,
    )  # fmt: skip


class UnreadableError(Exception):
    """Cannot tell its message."""

    def __str__(self) -> str:
        """Raise."""
        raise LookupError


def test_exception_without_a_message() -> None:
    """The call is there all the same."""
    timeline = TimelineObserver()
    crossing = FakeCrossing(int, exception=UnreadableError())
    timeline.queued(crossing)
    timeline.finished(crossing)
    (call,) = timeline.calls
    assert call.error == "UnreadableError: (a message that cannot be read)"


def test_lane_names() -> None:
    """Loops are numbered; so are threads that have the same name."""
    loop, first, second = (1, "Main", 77), (2, "worker", None), (3, "worker", None)
    calls = [
        call(1, loop, first, 0, 1, 2),
        call(2, loop, second, 0, 1, 2),
        call(3, loop, None, 0, None, None),
    ]
    names = lane_names(calls)
    assert names[loop] == "loop 1 on Main"
    assert names[first] == "worker #1"
    assert names[second] == "worker #2"


def slices(trace: str) -> list[dict[str, Any]]:
    """Return the complete events of a trace."""
    return [e for e in json.loads(trace)["traceEvents"] if e["ph"] == "X"]


def test_trace() -> None:
    """A crossing is two bars in two rows, and an arrow that begins and ends in them."""
    loop, thread = (1, "Main", 77), (2, "worker", None)
    trace = trace_of([call(5, loop, thread, 1.0, 1.5, 2.0)], process=42)
    events = json.loads(trace)["traceEvents"]
    wait, run = slices(trace)
    assert (wait["name"], wait["ts"], wait["dur"]) == ("await f5", 1e6, 1e6)
    assert (run["name"], run["ts"], run["dur"]) == ("f5", 1.5e6, 0.5e6)
    begin, end = (next(e for e in events if e["ph"] == phase) for phase in "sf")
    assert (begin["tid"], begin["ts"], begin["id"]) == (wait["tid"], 1e6, 5)
    assert (end["tid"], end["ts"], end["bp"]) == (run["tid"], 1.5e6, "e")
    names = {e["tid"]: e["args"]["name"] for e in events if e["name"] == "thread_name"}
    assert names == {wait["tid"]: "loop 1 on Main", run["tid"]: "worker"}
    assert {e["pid"] for e in events} == {42}


def test_trace_of_calls_under_way() -> None:
    """What has not ended, or not begun, is drawn as far as it came."""
    loop, thread = (1, "Main", 77), (2, "worker", None)
    queued = call(1, loop, None, 1.0, None, None)
    started = call(2, loop, thread, 1.0, 2.0, None)
    trace = trace_of([queued, started], process=1)
    assert sorted(e["dur"] for e in slices(trace)) == [0.0, 0.0, 1e6]


@settings(deadline=None)  # machines are shared
@given(
    st.lists(
        st.tuples(st.integers(0, 20), st.integers(0, 20), st.integers(0, 20)),
        max_size=20,
    )
)
def test_rows_are_nested(spans: list[tuple[int, int, int]]) -> None:
    """In every row of a trace two bars are apart, or one is within the other."""
    loop, thread = (1, "Main", 77), (2, "worker", None)
    calls = [
        call(n, loop, thread, *(float(t) for t in sorted(span)))
        for n, span in enumerate(spans)
    ]
    bars = slices(trace_of(calls, process=1))
    assert len(bars) == 2 * len(calls)
    for a in bars:
        for b in bars:
            if a is b or a["tid"] != b["tid"]:
                continue
            (s1, e1), (s2, e2) = ((x["ts"], x["ts"] + x["dur"]) for x in (a, b))
            apart = e1 <= s2 or e2 <= s1
            nested = s1 <= s2 <= e2 <= e1 or s2 <= s1 <= e1 <= e2
            assert apart or nested


def test_files(tmp_path: Path) -> None:
    """Both forms are written to files; names cannot break out of the page."""
    timeline = TimelineObserver()
    crossing = FakeCrossing(load)
    crossing.exception = ValueError("</script><script>alert(1)</script>")
    timeline.queued(crossing)
    timeline.finished(crossing)
    timeline.write_html(tmp_path / "t.html", title="<mine>")
    timeline.write_trace(tmp_path / "t.json")
    page = (tmp_path / "t.html").read_text(encoding="utf-8")
    assert "<title>&lt;mine&gt;</title>" in page
    assert "alert(1)</script>" not in page
    assert "http://" not in page.replace("http://www.w3.org/2000/svg", "")
    assert "https://" not in page
    assert slices((tmp_path / "t.json").read_text(encoding="utf-8"))[0]["name"]
