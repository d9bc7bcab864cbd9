"""Complete scopes from the few things that a test is about."""

from collections.abc import Iterable
from typing import Any, Literal
from urllib.parse import quote

from ..types import (
    ASGIVersions,
    Extensions,
    Headers,
    HTTPScope,
    LifespanScope,
    WebSocketScope,
)

__all__ = ("http_scope", "lifespan_scope", "websocket_scope")


def http_scope(
    path: str = "/",
    *,
    method: str = "GET",
    query_string: bytes = b"",
    headers: Headers = (),
    http_version: Literal["1.0", "1.1", "2", "3"] = "1.1",
    scheme: str = "http",
    root_path: str = "",
    state: dict[str, Any] | None = None,
    extensions: Extensions | None = None,
    spec_version: str = "2.5",
) -> HTTPScope:
    """Return the scope of an HTTP request, as a server would make it.

    Args:
        path: Decoded, and with the root path.
        method: In upper case.
        query_string: Not decoded, without the question mark.
        headers: Pairs of bytes, the names in lower case.
        http_version: Of the request.
        scheme: ``http`` or ``https``.
        root_path: Where the application is mounted.
        state: What the lifespan left; None for a server without lifespan state.
        extensions: What the server offers; None for nothing.
        spec_version: Of ASGI's HTTP protocol.
    """
    scope: HTTPScope = {
        "type": "http",
        "asgi": _versions(spec_version),
        "http_version": http_version,
        "method": method,
        "scheme": scheme,
        "path": path,
        "raw_path": quote(path).encode("ascii"),
        "query_string": query_string,
        "root_path": root_path,
        "headers": _copy(headers),
        "client": ("127.0.0.1", 50000),
        "server": ("testserver", 80),
    }
    if state is not None:
        scope = {**scope, "state": state}
    if extensions is not None:
        scope = {**scope, "extensions": extensions}
    return scope


def websocket_scope(
    path: str = "/",
    *,
    query_string: bytes = b"",
    headers: Headers = (),
    subprotocols: Iterable[str] = (),
    http_version: Literal["1.1", "2"] = "1.1",
    scheme: str = "ws",
    root_path: str = "",
    state: dict[str, Any] | None = None,
    extensions: Extensions | None = None,
    spec_version: str = "2.5",
) -> WebSocketScope:
    """Return the scope of a WebSocket, as a server would make it.

    Args:
        path: Decoded, and with the root path.
        query_string: Not decoded, without the question mark.
        headers: Pairs of bytes, the names in lower case.
        subprotocols: What the client offers.
        http_version: Of the request that opens it.
        scheme: ``ws`` or ``wss``.
        root_path: Where the application is mounted.
        state: What the lifespan left; None for a server without lifespan state.
        extensions: What the server offers; None for nothing.
        spec_version: Of ASGI's WebSocket protocol.
    """
    scope: WebSocketScope = {
        "type": "websocket",
        "asgi": _versions(spec_version),
        "http_version": http_version,
        "scheme": scheme,
        "path": path,
        "raw_path": quote(path).encode("ascii"),
        "query_string": query_string,
        "root_path": root_path,
        "headers": _copy(headers),
        "client": ("127.0.0.1", 50000),
        "server": ("testserver", 80),
        "subprotocols": list(subprotocols),
    }
    if state is not None:
        scope = {**scope, "state": state}
    if extensions is not None:
        scope = {**scope, "extensions": extensions}
    return scope


def lifespan_scope(*, state: dict[str, Any] | None = None) -> LifespanScope:
    """Return the scope of a lifespan.

    Args:
        state: For the application to fill; None for a server without it.
    """
    scope: LifespanScope = {"type": "lifespan", "asgi": _versions("2.0")}
    return scope if state is None else {**scope, "state": state}


def _versions(spec_version: str) -> ASGIVersions:
    return {"version": "3.0", "spec_version": spec_version}


def _copy(headers: Headers) -> Headers:
    return [(bytes(name), bytes(value)) for name, value in headers]
