"""Calls in the trace event format, for Perfetto and chrome://tracing.

The format: "Trace Event Format", by the Chromium authors; complete events
(``X``), flow events (``s`` and ``f``) and metadata (``M``).
"""

import json
from collections.abc import Iterable
from typing import Any, final

import attrs

from ._calls import Lane, TimelineCall, lane_names

__all__ = ("trace_of",)


@final
@attrs.frozen(eq=False)
class _Slice:
    """A bar: a call that runs, or one that is waited for."""

    lane: Lane
    start: float
    end: float
    call: TimelineCall
    is_wait: bool


def trace_of(calls: Iterable[TimelineCall], *, process: int) -> str:
    """Return the JSON.

    A call is two bars: the wait where it was made, and the run where it ran,
    with an arrow from one to the other.  Bars of one row must be nested, so
    what overlaps otherwise (calls of several tasks) goes to a further row.
    """
    calls = list(calls)
    events: list[dict[str, Any]] = []
    slices = sorted(_slices(calls), key=lambda item: (item.start, -item.end))
    rows = _rows(slices)
    numbers = {row: number for number, row in enumerate(dict.fromkeys(rows), 1)}
    names = lane_names(calls)
    for (lane, index), number in numbers.items():
        name = names[lane] if index == 0 else f"{names[lane]} ({index + 1})"
        common = {"ph": "M", "pid": process, "tid": number}
        events.append({**common, "name": "thread_name", "args": {"name": name}})
        order = {"sort_index": number}
        events.append({**common, "name": "thread_sort_index", "args": order})
    for item, row in zip(slices, rows, strict=True):
        events += _events(item, {"pid": process, "tid": numbers[row]})
    return json.dumps({"displayTimeUnit": "ms", "traceEvents": events})


def _slices(calls: Iterable[TimelineCall]) -> Iterable[_Slice]:
    for call in calls:
        last = call.finished or call.started or call.queued
        yield _Slice(call.caller, call.queued, last, call, is_wait=True)
        if call.lane is not None and call.started is not None:
            yield _Slice(call.lane, call.started, last, call, is_wait=False)


def _rows(slices: Iterable[_Slice]) -> list[tuple[Lane, int]]:
    """Choose the row of each bar: the first one where it is nested or alone."""
    stacks: dict[tuple[Lane, int], list[float]] = {}
    rows: list[tuple[Lane, int]] = []
    for item in slices:
        index = 0
        while True:
            ends = stacks.setdefault((item.lane, index), [])
            while ends and ends[-1] <= item.start:
                ends.pop()
            if not ends or item.end <= ends[-1]:
                break
            index += 1
        ends.append(item.end)
        rows.append((item.lane, index))
    return rows


def _events(item: _Slice, place: dict[str, Any]) -> Iterable[dict[str, Any]]:
    call = item.call
    start = item.start * 1e6
    verb = "await" if call.direction == "sync_to_async" else "wait for"
    yield {
        "name": f"{verb} {call.name}" if item.is_wait else call.name,
        "cat": "wait" if item.is_wait else call.direction,
        "ph": "X",
        "ts": start,
        "dur": (item.end - item.start) * 1e6,
        "args": {
            "call": call.number,
            "parent": call.parent,
            "error": call.error,
            "stuck": call.stuck,
        },
        **place,
    }
    flow = {"name": "crossing", "cat": "crossing", "id": call.number, "ts": start}
    if item.is_wait and call.started is not None:
        yield {**flow, "ph": "s", **place}
    elif not item.is_wait:
        yield {**flow, "ph": "f", "bp": "e", **place}
