"""The scopes an application is checked with."""

from typing import Any, Final

__all__ = (
    "HTTP_EXTENSIONS",
    "SOCKET_EXTENSIONS",
    "http_scope",
    "lifespan_scope",
    "unknown_scope",
    "websocket_scope",
)

HTTP_EXTENSIONS: Final = (
    "http.response.debug",
    "http.response.early_hint",
    "http.response.pathsend",
    "http.response.push",
    "http.response.trailers",
    "http.response.zerocopysend",
)
SOCKET_EXTENSIONS: Final = ("websocket.http.response",)

_HEADERS: Final = (
    (b"host", b"testserver"),
    (b"user-agent", b"asgibridge-check"),
    (b"accept", b"*/*"),
)


def _connection(
    kind: str, path: str, extensions: tuple[str, ...], state: dict[str, Any] | None
) -> dict[str, Any]:
    scope: dict[str, Any] = {
        "type": kind,
        "asgi": {"version": "3.0", "spec_version": "2.5"},
        "http_version": "1.1",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "client": ("127.0.0.1", 50000),
        "server": ("testserver", 80),
        "extensions": {name: {} for name in extensions},
    }
    if state is not None:
        # Shallow: what the specification asks of servers.
        scope["state"] = dict(state)
    return scope


def http_scope(
    method: str,
    path: str,
    *,
    body_bytes: int = 0,
    extensions: tuple[str, ...] = (),
    state: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Return the scope of a request."""
    headers = list(_HEADERS)
    if body_bytes:
        headers.append((b"content-type", b"application/octet-stream"))
        headers.append((b"content-length", str(body_bytes).encode()))
    return _connection("http", path, extensions, state) | {
        "method": method,
        "scheme": "http",
        "headers": headers,
    }


def websocket_scope(
    path: str,
    *,
    extensions: tuple[str, ...] = (),
    state: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Return the scope of a WebSocket."""
    return _connection("websocket", path, extensions, state) | {
        "scheme": "ws",
        "headers": list(_HEADERS),
        "subprotocols": ["chat"],
    }


def lifespan_scope(state: dict[str, Any]) -> dict[str, Any]:
    """Return the scope of a lifespan; the application fills *state*."""
    return {
        "type": "lifespan",
        "asgi": {"version": "3.0", "spec_version": "2.0"},
        "state": state,
    }


def unknown_scope() -> dict[str, Any]:
    """Return a scope of a type that nobody handles."""
    return {"type": "asgibridge.unknown", "asgi": {"version": "3.0"}}
