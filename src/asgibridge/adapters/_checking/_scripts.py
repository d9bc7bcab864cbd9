"""The conversations an application is checked with."""

from collections.abc import Callable
from typing import Any, Final, final

import attrs

from ._peers import HTTPPeer, Peer, SilentPeer, SocketPeer
from ._scopes import (
    HTTP_EXTENSIONS,
    SOCKET_EXTENSIONS,
    http_scope,
    unknown_scope,
    websocket_scope,
)

__all__ = ("Script", "scripts")

Event = dict[str, Any]
State = dict[str, Any] | None


@final
@attrs.frozen
class Script:
    """One conversation.

    Args:
        name: What reports call it.
        text: What happens in it.
        scope: Makes the scope, from a copy of the state of the lifespan.
        peer: Makes the server's side.
        must_raise: Whether the application has to refuse the scope.
    """

    name: str
    text: str
    scope: Callable[[State], dict[str, Any]]
    peer: Callable[[], Peer]
    must_raise: bool = False


_CHUNKS: Final = (b"first ", b"second ", b"third")


def _chunks(count: int, *, complete: bool) -> list[Event]:
    chunks = _CHUNKS[:count]
    return [
        {
            "type": "http.request",
            "body": chunk,
            "more_body": not complete or number < count,
        }
        for number, chunk in enumerate(chunks, 1)
    ]


def _empty() -> list[Event]:
    return [{"type": "http.request", "body": b"", "more_body": False}]


def _request(
    method: str, path: str, size: int = 0, extensions: tuple[str, ...] = ()
) -> Callable[[State], dict[str, Any]]:
    def make(state: State) -> dict[str, Any]:
        return http_scope(
            method, path, body_bytes=size, extensions=extensions, state=state
        )

    return make


def _socket(
    path: str, extensions: tuple[str, ...] = ()
) -> Callable[[State], dict[str, Any]]:
    def make(state: State) -> dict[str, Any]:
        return websocket_scope(path, extensions=extensions, state=state)

    return make


def _messages() -> list[Event]:
    return [
        {"type": "websocket.receive", "text": "hello"},
        {"type": "websocket.receive", "bytes": b"hello"},
        {"type": "websocket.receive", "text": ""},
    ]


def _http(path: str) -> tuple[Script, ...]:
    size = sum(map(len, _CHUNKS))
    get, post = _request("GET", path), _request("POST", path, size)
    rich = _request("GET", path, 0, HTTP_EXTENSIONS)
    whole: Event = {"type": "http.request", "body": b"".join(_CHUNKS)}
    return (
        Script("http-get", "a request without body", get, lambda: HTTPPeer(_empty())),
        Script(
            "http-get-bare",
            "the same, all optional keys of the event left out",
            get,
            lambda: HTTPPeer([{"type": "http.request"}]),
        ),
        Script(
            "http-get-extensions",
            "the same, all extensions offered",
            rich,
            lambda: HTTPPeer(_empty()),
        ),
        Script(
            "http-head",
            "a HEAD request",
            _request("HEAD", path),
            lambda: HTTPPeer(_empty()),
        ),
        Script(
            "http-post", "a body in one piece", post, lambda: HTTPPeer([dict(whole)])
        ),
        Script(
            "http-post-streamed",
            "a body in three pieces",
            post,
            lambda: HTTPPeer(_chunks(3, complete=True)),
        ),
    )


def _disconnects(path: str) -> tuple[Script, ...]:
    size = sum(map(len, _CHUNKS))
    get, post = _request("GET", path), _request("POST", path, size)
    return (
        Script(
            "http-disconnect-at-once",
            "the client leaves before its body arrives",
            post,
            lambda: HTTPPeer([], leaves=True),
        ),
        Script(
            "http-disconnect-in-body",
            "the client leaves in the middle of its body",
            post,
            lambda: HTTPPeer(_chunks(1, complete=False), leaves=True),
        ),
        Script(
            "http-disconnect-after-body",
            "the client leaves when its body is received",
            post,
            lambda: HTTPPeer(_chunks(3, complete=True), leaves=True),
        ),
        Script(
            "http-disconnect-before-start",
            "the client leaves before the response starts",
            get,
            lambda: HTTPPeer(_empty(), gone_after=0),
        ),
        Script(
            "http-disconnect-after-start",
            "the client leaves when the response has started",
            get,
            lambda: HTTPPeer(_empty(), gone_after=1),
        ),
    )


def _sockets(path: str) -> tuple[Script, ...]:
    plain, rich = _socket(path), _socket(path, SOCKET_EXTENSIONS)
    return (
        Script(
            "websocket-connect",
            "a client connects and closes",
            plain,
            lambda: SocketPeer([]),
        ),
        Script(
            "websocket-messages",
            "a client sends text and bytes, then closes",
            plain,
            lambda: SocketPeer(_messages()),
        ),
        Script(
            "websocket-denial-offered",
            "the same, and the application may refuse with a response",
            rich,
            lambda: SocketPeer(_messages()),
        ),
        Script(
            "websocket-lost",
            "the connection is lost after a message",
            plain,
            lambda: SocketPeer(_messages()[:1], code=1006),
        ),
        Script(
            "websocket-disconnect-in-handshake",
            "the client leaves before it is answered",
            plain,
            lambda: SocketPeer([], vanishes=True),
        ),
    )


def scripts(path: str = "/") -> tuple[Script, ...]:
    """Return all conversations but the lifespan, for the path *path*."""
    unknown = Script(
        "unknown-scope",
        "a scope type that nobody handles: to be refused with an exception",
        lambda _state: unknown_scope(),
        SilentPeer,
        must_raise=True,
    )
    return (*_http(path), *_disconnects(path), *_sockets(path), unknown)
