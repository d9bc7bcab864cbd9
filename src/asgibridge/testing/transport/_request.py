"""One request: httpx's objects on one side, ASGI's events on the other."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any, final

import attrs
import httpx

from ...types import (
    ASGIApp,
    HTTPDisconnectEvent,
    HTTPReceiveEvent,
    HTTPResponseStartEvent,
    HTTPScope,
    HTTPSendEvent,
)
from .._exchange import Exchange
from .._running import RunningApplication

__all__ = ("ResponseStream", "Served", "scope_of")

DISCONNECT: HTTPDisconnectEvent = {"type": "http.disconnect"}


def scope_of(
    request: httpx.Request, state: Mapping[str, Any] | None, root_path: str
) -> HTTPScope:
    """Return the scope of *request*; it gets a copy of *state*."""
    url = request.url
    path, _, query = url.raw_path.partition(b"?")
    port = url.port or {"https": 443}.get(url.scheme, 80)
    scope: HTTPScope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.5"},
        "http_version": "1.1",
        "method": request.method,
        "scheme": url.scheme,
        "path": url.path,
        "raw_path": path,
        "query_string": query,
        "root_path": root_path,
        "headers": [(name.lower(), value) for name, value in request.headers.raw],
        "client": ("127.0.0.1", 50000),
        "server": (url.host, port),
    }
    return scope if state is None else {**scope, "state": dict(state)}


@final
class Served:
    """An application that answers one request.

    Args:
        app: The application.
        scope: Of the request.
        body: Of the request; read as the application asks for it.
        max_queued: How many events it may send before they are taken.
        timeout: How long to wait for it, in seconds.
    """

    def __init__(
        self,
        app: ASGIApp,
        scope: HTTPScope,
        body: AsyncIterator[bytes],
        max_queued: int,
        timeout: float,
    ) -> None:
        """Start it; for a coroutine of the running loop."""
        self._body: AsyncIterator[bytes] | None = body
        self._reading = asyncio.Lock()
        self._exchange: Exchange[HTTPReceiveEvent, HTTPSendEvent] = Exchange(
            max_queued=max_queued,
            raises=True,
            disconnect_at=None,
            disconnect_event=DISCONNECT,
        )

        async def call() -> None:
            await app(scope, self._receive, self._exchange.send)

        self._app = RunningApplication(repr(app), call, timeout, self._exchange.changed)
        self._app.start()

    async def start(self) -> HTTPResponseStartEvent:
        """Return the start of the response."""
        while True:
            event = await self.next_event()
            if event["type"] == "http.response.start":
                return event
            # Early hints and the like: httpx has no place for them.

    async def next_event(self) -> HTTPSendEvent:
        """Return the next event, or raise what the application ended with."""
        ended = "returned before its response was complete"
        return await self._app.output(self._exchange, None, ended)

    async def finish(self) -> None:
        """Let the application end by itself; raise its exception.

        It is told that its client has gone, as it is after any response.
        """
        self._exchange.disconnect()
        try:
            await self._app.wait(None)
        finally:
            await self.abort()
        self._app.check_end()

    async def abort(self) -> None:
        """End the application, whatever it ends with."""
        self._exchange.disconnect()
        await self._app.aclose(exceptions=False)

    async def _receive(self) -> HTTPReceiveEvent:
        async with self._reading:
            body = self._body
            if body is not None and not self._exchange.is_gone:
                async for chunk in body:
                    return {"type": "http.request", "body": chunk, "more_body": True}
                self._body = None
                return {"type": "http.request", "body": b"", "more_body": False}
        return await self._exchange.receive()


@final
@attrs.define(eq=False)
class ResponseStream(httpx.AsyncByteStream):
    """The response's body, as the application sends it.

    Args:
        served: The application at work.
        raises: Whether exceptions of the application are raised.
    """

    _served: Served = attrs.field(alias="served")
    _raises: bool = attrs.field(alias="raises")
    _is_complete: bool = attrs.field(default=False, init=False)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield each part of the body when it is sent."""
        while not self._is_complete:
            try:
                event = await self._served.next_event()
            except Exception as exc:
                if self._raises:
                    raise
                msg = "the application failed within its response"
                raise httpx.RemoteProtocolError(msg) from exc
            if event["type"] == "http.response.body":
                self._is_complete = not event.get("more_body", False)
                if chunk := event.get("body", b""):
                    yield chunk

    async def aclose(self) -> None:
        """Let the application end, and raise what it ends with.

        What it makes of a client that went before the response was complete is
        its own affair.
        """
        try:
            await self._served.finish()
        except Exception:
            if self._raises and self._is_complete:
                raise
