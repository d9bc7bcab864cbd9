"""Calls as the timeline keeps them, and where they are drawn."""

from collections.abc import Iterable, Mapping
from typing import TypeAlias, final

import attrs

from ..types import Direction

__all__ = ("Lane", "TimelineCall", "lane_names")

Lane: TypeAlias = tuple[int, str, int | None]
"""A thread's number and name, and the loop that runs on it, if it is about that."""


@final
@attrs.frozen(eq=False)
class TimelineCall:
    """One crossing that was recorded.

    Attributes:
        number: Of the call, in the order in which they were made.
        parent: The number of the call that made it, if it was recorded.
        direction: ``sync_to_async`` ran a blocking function, ``async_to_sync``
            a coroutine.
        name: Of the function.
        caller: Where the call was made.
        lane: Where it ran; None before it is started.
        queued: When it was made, in seconds of `time.monotonic`.
        started: When the function was entered, if it was.
        finished: When it was left, if it was.
        error: What it raised, if anything.
        stuck: What was in its way, if it waited for long.
    """

    number: int
    parent: int | None
    direction: Direction
    name: str
    caller: Lane
    lane: Lane | None
    queued: float
    started: float | None
    finished: float | None
    error: str | None
    stuck: str | None


def lane_names(calls: Iterable[TimelineCall]) -> Mapping[Lane, str]:
    """Name every lane that the calls touch, in order of appearance.

    Loops are numbered; a thread's name comes with a number where several
    threads have it.
    """
    lanes: dict[Lane, None] = {}
    for call in sorted(calls, key=lambda call: call.number):
        lanes.setdefault(call.caller)
        if call.lane is not None:
            lanes.setdefault(call.lane)
    loops = list(dict.fromkeys(loop for _, _, loop in lanes if loop is not None))
    threads: dict[str, dict[int, int]] = {}
    for ident, name, _ in lanes:
        same = threads.setdefault(name, {})
        same.setdefault(ident, len(same) + 1)

    def name_of(lane: Lane) -> str:
        ident, name, loop = lane
        same = threads[name]
        shown = name if len(same) == 1 else f"{name} #{same[ident]}"
        return shown if loop is None else f"loop {loops.index(loop) + 1} on {shown}"

    return {lane: name_of(lane) for lane in lanes}
