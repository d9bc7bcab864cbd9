"""ASGI applications and the two callables they are given.

`ASGIApp` is for boundaries: every ASGI framework and server agrees with it, in
both directions, without casts.  The Protocols are for code that wants its
scopes and events checked; the decorators of `asgibridge.adapters` (`asgi_app`,
`http_app`, ...) lead from them to `ASGIApp`.
"""

from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from ._asgi_http import HTTPReceiveEvent, HTTPScope, HTTPSendEvent
from ._asgi_lifespan import LifespanReceiveEvent, LifespanScope, LifespanSendEvent
from ._asgi_websocket import (
    WebSocketReceiveEvent,
    WebSocketScope,
    WebSocketSendEvent,
)

__all__ = (
    "ASGI2App",
    "ASGIApp",
    "ASGIApplication",
    "HTTPApplication",
    "HTTPReceive",
    "HTTPSend",
    "LifespanApplication",
    "LifespanReceive",
    "LifespanSend",
    "Receive",
    "ReceiveEvent",
    "Scope",
    "Send",
    "SendEvent",
    "WebSocketApplication",
    "WebSocketReceive",
    "WebSocketSend",
)

ASGIApp = Callable[[Any, Any, Any], Awaitable[None]]
"""Any ASGI 3 application: called with scope, receive and send, and awaited.

Source: specs/asgi.rst:163-173.
"""

ASGI2App = Callable[[Any], Callable[[Any, Any], Awaitable[None]]]
"""An application of ASGI 2: called with the scope, then with receive and send.

Legacy.  Source: specs/asgi.rst:197-222.
"""

Scope = HTTPScope | WebSocketScope | LifespanScope
"""What a connection is about; narrow it with ``scope["type"] == "http"``."""

ReceiveEvent = HTTPReceiveEvent | WebSocketReceiveEvent | LifespanReceiveEvent
"""Any event from server to application; narrow it by ``event["type"]``."""

SendEvent = HTTPSendEvent | WebSocketSendEvent | LifespanSendEvent
"""Any event from application to server."""


class Receive(Protocol):
    """Waits for the next event from the server and returns it."""

    def __call__(self) -> Awaitable[ReceiveEvent]:
        """Return an awaitable of the next event."""
        ...


class Send(Protocol):
    """Hands one event to the server; done when it is sent, or nobody listens."""

    def __call__(self, event: SendEvent, /) -> Awaitable[None]:
        """Return an awaitable that sends *event*.

        Awaiting it raises a subclass of OSError if the connection is closed
        (2.4; older servers do nothing, or raise something else).
        """
        ...


class HTTPReceive(Protocol):
    """`Receive`, for an HTTP request."""

    def __call__(self) -> Awaitable[HTTPReceiveEvent]:
        """Return an awaitable of the next event."""
        ...


class HTTPSend(Protocol):
    """`Send`, for an HTTP request."""

    def __call__(self, event: HTTPSendEvent, /) -> Awaitable[None]:
        """Return an awaitable that sends *event*."""
        ...


class WebSocketReceive(Protocol):
    """`Receive`, for a WebSocket."""

    def __call__(self) -> Awaitable[WebSocketReceiveEvent]:
        """Return an awaitable of the next event."""
        ...


class WebSocketSend(Protocol):
    """`Send`, for a WebSocket."""

    def __call__(self, event: WebSocketSendEvent, /) -> Awaitable[None]:
        """Return an awaitable that sends *event*."""
        ...


class LifespanReceive(Protocol):
    """`Receive`, for the lifespan."""

    def __call__(self) -> Awaitable[LifespanReceiveEvent]:
        """Return an awaitable of the next event."""
        ...


class LifespanSend(Protocol):
    """`Send`, for the lifespan."""

    def __call__(self, event: LifespanSendEvent, /) -> Awaitable[None]:
        """Return an awaitable that sends *event*."""
        ...


class ASGIApplication(Protocol):
    """An application of every protocol, checked strictly.

    Callers may rely on one call per request, socket or event loop, and pass the
    arguments by position.  The application raises for scopes it does not handle.
    """

    def __call__(
        self, scope: Scope, receive: Receive, send: Send, /
    ) -> Awaitable[None]:
        """Return an awaitable of the whole connection."""
        ...


class HTTPApplication(Protocol):
    """An application of HTTP only, checked strictly."""

    def __call__(
        self, scope: HTTPScope, receive: HTTPReceive, send: HTTPSend, /
    ) -> Awaitable[None]:
        """Return an awaitable of the whole request."""
        ...


class WebSocketApplication(Protocol):
    """An application of WebSockets only, checked strictly."""

    def __call__(
        self,
        scope: WebSocketScope,
        receive: WebSocketReceive,
        send: WebSocketSend,
        /,
    ) -> Awaitable[None]:
        """Return an awaitable of the whole connection."""
        ...


class LifespanApplication(Protocol):
    """An application of the lifespan only, checked strictly."""

    def __call__(
        self, scope: LifespanScope, receive: LifespanReceive, send: LifespanSend, /
    ) -> Awaitable[None]:
        """Return an awaitable of the whole life."""
        ...
