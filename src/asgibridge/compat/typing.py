"""The types of ASGI under asgiref's names: ``asgiref.typing``.

The same classes as `asgibridge.types` has, which say `NotRequired` where the
specification calls a key optional.
"""

from collections.abc import Awaitable, Callable
from typing import Literal, NotRequired, Protocol, TypedDict

from ..types import (
    ASGIVersions,
    HTTPDisconnectEvent,
    HTTPRequestEvent,
    HTTPResponseBodyEvent,
    HTTPResponseDebugEvent,
    HTTPResponsePathSendEvent as HTTPResponsePathsendEvent,
    HTTPResponsePushEvent as HTTPServerPushEvent,
    HTTPResponseStartEvent,
    HTTPResponseTrailersEvent,
    HTTPScope,
    LifespanScope,
    LifespanShutdownCompleteEvent,
    LifespanShutdownEvent,
    LifespanShutdownFailedEvent,
    LifespanStartupCompleteEvent,
    LifespanStartupEvent,
    LifespanStartupFailedEvent,
    WebSocketAcceptEvent,
    WebSocketCloseEvent,
    WebSocketConnectEvent,
    WebSocketDisconnectEvent,
    WebSocketResponseBodyEvent,
    WebSocketResponseStartEvent,
    WebSocketScope,
)

__all__ = (
    "ASGI2Application",
    "ASGI2Protocol",
    "ASGI3Application",
    "ASGIApplication",
    "ASGIReceiveCallable",
    "ASGIReceiveEvent",
    "ASGISendCallable",
    "ASGISendEvent",
    "ASGIVersions",
    "HTTPDisconnectEvent",
    "HTTPRequestEvent",
    "HTTPResponseBodyEvent",
    "HTTPResponseDebugEvent",
    "HTTPResponsePathsendEvent",
    "HTTPResponseStartEvent",
    "HTTPResponseTrailersEvent",
    "HTTPScope",
    "HTTPServerPushEvent",
    "LifespanScope",
    "LifespanShutdownCompleteEvent",
    "LifespanShutdownEvent",
    "LifespanShutdownFailedEvent",
    "LifespanStartupCompleteEvent",
    "LifespanStartupEvent",
    "LifespanStartupFailedEvent",
    "Scope",
    "WWWScope",
    "WebSocketAcceptEvent",
    "WebSocketCloseEvent",
    "WebSocketConnectEvent",
    "WebSocketDisconnectEvent",
    "WebSocketReceiveEvent",
    "WebSocketResponseBodyEvent",
    "WebSocketResponseStartEvent",
    "WebSocketScope",
    "WebSocketSendEvent",
)


class WebSocketReceiveEvent(TypedDict):
    """A message of the client, as text or as bytes."""

    type: Literal["websocket.receive"]
    bytes: NotRequired[bytes | None]
    text: NotRequired[str | None]


class WebSocketSendEvent(TypedDict):
    """A message to the client, as text or as bytes."""

    type: Literal["websocket.send"]
    bytes: NotRequired[bytes | None]
    text: NotRequired[str | None]


WWWScope = HTTPScope | WebSocketScope
"""The scope of a connection."""

Scope = HTTPScope | WebSocketScope | LifespanScope
"""Any scope."""

ASGIReceiveEvent = (
    HTTPRequestEvent
    | HTTPDisconnectEvent
    | WebSocketConnectEvent
    | WebSocketReceiveEvent
    | WebSocketDisconnectEvent
    | LifespanStartupEvent
    | LifespanShutdownEvent
)
"""Any event from the server to the application."""

ASGISendEvent = (
    HTTPResponseStartEvent
    | HTTPResponseBodyEvent
    | HTTPResponseTrailersEvent
    | HTTPServerPushEvent
    | HTTPDisconnectEvent
    | WebSocketAcceptEvent
    | WebSocketSendEvent
    | WebSocketResponseStartEvent
    | WebSocketResponseBodyEvent
    | WebSocketCloseEvent
    | LifespanStartupCompleteEvent
    | LifespanStartupFailedEvent
    | LifespanShutdownCompleteEvent
    | LifespanShutdownFailedEvent
)
"""Any event from the application to the server."""

ASGIReceiveCallable = Callable[[], Awaitable[ASGIReceiveEvent]]
"""What an application gets its events with."""

ASGISendCallable = Callable[[ASGISendEvent], Awaitable[None]]
"""What an application sends its events with."""


class ASGI2Protocol(Protocol):
    """An application of ASGI 2, as a class: made with the scope, then called."""

    def __init__(self, scope: Scope) -> None: ...

    async def __call__(
        self, receive: ASGIReceiveCallable, send: ASGISendCallable
    ) -> None:
        """Serve the connection."""
        ...


ASGI2Application = type[ASGI2Protocol]
"""An application of ASGI 2."""

ASGI3Application = Callable[
    [Scope, ASGIReceiveCallable, ASGISendCallable], Awaitable[None]
]
"""An application of ASGI 3."""

ASGIApplication = ASGI2Application | ASGI3Application
"""An application of either kind."""
