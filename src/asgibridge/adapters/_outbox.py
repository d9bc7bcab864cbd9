"""Response events on their way from the worker thread to the task."""

from collections import deque
from typing import final

import attrs

from ._asgi import Event
from ._line import Line

__all__ = ("Outbox",)


def _no_events() -> deque[Event | None]:
    return deque()  # deque[Event | None]() takes three times as long


@final
@attrs.define(eq=False)
class Outbox:
    """A queue of events that holds the thread back when too much waits.

    Each counter has one writer, so they need no lock: what a reader sees can
    only be too small, and its writer calls afterwards.

    Args:
        line: Wakes the other end.
        window: How many body bytes may wait.
    """

    _line: Line
    _window: int
    events: deque[Event | None] = attrs.field(factory=_no_events, init=False)
    """Events to send; None is the end."""
    streaming: bool = attrs.field(default=False, init=False)
    """Whether a part of the body, but not all, was sent; the task's."""
    _bytes_put: int = attrs.field(default=0, init=False)  # the thread's
    _bytes_sent: int = attrs.field(default=0, init=False)  # the task's
    # Events without a body: the start, and files.
    _others_put: int = attrs.field(default=0, init=False)  # the thread's
    _others_sent: int = attrs.field(default=0, init=False)  # the task's

    # The thread's end.

    def put(self, event: Event) -> None:
        """Add an event; the task is not woken for it yet."""
        if "body" in event:
            self._bytes_put += len(event["body"])
        else:
            self._others_put += 1
        self.events.append(event)

    def flush(self) -> None:
        """Let the task send; wait while too much waits to be sent."""
        is_full = self._bytes_put - self._bytes_sent >= self._window
        self._line.ring(goes_on=not is_full)
        if is_full:
            self._line.wait(self._has_room)

    def wait_sent(self) -> None:
        """Wait until all is sent."""
        self._line.ring()
        self._line.wait(lambda: self._others_sent == self._others_put)

    # The task's end.

    def note_sent(self, event: Event) -> None:
        """Count *event*, and wake the thread if it may go on."""
        if "body" in event:
            self._bytes_sent += len(event["body"])
            self.streaming = event["more_body"]
            if self._line.sleepers and self._has_room():
                self._line.wake()
        else:
            self._others_sent += 1
            self._line.wake()

    def _has_room(self) -> bool:
        # Half, so that it is not one wake-up for each block.
        return self._bytes_put - self._bytes_sent <= self._window // 2
