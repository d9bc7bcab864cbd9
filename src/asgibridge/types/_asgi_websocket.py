"""ASGI's WebSocket protocol: scope and events, version 2.5."""

from collections.abc import Iterable
from typing import Any, Literal, NotRequired

from typing_extensions import ReadOnly, TypedDict

from ._asgi_common import ASGIVersions, Extensions, Headers

__all__ = (
    "WebSocketAcceptEvent",
    "WebSocketCloseEvent",
    "WebSocketConnectEvent",
    "WebSocketDisconnectEvent",
    "WebSocketReceiveBytesEvent",
    "WebSocketReceiveEvent",
    "WebSocketReceiveMessageEvent",
    "WebSocketReceiveTextEvent",
    "WebSocketResponseBodyEvent",
    "WebSocketResponseStartEvent",
    "WebSocketScope",
    "WebSocketSendBytesEvent",
    "WebSocketSendEvent",
    "WebSocketSendMessageEvent",
    "WebSocketSendTextEvent",
)


class WebSocketScope(TypedDict):
    """One WebSocket connection.  There is no ``method``.

    Keys that are not required may be missing.  ``http_version`` then is "1.1",
    ``scheme`` is "ws", ``query_string`` is b"", ``root_path`` is "",
    ``subprotocols`` is empty, ``raw_path``, ``client`` and ``server`` are None
    (which servers also send), ``state`` and ``extensions`` mean no such support.
    Source: specs/www.rst:291-358.
    """

    type: ReadOnly[Literal["websocket"]]
    asgi: ReadOnly[ASGIVersions]
    http_version: NotRequired[ReadOnly[Literal["1.1", "2"]]]
    scheme: NotRequired[ReadOnly[str]]
    path: ReadOnly[str]
    raw_path: NotRequired[ReadOnly[bytes | None]]
    query_string: NotRequired[ReadOnly[bytes | None]]
    root_path: NotRequired[ReadOnly[str]]
    headers: ReadOnly[Headers]
    client: NotRequired[ReadOnly[tuple[str, int] | list[str | int] | None]]
    server: NotRequired[
        ReadOnly[tuple[str, int | None] | list[str | int | None] | None]
    ]
    subprotocols: NotRequired[ReadOnly[Iterable[str]]]
    state: NotRequired[ReadOnly[dict[str, Any]]]
    extensions: NotRequired[ReadOnly[Extensions]]


class WebSocketConnectEvent(TypedDict):
    """Server to application: a client wants to connect; accept, close or deny.

    Source: specs/www.rst:360-375.
    """

    type: ReadOnly[Literal["websocket.connect"]]


class WebSocketAcceptEvent(TypedDict):
    """Application to server: the connection is accepted.

    ``headers`` (2.1) must not contain ``sec-websocket-protocol``: that is what
    ``subprotocol`` is for.
    Source: specs/www.rst:378-396.
    """

    type: Literal["websocket.accept"]
    subprotocol: NotRequired[str | None]
    headers: NotRequired[Headers]


class WebSocketReceiveTextEvent(TypedDict):
    """Server to application: a text message.

    Source: specs/www.rst:399-417.
    """

    type: ReadOnly[Literal["websocket.receive"]]
    bytes: NotRequired[ReadOnly[None]]
    text: ReadOnly[str]


class WebSocketReceiveBytesEvent(TypedDict):
    """Server to application: a binary message.

    Source: specs/www.rst:399-417.
    """

    type: ReadOnly[Literal["websocket.receive"]]
    bytes: ReadOnly[bytes]
    text: NotRequired[ReadOnly[None]]


WebSocketReceiveMessageEvent = WebSocketReceiveTextEvent | WebSocketReceiveBytesEvent
"""Server to application: a message, exactly one of text and bytes.

``asgibridge.adapters.message_data`` returns the one that is there.
"""


class WebSocketSendTextEvent(TypedDict):
    """Application to server: a text message.

    Source: specs/www.rst:420-436.
    """

    type: Literal["websocket.send"]
    bytes: NotRequired[None]
    text: str


class WebSocketSendBytesEvent(TypedDict):
    """Application to server: a binary message.

    Source: specs/www.rst:420-436.
    """

    type: Literal["websocket.send"]
    bytes: bytes
    text: NotRequired[None]


WebSocketSendMessageEvent = WebSocketSendTextEvent | WebSocketSendBytesEvent
"""Application to server: a message, exactly one of text and bytes."""


class WebSocketDisconnectEvent(TypedDict):
    """Server to application: the connection is closed, whoever closed it.

    ``code`` is 1005 if the peer sent none; ``reason`` (2.5) is "" if missing.
    Source: specs/www.rst:441-463.
    """

    type: ReadOnly[Literal["websocket.disconnect"]]
    code: ReadOnly[int]
    reason: NotRequired[ReadOnly[str | None]]


class WebSocketCloseEvent(TypedDict):
    """Application to server: close; before the accept, refuse with HTTP 403.

    A missing ``code`` means 1000, a missing ``reason`` (2.3) means "".
    Source: specs/www.rst:481-501.
    """

    type: Literal["websocket.close"]
    code: NotRequired[int]
    reason: NotRequired[str | None]


class WebSocketResponseStartEvent(TypedDict):
    """Application to server: refuse the handshake with a response of one's own.

    Needs the extension ``websocket.http.response``; otherwise like
    `HTTPResponseStartEvent`, but trailers cannot follow.
    Source: docs/extensions.rst:9-41.
    """

    type: Literal["websocket.http.response.start"]
    status: int
    headers: NotRequired[Headers]
    trailers: NotRequired[bool]


class WebSocketResponseBodyEvent(TypedDict):
    """Application to server: a part of the body of that response.

    Source: docs/extensions.rst:9-41.
    """

    type: Literal["websocket.http.response.body"]
    body: NotRequired[bytes]
    more_body: NotRequired[bool]


WebSocketReceiveEvent = (
    WebSocketConnectEvent
    | WebSocketReceiveTextEvent
    | WebSocketReceiveBytesEvent
    | WebSocketDisconnectEvent
)
"""What a WebSocket application may get from ``receive()``."""

WebSocketSendEvent = (
    WebSocketAcceptEvent
    | WebSocketSendTextEvent
    | WebSocketSendBytesEvent
    | WebSocketCloseEvent
    | WebSocketResponseStartEvent
    | WebSocketResponseBodyEvent
)
"""What a WebSocket application may hand to ``send()``."""
