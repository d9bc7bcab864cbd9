"""Strict applications, decorators, narrowing: what is accepted and what is not."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, assert_never, assert_type

from asgibridge.adapters import (
    ASGIValidator,
    ScopeKey,
    asgi_app,
    asgi_method,
    http_app,
    is_bytes_message,
    is_text_message,
    lifespan_app,
    message_data,
    offered_extension,
    websocket_app,
)
from asgibridge.types import (
    ASGIApp,
    HTTPReceive,
    HTTPScope,
    HTTPSend,
    LifespanReceive,
    LifespanScope,
    LifespanSend,
    Receive,
    Scope,
    Send,
    TLSExtension,
    WebSocketReceive,
    WebSocketReceiveBytesEvent,
    WebSocketReceiveTextEvent,
    WebSocketScope,
    WebSocketSend,
)


def takes_app(app: ASGIApp) -> None:
    """Take an application at a boundary."""


@asgi_app
async def everything(scope: Scope, receive: Receive, send: Send) -> None:
    """Narrow by type, exhaustively."""
    if scope["type"] == "http":
        assert_type(scope["method"], str)
        await send({"type": "http.response.start", "status": 200})
    elif scope["type"] == "websocket":
        assert_type(scope.get("query_string"), bytes | None)
        scope["method"]  # type: ignore[typeddict-item]  # pyright: ignore[reportGeneralTypeIssues] - a request has one
        await send({"type": "websocket.accept"})
    elif scope["type"] == "lifespan":
        await send({"type": "lifespan.startup.complete"})
    else:
        assert_never(scope)
    event = await receive()
    if event["type"] == "http.request":
        assert_type(event.get("body", b""), bytes)
    scope["type"] = "http"  # type: ignore[typeddict-readonly-mutated, arg-type]  # pyright: ignore[reportGeneralTypeIssues, reportTypedDictNotRequiredAccess] - readers read


assert_type(everything, Callable[[Any, Any, Any], Awaitable[None]])
takes_app(everything)
takes_app(ASGIValidator(everything))


@http_app
async def http(scope: HTTPScope, receive: HTTPReceive, send: HTTPSend) -> None:
    """Send what belongs to HTTP, and what does not."""
    for name, value in scope["headers"]:
        assert_type(name, bytes)
        assert_type(value, bytes)
    event = await receive()
    if event["type"] == "http.disconnect":
        return
    assert_type(event.get("more_body", False), bool)
    await send(
        {"type": "http.response.start", "status": 200, "headers": [(b"a", b"b")]}
    )
    await send({"type": "websocket.close"})  # type: ignore[typeddict-item]  # pyright: ignore[reportArgumentType]
    await send({"type": "lifespan.startup.complete"})  # type: ignore[typeddict-item]  # pyright: ignore[reportArgumentType]


@websocket_app
async def websocket(
    scope: WebSocketScope, receive: WebSocketReceive, send: WebSocketSend
) -> None:
    """Send what belongs to WebSockets, and what does not."""
    event = await receive()
    if event["type"] == "websocket.receive":
        assert_type(message_data(event), str | bytes)
        if is_text_message(event):
            assert_type(event, WebSocketReceiveTextEvent)
            await send({"type": "websocket.send", "text": event["text"]})
        elif is_bytes_message(event):
            assert_type(event, WebSocketReceiveBytesEvent)
            await send({"type": "websocket.send", "bytes": event["bytes"]})
    await send({"type": "http.response.body"})  # type: ignore[misc, arg-type]  # pyright: ignore[reportArgumentType]


@lifespan_app
async def lifespan(
    scope: LifespanScope, receive: LifespanReceive, send: LifespanSend
) -> None:
    """Send what belongs to the lifespan, and what does not."""
    assert_type(scope.get("state"), dict[str, Any] | None)
    await receive()
    await send({"type": "lifespan.startup.complete"})
    await send({"type": "websocket.accept"})  # type: ignore[misc, arg-type]  # pyright: ignore[reportArgumentType]


takes_app(http)
takes_app(websocket)
takes_app(lifespan)


@http_app  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
async def not_http(
    scope: WebSocketScope, receive: WebSocketReceive, send: WebSocketSend
) -> None:
    """Be of another protocol than the decorator says."""


@asgi_app  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
async def too_few(scope: Scope, receive: Receive) -> None:
    """Lack a parameter."""


class Application:
    """An application with state, as a class."""

    def __init__(self, app: ASGIApp) -> None:
        """Wrap *app*."""
        self.app = app

    @asgi_method
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass everything on."""
        await self.app(scope, receive, send)


takes_app(Application(http))


class User:
    """Somebody."""


USER = ScopeKey[User]("user")


def keys_of_frameworks(scope: HTTPScope) -> None:
    """Keys that are not in the specification have types."""
    assert_type(USER.of(scope), User)
    assert_type(USER.get(scope), User | None)
    assert_type(USER.get(scope, 1), User | int)
    assert_type(USER.added_to(scope, User()), HTTPScope)
    USER.added_to(scope, "user")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    assert_type(offered_extension(scope, "tls"), TLSExtension | None)
    assert_type(offered_extension(scope, "mine"), Mapping[str, Any] | None)
