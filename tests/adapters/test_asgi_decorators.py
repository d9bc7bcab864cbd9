"""The decorators between strict and boundary types."""

import asyncio
import inspect
from typing import Any, Final, cast

import pytest

from asgibridge.adapters import (
    asgi_app,
    asgi_method,
    http_app,
    lifespan_app,
    websocket_app,
)
from asgibridge.errors import UnsupportedScopeError
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
    WebSocketReceive,
    WebSocketScope,
    WebSocketSend,
)

called: Final[list[object]] = []


@http_app
async def http(scope: HTTPScope, receive: HTTPReceive, send: HTTPSend) -> None:
    """Answer requests."""
    called.extend([scope, receive, send])


@websocket_app
async def websocket(
    scope: WebSocketScope, receive: WebSocketReceive, send: WebSocketSend
) -> None:
    """Answer WebSockets."""
    called.extend([scope, receive, send])


@lifespan_app
async def lifespan(
    scope: LifespanScope, receive: LifespanReceive, send: LifespanSend
) -> None:
    """Answer lifespans."""
    called.extend([scope, receive, send])


def run(app: ASGIApp, *arguments: object) -> None:
    """Call *app* with what nobody checks."""
    asyncio.run(cast("Any", app(*arguments)))


APPS: Final = {"http": http, "websocket": websocket, "lifespan": lifespan}


@pytest.mark.parametrize("kind", APPS)
def test_own_scope_type_is_handled(kind: str) -> None:
    """The application gets the same three objects."""
    called.clear()
    scope, receive, send = {"type": kind}, object(), object()
    run(APPS[kind], scope, receive, send)
    assert called == [scope, receive, send]
    assert called[0] is scope


@pytest.mark.parametrize("kind", APPS)
@pytest.mark.parametrize("scope", [{"type": "mine"}, {}, None, [("type", "http")]])
def test_other_scope_types_are_refused(kind: str, scope: object) -> None:
    """The specification asks for an exception; the message says for what."""
    called.clear()
    with pytest.raises(UnsupportedScopeError, match=f"{kind} scopes only, not "):
        run(APPS[kind], scope, None, None)
    assert called == []


@pytest.mark.parametrize("kind", APPS)
def test_result_looks_like_the_function(kind: str) -> None:
    """Servers ask whether it is a coroutine function; people read its name."""
    app = APPS[kind]
    assert inspect.iscoroutinefunction(app)
    assert app.__name__ == kind
    assert (app.__doc__ or "").startswith("Answer ")


def test_objects_without_a_name_can_be_decorated() -> None:
    """An instance with `__call__` is an application, too."""

    class App:
        async def __call__(
            self, scope: HTTPScope, receive: HTTPReceive, send: HTTPSend, /
        ) -> None:
            called.append(self)

    called.clear()
    app = App()
    run(http_app(app), {"type": "http"}, None, None)
    assert called == [app]


def test_general_decorators_return_what_they_get() -> None:
    """They are for type checkers only."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        raise NotImplementedError

    async def method(self: object, scope: Scope, receive: Receive, send: Send) -> None:
        raise NotImplementedError

    assert asgi_app(app) is app
    assert asgi_method(method) is method
