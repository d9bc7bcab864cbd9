"""A small web framework that embeds asgibridge.

Each application object owns a bridge, made of the executors that its author
chose.  There is nothing global: two applications in one process share no
thread unless they are given the same executor.  Views may be blocking or
async; the framework asks which, and the bridge does the rest.

The bridge lives as long as the application does: from the server's startup
event to its shutdown event.
"""

import inspect
from collections.abc import Awaitable, Callable
from typing import final

import attrs

from asgibridge import Bridge
from asgibridge.adapters import http_app, lifespan_app
from asgibridge.types import (
    ASGIApp,
    BlockingExecutor,
    HTTPReceive,
    HTTPScope,
    HTTPSend,
    LifespanReceive,
    LifespanScope,
    LifespanSend,
    Receive,
    Scope,
    Send,
)

__all__ = ("Application", "AsyncView")

AsyncView = Callable[[], Awaitable[str]]


@final
@attrs.define(eq=False)
class Application:
    """An application: views by path, and a bridge of its own.

    Args:
        name: Of the application, and of its bridge's threads.
        executor: Runs blocking views.  Who made it closes it.  None takes the
            bridge's own thread, which ends with the application.
    """

    name: str
    executor: BlockingExecutor | None = attrs.field(default=None, kw_only=True)
    bridge: Bridge = attrs.field(init=False)
    _views: dict[str, AsyncView] = attrs.field(factory=dict[str, AsyncView], init=False)

    _protocols: dict[str, ASGIApp] = attrs.field(init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        # Making a bridge starts nothing, so this may be at the top of a module.
        self.bridge = Bridge(name=self.name, thread_sensitive=self.executor)
        self._protocols = {
            "http": http_app(self._http),
            "lifespan": lifespan_app(self._lifespan),
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Be an ASGI application, of HTTP and lifespan."""
        protocol = self._protocols.get(scope["type"])
        if protocol is None:
            msg = f"{self.name} does not speak {scope['type']}"
            raise ValueError(msg)
        await protocol(scope, receive, send)

    def view(self, path: str, view: Callable[[], str]) -> None:
        """Serve *path* with a blocking view."""
        self._views[path] = self.bridge.sync_to_async(view)

    def async_view(self, path: str, view: AsyncView) -> None:
        """Serve *path* with an async view."""
        if not inspect.iscoroutinefunction(view):
            msg = f"{view!r} is not async; use view()"
            raise TypeError(msg)
        self._views[path] = view

    async def _http(
        self, scope: HTTPScope, _receive: HTTPReceive, send: HTTPSend
    ) -> None:
        """Answer one request."""
        view = self._views.get(scope["path"])
        status, text = (404, "not found") if view is None else (200, await view())
        body = text.encode()
        headers = [(b"content-length", str(len(body)).encode())]
        await send(
            {"type": "http.response.start", "status": status, "headers": headers}
        )
        await send({"type": "http.response.body", "body": body})

    async def _lifespan(
        self, _scope: LifespanScope, receive: LifespanReceive, send: LifespanSend
    ) -> None:
        """Close the bridge when the server stops."""
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        self.bridge.close()
        await send({"type": "lifespan.shutdown.complete"})
