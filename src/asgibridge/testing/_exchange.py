"""The events between a test and the application, and who waits for them."""

import asyncio
import re
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, Final, Generic, Self, TypeVar, cast, final

import attrs

from ..errors import ClientDisconnectedError

__all__ = ("Exchange", "Signal")

ReceiveT = TypeVar("ReceiveT")
SendT = TypeVar("SendT")

_DISCONNECTS: Final[Mapping[str, Mapping[str, Any]]] = {
    "http": {"type": "http.disconnect"},
    # 1006: closed without a close frame, as by a client that is gone.
    "websocket": {"type": "websocket.disconnect", "code": 1006},
}
"""How an application is told that the client has gone, for each protocol."""


_VERSION: Final = re.compile(r"([0-9]+)\.([0-9]+)")


def _raises_after_disconnect(scope: Mapping[str, Any]) -> bool:
    """Say whether ``send()`` raises once the client has gone.

    It does since version 2.4 of the HTTP and WebSocket protocols.  A version that
    is none counts as an old one here; the validator tells what is wrong with it.
    """
    stated: object = scope.get("asgi")
    versions = cast("dict[str, object]", stated) if isinstance(stated, dict) else {}
    version = versions.get("spec_version")
    match = _VERSION.fullmatch(version) if isinstance(version, str) else None
    return match is not None and (int(match[1]), int(match[2])) >= (2, 4)


@final
@attrs.define(eq=False)
class Signal:
    """Wakes tasks of one loop, for each to look whether its time has come."""

    _waiters: "list[asyncio.Future[None]]" = attrs.field(
        factory=list["asyncio.Future[None]"], init=False
    )

    def notify(self) -> None:
        """Let every waiting task look again."""
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)

    async def until(self, predicate: Callable[[], object]) -> None:
        """Wait until *predicate* is true; what is looked at changes with notify().

        Nothing is lost if the wait is cancelled.
        """
        while not predicate():
            waiter = asyncio.get_running_loop().create_future()
            self._waiters.append(waiter)
            try:
                await waiter
            finally:
                self._waiters.remove(waiter)


@final
@attrs.define(eq=False)
class Exchange(Generic[ReceiveT, SendT]):
    """The events on their way between a test and an application.

    For tasks of one loop.

    Args:
        max_queued: How many events each side may be ahead of the other.
        raises: Whether `send` raises once the client has gone.
        disconnect_at: Tells the event with which the client goes.
        disconnect_event: What `receive` then returns, again and again.
    """

    max_queued: int
    raises: bool
    disconnect_at: Callable[[SendT], bool] | None
    disconnect_event: ReceiveT | None
    changed: Signal = attrs.field(factory=Signal, init=False)
    received: deque[ReceiveT] = attrs.field(factory=deque[ReceiveT], init=False)
    sent: deque[SendT] = attrs.field(factory=deque[SendT], init=False)
    is_gone: bool = attrs.field(default=False, init=False)

    @classmethod
    def of(
        cls,
        scope: Mapping[str, Any],
        *,
        max_queued: int,
        disconnect_at: Callable[[SendT], bool] | None,
    ) -> Self:
        """Return one for a conversation about *scope*: its protocol says the rest."""
        disconnect_event = _DISCONNECTS.get(scope.get("type", ""))
        return cls(
            max_queued,
            _raises_after_disconnect(scope),
            disconnect_at,
            cast("ReceiveT | None", disconnect_event),
        )

    async def put(self, event: ReceiveT) -> None:
        """Queue an event for the application; wait while there are too many."""
        await self.changed.until(lambda: len(self.received) < self.max_queued)
        self.received.append(event)
        self.changed.notify()

    async def receive(self) -> ReceiveT:
        """Return the next event to the application."""
        await self.changed.until(lambda: self.received or self._is_over())
        if not self.received:
            assert self.disconnect_event is not None  # says _is_over
            return self.disconnect_event
        event = self.received.popleft()
        self.changed.notify()
        return event

    async def send(self, event: SendT, /) -> None:
        """Take an event from the application; wait while there are too many."""
        if not self.is_gone and self.disconnect_at and self.disconnect_at(event):
            self.disconnect()
        await self.changed.until(
            lambda: self.is_gone or len(self.sent) < self.max_queued
        )
        if not self.is_gone:
            self.sent.append(event)
            self.changed.notify()
        elif self.raises:
            msg = f"cannot send {event!r}: the client has disconnected"
            raise ClientDisconnectedError(msg)

    async def output_or_end(self, has_ended: Callable[[], bool]) -> None:
        """Wait until the application has sent an event, or can send none any more."""
        await self.changed.until(lambda: self.sent or has_ended())

    def take(self) -> SendT:
        """Take the next event of the application; there must be one."""
        event = self.sent.popleft()
        self.changed.notify()
        return event

    def disconnect(self, event: ReceiveT | None = None) -> None:
        """Let the client go: later events of the application go nowhere."""
        self.is_gone = True
        if event is not None:
            self.disconnect_event = event
        self.changed.notify()

    def _is_over(self) -> bool:
        return self.is_gone and self.disconnect_event is not None
