"""An ASGI server's side of a request, in memory."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import attrs
import pytest

from asgibridge.bridge import Bridge

Event = dict[str, Any]
App = Callable[[Any, Any, Any], Awaitable[None]]


@attrs.define(eq=False)
class Server:
    """Holds one conversation; `receive` and `send` are what it gives the app.

    `receive` hands out *incoming* in order, then waits for `feed`.
    """

    incoming: list[Event]
    scope: Event
    sent: list[Event] = attrs.field(factory=list, init=False)
    received: int = attrs.field(default=0, init=False)
    asked: int = attrs.field(default=0, init=False)
    on_send: Callable[[Event], Awaitable[None]] | None = None
    on_receive: Callable[[], None] | None = None
    _changed: asyncio.Event = attrs.field(factory=asyncio.Event, init=False)

    async def receive(self) -> Event:
        self.asked += 1
        self._change()
        if self.on_receive is not None:
            self.on_receive()
        await self.until(lambda: len(self.incoming) > 0)
        self.received += 1
        self._change()
        return self.incoming.pop(0)

    async def send(self, event: Event) -> None:
        if self.on_send is not None:
            await self.on_send(event)
        self.sent.append(event)
        self._change()

    def feed(self, *events: Event) -> None:
        self.incoming.extend(events)
        self._change()

    async def until(self, ready: Callable[[], object]) -> None:
        """Wait until *ready* after something was sent, asked for or fed."""
        while not ready():
            await self._changed.wait()

    def _change(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    async def run(self, app: App) -> None:
        await app(self.scope, self.receive, self.send)

    @property
    def body(self) -> bytes:
        return b"".join(event.get("body", b"") for event in self.sent)

    @property
    def is_complete(self) -> bool:
        """Whether a client would take the response for complete."""
        return bool(self.sent) and (
            self.sent[-1]["type"] == "http.response.body"
            and not self.sent[-1].get("more_body", False)
        )

    @property
    def types(self) -> list[str]:
        return [event["type"].rpartition(".")[2] for event in self.sent]


def request_body(*chunks: bytes) -> list[Event]:
    """Return the events of a body in these pieces."""
    return [
        {"type": "http.request", "body": chunk, "more_body": number < len(chunks)}
        for number, chunk in enumerate(chunks, 1)
    ]


DISCONNECT: Event = {"type": "http.disconnect"}


@pytest.fixture
def server() -> Callable[..., Server]:
    """Make the server's side of a request: body chunks, then scope keys."""

    def make(
        *chunks: bytes, incoming: list[Event] | None = None, **scope: Any
    ) -> Server:
        full: Event = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": "GET",
            "path": "/",
            "query_string": b"",
            "headers": [],
            **scope,
        }
        return Server(request_body(*chunks) if incoming is None else incoming, full)

    return make


@pytest.fixture
def bridge() -> Iterator[Bridge]:
    """A bridge, closed after the test."""
    with Bridge() as bridge:
        yield bridge
