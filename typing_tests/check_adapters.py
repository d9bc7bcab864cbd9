"""What adapters accept and return, and what they refuse."""

from collections.abc import Awaitable, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, assert_type
from wsgiref.types import StartResponse, WSGIApplication

from asgibridge.adapters import (
    Asgi2ToAsgi3,
    AsgiToWsgi,
    WsgiLimits,
    WsgiToAsgi,
    is_asgi2,
)
from asgibridge.bridge import Bridge
from asgibridge.executors import WorkerPool

bridge = Bridge()


def wsgi(environ: dict[str, Any], start_response: StartResponse, /) -> Iterable[bytes]:
    start_response("200 OK", [])
    return [b""]


Event = dict[str, Any]
Receive = Callable[[], Awaitable[Event]]
Send = Callable[[Event], Awaitable[None]]


async def asgi(scope: Event, receive: Receive, send: Send) -> None:
    await send(await receive())


def asgi2(scope: Event) -> Callable[[Receive, Send], Awaitable[None]]:
    async def instance(receive: Receive, send: Send) -> None:
        await asgi(scope, receive, send)

    return instance


async def of_two(scope: Event, receive: Receive) -> None: ...


adapter = WsgiToAsgi(wsgi, bridge=bridge)
assert_type(adapter.limits, WsgiLimits)
assert_type(adapter.app, WSGIApplication)
WsgiToAsgi(wsgi, bridge=bridge, executor=ThreadPoolExecutor())
WsgiToAsgi(wsgi, bridge=bridge, executor=WorkerPool(), underscores="keep")

# Each is what the other takes.
back = AsgiToWsgi(adapter, bridge=bridge)
WsgiToAsgi(back, bridge=bridge)
AsgiToWsgi(asgi, bridge=bridge, timeout=1.5, lifespan="off")
AsgiToWsgi(Asgi2ToAsgi3(asgi2), bridge=bridge)
assert_type(is_asgi2(asgi2), bool)

WsgiToAsgi(wsgi)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue] # no bridge
WsgiToAsgi(asgi, bridge=bridge)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType] # not WSGI
AsgiToWsgi(wsgi, bridge=bridge)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType] # not ASGI
AsgiToWsgi(of_two, bridge=bridge)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType] # one short
WsgiToAsgi(wsgi, bridge=bridge, underscores="drp")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType] # a slip
