"""From strictly typed applications to applications that everybody takes.

Frameworks and servers type ASGI each in their own way, and no two ways agree.
An application decorated here is checked against `asgibridge.types` inside, and
is an `ASGIApp` outside.
"""

import functools
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, cast

from ..errors import UnsupportedScopeError
from ..types import (
    ASGIApp,
    ASGIApplication,
    HTTPApplication,
    HTTPReceive,
    HTTPScope,
    HTTPSend,
    LifespanApplication,
    LifespanReceive,
    LifespanScope,
    LifespanSend,
    Receive,
    Scope,
    Send,
    WebSocketApplication,
    WebSocketReceive,
    WebSocketScope,
    WebSocketSend,
)

__all__ = ("asgi_app", "asgi_method", "http_app", "lifespan_app", "websocket_app")

Self = TypeVar("Self")
AnyMethod = Callable[[Self, Any, Any, Any], Awaitable[None]]


def asgi_app(app: ASGIApplication, /) -> ASGIApp:
    """Type-check *app* as an application of every protocol; return it as it is.

    It raises on its own for scope types it does not handle.
    """
    return app


def asgi_method(
    method: Callable[[Self, Scope, Receive, Send], Awaitable[None]], /
) -> AnyMethod[Self]:
    """Type-check a method, mostly `__call__`, as an application; return it as it is."""
    return method


def _type_of(scope: object) -> object:
    # Servers call with whatever they like, types notwithstanding.
    if not isinstance(scope, dict):
        return None
    return cast("dict[object, object]", scope).get("type")


def _refuse(app: object, wanted: str, scope: object) -> UnsupportedScopeError:
    msg = f"{app!r} handles {wanted} scopes only, not {_type_of(scope)!r}"
    return UnsupportedScopeError(msg)


def http_app(app: HTTPApplication, /) -> ASGIApp:
    """Make an application of *app* that handles HTTP requests only.

    Raises:
        UnsupportedScopeError: From the application, for other scope types, as the
            specification asks for (specs/asgi.rst:242-248).
    """

    async def only_http(scope: HTTPScope, receive: HTTPReceive, send: HTTPSend) -> None:
        if _type_of(scope) != "http":
            raise _refuse(app, "http", scope)
        await app(scope, receive, send)

    return functools.update_wrapper(only_http, app)


def websocket_app(app: WebSocketApplication, /) -> ASGIApp:
    """Make an application of *app* that handles WebSockets only.

    Raises:
        UnsupportedScopeError: From the application, for other scope types.
    """

    async def only_websocket(
        scope: WebSocketScope, receive: WebSocketReceive, send: WebSocketSend
    ) -> None:
        if _type_of(scope) != "websocket":
            raise _refuse(app, "websocket", scope)
        await app(scope, receive, send)

    return functools.update_wrapper(only_websocket, app)


def lifespan_app(app: LifespanApplication, /) -> ASGIApp:
    """Make an application of *app* that handles the lifespan only.

    Raises:
        UnsupportedScopeError: From the application, for other scope types.
    """

    async def only_lifespan(
        scope: LifespanScope, receive: LifespanReceive, send: LifespanSend
    ) -> None:
        if _type_of(scope) != "lifespan":
            raise _refuse(app, "lifespan", scope)
        await app(scope, receive, send)

    return functools.update_wrapper(only_lifespan, app)
