"""Both applications under one address."""

import asyncio
from collections.abc import Generator
from contextlib import contextmanager
from typing import Final, cast, final

import attrs

from ...adapters import WsgiToAsgi
from ...bridge import Bridge
from ...types import (
    ASGIApp,
    HTTPReceive,
    HTTPScope,
    HTTPSend,
    LifespanReceive,
    LifespanSend,
    Receive,
    Scope,
    Send,
)
from ._gates import Gates
from ._http import respond
from ._notes import Notes, NoteStore
from ._shop import make_flask_application
from ._trace import Trace

__all__ = ("REQUEST_HEADER", "Site", "open_site")

REQUEST_HEADER: Final = "x-demo-request"
"""Carries the number under which the `Trace` keeps a request."""

_FLASK_ROOT: Final = "/flask"

_INDEX: Final = """<!doctype html><html lang="en"><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark"><link rel="icon" href="data:,">
<title>asgibridge demo</title>
<h1>asgibridge demo</h1>
<p>A Flask application through <code>WsgiToAsgi</code>:
<ul>
<li><a href="/flask/hello?name=you">/flask/hello?name=you</a>
<li><a href="/flask/async?n=21">/flask/async?n=21</a>
<li><a href="/flask/download">/flask/download</a> (8 MiB)
</ul>
<p>An async application with its notes in sqlite3:
<ul>
<li><a href="/notes">/notes</a> (a POST adds one)
<li><a href="/notes/slow">/notes/slow</a>
</ul>
<p><a href="/timeline/">Every call, live</a>
"""


@final
@attrs.define(eq=False)
class Site:
    """An ASGI application that hands requests to two others.

    Args:
        flask: Serves everything below ``/flask``.
        notes: Serves the rest, but for the index page.
        trace: Told which request is which.
    """

    _flask: ASGIApp = attrs.field(alias="flask")
    _notes: Notes = attrs.field(alias="notes")
    _trace: Trace = attrs.field(alias="trace")

    loop: int | None = attrs.field(default=None, init=False)
    """``id()`` of the server's loop, once started."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection, or the lifespan."""
        # The checkers cannot narrow receive and send together with the scope.
        if scope["type"] == "lifespan":
            await self._live(
                cast("LifespanReceive", receive), cast("LifespanSend", send)
            )
        elif scope["type"] == "http":
            await self._serve(
                scope, cast("HTTPReceive", receive), cast("HTTPSend", send)
            )
        else:
            await send({"type": "websocket.close"})

    async def _live(self, receive: LifespanReceive, send: LifespanSend) -> None:
        await receive()
        self.loop = id(asyncio.get_running_loop())
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self._notes.close()
        await send({"type": "lifespan.shutdown.complete"})

    async def _serve(
        self, scope: HTTPScope, receive: HTTPReceive, send: HTTPSend
    ) -> None:
        self._trace.begin(_request_number(scope))
        if scope["path"] == "/":
            await respond(send, 200, _INDEX, content_type="text/html")
        elif scope["path"].startswith(f"{_FLASK_ROOT}/"):
            self._trace.mark("WsgiToAsgi")
            mounted: HTTPScope = {**scope, "root_path": _FLASK_ROOT}
            await self._flask(mounted, receive, send)
        else:
            await self._notes(scope, receive, send)


@contextmanager
def open_site(bridge: Bridge, trace: Trace, gates: Gates) -> Generator[Site]:
    """Put the demonstration together on *bridge*, which it does not close."""
    flask = make_flask_application(bridge, trace, gates)

    async def describe(count: int) -> str:
        trace.mark("coroutine")
        await asyncio.sleep(0)
        return f"{count} kept"

    store = NoteStore(trace, gates, describe=bridge.async_to_sync(describe))
    with WsgiToAsgi(flask, bridge=bridge) as adapter:
        yield Site(
            flask=adapter,
            notes=Notes(bridge=bridge, store=store, trace=trace),
            trace=trace,
        )


def _request_number(scope: HTTPScope) -> str | None:
    for name, value in scope["headers"]:
        if name == REQUEST_HEADER.encode():
            return value.decode("latin-1")
    return None
