"""Recording crossings, to be looked at."""

import itertools
import os
import time
import weakref
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from threading import current_thread, get_ident
from typing import Final, final

import attrs

from .._options import whole
from ..types import Crossing, Direction
from ._calls import Lane, TimelineCall
from ._html import html_of
from ._names import message_of, name_of
from ._trace import trace_of

__all__ = ("TimelineObserver",)


# Below this number of open calls nobody looks for those that were withdrawn.
_FEW_OPEN: Final = 1000


@final
class _Record:
    """One call, filled in step by step.

    Written by hand: it is made for every crossing, and takes half the time.
    """

    __slots__ = (
        "caller",
        "crossing",
        "direction",
        "error",
        "finished",
        "function",
        "lane",
        "number",
        "parent",
        "queued",
        "started",
        "stuck",
    )

    def __init__(
        self, number: int, crossing: Crossing, parent: int | None, caller: Lane
    ) -> None:
        self.number = number
        # Weakly: a call that is withdrawn is never finished, and goes with it.
        self.crossing: weakref.ref[Crossing] | None = weakref.ref(crossing)
        self.parent = parent
        self.caller = caller
        self.lane: Lane | None = None
        self.started: float | None = None
        self.stuck: str | None = None
        self.finished: float | None = None
        self.error: str | None = None
        self.direction: Direction = crossing.direction
        self.queued = crossing.queued_at
        self.function: str | None = None

    @property
    def is_withdrawn(self) -> bool:
        """Whether the call can never finish."""
        return self.crossing is not None and self.crossing() is None

    def as_call(self) -> TimelineCall | None:
        """Return it for reading; None if it was withdrawn."""
        crossing = None if self.crossing is None else self.crossing()
        name = self.function if crossing is None else name_of(crossing.function)
        if name is None:
            return None
        return TimelineCall(
            self.number,
            self.parent,
            self.direction,
            name,
            self.caller,
            self.lane,
            self.queued,
            self.started,
            self.finished,
            self.error,
            self.stuck,
        )


@final
@attrs.define(eq=False)
class TimelineObserver:
    """Records crossings, and writes them as a page or a trace.

    The page is one HTML file: a lane for each thread and loop, a bar for each
    call, an arrow for each crossing.  The trace is for https://ui.perfetto.dev
    and chrome://tracing::

        timeline = TimelineObserver()
        bridge = Bridge(observers=[timeline])
        ...
        timeline.write_html("timeline.html")
        timeline.write_trace("timeline.json")

    Functions are kept by name only; arguments and results are not looked at.
    Thread-safe; reading while calls go on is allowed.

    Args:
        max_calls: How many calls are kept; the oldest are dropped first.
    """

    max_calls: int = attrs.field(default=100_000, kw_only=True, validator=whole(1))
    # Steps of one call follow each other, and single operations of dicts and
    # deques are atomic: nothing here needs a lock.
    _numbers: Iterator[int] = attrs.field(
        factory=itertools.count, init=False, repr=False
    )
    _open: dict[int, _Record] = attrs.field(
        factory=dict[int, _Record], init=False, repr=False
    )
    _look_at: int = attrs.field(default=_FEW_OPEN, init=False, repr=False)
    _ended: deque[tuple[int, _Record]] = attrs.field(init=False, repr=False)
    _ends: Iterator[int] = attrs.field(init=False, repr=False)
    _began: float = attrs.field(factory=time.monotonic, init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        self._ended = deque(maxlen=self.max_calls)
        self._ends = itertools.count(1)

    @property
    def calls(self) -> list[TimelineCall]:
        """The calls so far, those that have not ended last."""
        return self.calls_since(0)[1]

    def calls_since(self, position: int) -> tuple[int, list[TimelineCall]]:
        """Return the calls that ended after *position*, and those under way.

        Args:
            position: What an earlier call of this method returned; 0 is the
                beginning.

        Returns:
            The new position, and the calls.
        """
        ended = [item for item in self._ended.copy() if item[0] > position]
        if ended:
            position = max(number for number, _ in ended)
        records = [record for _, record in ended] + list(self._open.values())
        calls = [record.as_call() for record in records]
        return position, [call for call in calls if call is not None]

    def clear(self) -> None:
        """Forget the calls that have ended."""
        self._ended.clear()

    def html(self, title: str = "asgibridge timeline") -> str:
        """Return a page that shows the calls and needs nothing else."""
        return html_of(self.calls, began=self._began, title=title)

    def trace(self) -> str:
        """Return the calls as JSON, in the trace event format."""
        return trace_of(self.calls, process=os.getpid())

    def write_html(
        self, path: str | os.PathLike[str], title: str = "asgibridge timeline"
    ) -> None:
        """Write the page to a file."""
        Path(path).write_text(self.html(title), encoding="utf-8")

    def write_trace(self, path: str | os.PathLike[str]) -> None:
        """Write the trace to a file."""
        Path(path).write_text(self.trace(), encoding="utf-8")

    @property
    def began(self) -> float:
        """When the recording began, in seconds of `time.monotonic`."""
        return self._began

    def queued(self, crossing: Crossing, /) -> None:
        """Note who made the call."""
        records = self._open
        parent = records.get(id(crossing.parent))
        records[id(crossing)] = _Record(
            next(self._numbers),
            crossing,
            None if parent is None else parent.number,
            (crossing.caller_thread, current_thread().name, crossing.caller_loop),
        )
        if len(records) > self._look_at:
            self._drop_withdrawn()

    def started(self, crossing: Crossing, /) -> None:
        """Note where it runs."""
        record = self._open.get(id(crossing))
        if record is not None:
            thread = crossing.thread or get_ident()
            record.lane = (thread, current_thread().name, crossing.loop)
            record.started = crossing.started_at

    def finished(self, crossing: Crossing, /) -> None:
        """Keep it."""
        record = self._open.pop(id(crossing), None)
        if record is None:
            return
        record.crossing = None
        record.function = name_of(crossing.function)
        record.finished = crossing.finished_at
        exc = crossing.exception
        if exc is not None:
            record.error = f"{type(exc).__name__}: {message_of(exc)}"
        self._ended.append((next(self._ends), record))

    def stuck(self, crossing: Crossing, seconds: float, behind: str, /) -> None:
        """Note what is in its way."""
        del seconds  # to be seen from its bar
        record = self._open.get(id(crossing))
        if record is not None:
            record.stuck = behind

    def _drop_withdrawn(self) -> None:
        for key, record in list(self._open.items()):
            if record.is_withdrawn:
                self._open.pop(key, None)
        self._look_at = 2 * len(self._open) + _FEW_OPEN
