"""Servers without a network: they play one conversation each.

What an application sends may be wrong in every respect: the validator around
the application says so, and these servers only look for what they need.
"""

import asyncio
from collections.abc import Mapping
from typing import Any, Final, Protocol, cast, final

import attrs

__all__ = (
    "ClientGoneError",
    "HTTPPeer",
    "LifespanPeer",
    "Peer",
    "SilentPeer",
    "SocketPeer",
)

Event = dict[str, Any]


class ClientGoneError(OSError):
    """What `send()` raises once the client is gone, as of version 2.4."""


class Peer(Protocol):
    """One conversation, from the server's side."""

    async def receive(self) -> Event:
        """Return the next event, waiting for ever if there will be none."""
        ...

    async def send(self, event: object, /) -> None:
        """Take an event of any quality."""
        ...

    def unanswered(self) -> str | None:
        """Return the name of the rule broken if nothing more is sent."""
        ...


def _content(event: object) -> Mapping[str, object]:
    return cast("Mapping[str, object]", event) if isinstance(event, dict) else {}


def _type_of(event: object) -> object:
    return _content(event).get("type")


def _flag(event: object, key: str) -> bool:
    return _content(event).get(key) is True


def _new_future() -> asyncio.Future[None]:
    return asyncio.get_running_loop().create_future()


async def _never() -> Event:
    # Some servers do not answer; who waits for them is cancelled at the end.
    future: asyncio.Future[Event] = asyncio.get_running_loop().create_future()
    return await future


_BODIES: Final = (
    "http.response.body",
    "http.response.zerocopysend",
    "http.response.pathsend",
)


@final
@attrs.define(eq=False)
class HTTPPeer:
    """One request.

    Args:
        events: What the application receives, in order.
        leaves: Whether the client leaves when all of *events* are received.
        gone_after: How many events the client takes before it leaves.
    """

    _events: list[Event]
    _leaves: bool = attrs.field(default=False, alias="leaves")
    _gone_after: int | None = attrs.field(default=None, alias="gone_after")
    _sent: int = attrs.field(default=0, init=False)
    _trailers: bool = attrs.field(default=False, init=False)
    _is_gone: bool = attrs.field(default=False, init=False)
    _told: bool = attrs.field(default=False, init=False)
    _over: asyncio.Event = attrs.field(factory=asyncio.Event, init=False)

    async def receive(self) -> Event:
        """Return the next event; ``http.disconnect`` once all is over."""
        if self._events and not self._is_gone:
            return self._events.pop(0)
        if self._told:
            return await _never()
        if self._leaves:
            self._leave()
        await self._over.wait()
        self._told = True
        return {"type": "http.disconnect"}

    async def send(self, event: object, /) -> None:
        """Take an event, giving others a turn as a socket would."""
        await asyncio.sleep(0)
        if self._sent == self._gone_after:
            self._leave()
        if self._is_gone:
            msg = "the client is gone"
            raise ClientGoneError(msg)
        self._sent += 1
        kind = _type_of(event)
        if kind == "http.response.start":
            self._trailers = _flag(event, "trailers")
        elif kind in _BODIES and not _flag(event, "more_body"):
            self._finish(unless=self._trailers)
        elif kind == "http.response.trailers" and not _flag(event, "more_trailers"):
            self._finish(unless=False)

    def unanswered(self) -> str | None:
        """Return nothing: a slow application breaks no rule."""
        return None

    def _finish(self, *, unless: bool) -> None:
        if not unless:
            self._over.set()

    def _leave(self) -> None:
        self._is_gone = True
        self._over.set()


@final
@attrs.define(eq=False)
class SocketPeer:
    """One WebSocket.

    Args:
        messages: What the application receives once it has accepted.
        vanishes: Whether the client leaves during the handshake.
        code: What the connection is closed with by the client.
    """

    _messages: list[Event]
    _vanishes: bool = attrs.field(default=False, alias="vanishes")
    _code: int = attrs.field(default=1000, alias="code")
    _connected: bool = attrs.field(default=False, init=False)
    _told: bool = attrs.field(default=False, init=False)
    _closed: bool = attrs.field(default=False, init=False)
    _answered: asyncio.Event = attrs.field(factory=asyncio.Event, init=False)

    async def receive(self) -> Event:
        """Return the next event; the last one is ``websocket.disconnect``."""
        if not self._connected:
            self._connected = True
            return {"type": "websocket.connect"}
        if self._told:
            return await _never()
        if not self._vanishes:
            await self._answered.wait()
        if self._messages and not self._closed and not self._vanishes:
            return self._messages.pop(0)
        self._told = self._closed = True
        code = 1006 if self._vanishes else self._code
        return {"type": "websocket.disconnect", "code": code, "reason": ""}

    async def send(self, event: object, /) -> None:
        """Take an event, giving others a turn as a socket would."""
        await asyncio.sleep(0)
        if self._told:
            msg = "the client is gone"
            raise ClientGoneError(msg)
        kind = _type_of(event)
        if kind == "websocket.close" or (
            kind == "websocket.http.response.body" and not _flag(event, "more_body")
        ):
            self._closed = True
        if kind == "websocket.accept" or self._closed:
            self._answered.set()

    def unanswered(self) -> str | None:
        """Return the rule that the handshake is to be answered."""
        return None if self._answered.is_set() or self._told else "ws.unanswered"


@final
@attrs.define(eq=False)
class LifespanPeer:
    """One lifespan; `stop()` asks for its end.

    It is made in the running loop.  `answered` is done once the application
    has answered startup, well or not.
    """

    _step: int = attrs.field(default=0, init=False)
    answered: asyncio.Future[None] = attrs.field(factory=_new_future, init=False)
    _started: asyncio.Event = attrs.field(factory=asyncio.Event, init=False)
    has_failed: bool = attrs.field(default=False, init=False)
    _stopping: asyncio.Event = attrs.field(factory=asyncio.Event, init=False)
    _stopped: asyncio.Event = attrs.field(factory=asyncio.Event, init=False)

    async def receive(self) -> Event:
        """Return startup, then shutdown when it is time for it."""
        self._step += 1
        if self._step == 1:
            return {"type": "lifespan.startup"}
        await self._started.wait()
        await self._stopping.wait()
        if self.has_failed or self._stopped.is_set():
            return await _never()
        return {"type": "lifespan.shutdown"}

    async def send(self, event: object, /) -> None:
        """Take the application's answers."""
        await asyncio.sleep(0)
        kind = _type_of(event)
        if kind == "lifespan.startup.failed":
            self.has_failed = True
        if kind in ("lifespan.startup.complete", "lifespan.startup.failed"):
            self._started.set()
            if not self.answered.done():
                self.answered.set_result(None)
        elif kind in ("lifespan.shutdown.complete", "lifespan.shutdown.failed"):
            self._stopped.set()

    def stop(self) -> None:
        """Let the application have ``lifespan.shutdown``."""
        self._stopping.set()

    def unanswered(self) -> str | None:
        """Return the rule that startup and shutdown are to be answered."""
        if not self._started.is_set():
            return "lifespan.unanswered"
        over = self.has_failed or self._stopped.is_set() or not self._stopping.is_set()
        return None if over else "lifespan.unanswered"


@final
@attrs.define(eq=False)
class SilentPeer:
    """A server of a protocol nobody knows; it has nothing to say."""

    async def receive(self) -> Event:
        """Wait for ever."""
        return await _never()

    async def send(self, event: object, /) -> None:
        """Take anything."""
        await asyncio.sleep(0)

    def unanswered(self) -> str | None:
        """Return the rule that such scopes are to be refused."""
        return "scope.unknown_type"
