"""The live timeline, as an ASGI application."""

import json
import time
from collections.abc import Sequence
from typing import Any, Final, final
from urllib.parse import parse_qs

import attrs

from .._options import matching
from ..errors import UnsupportedScopeError
from ..types import ASGIApp, HTTPReceive, HTTPScope, HTTPSend
from ._html import data_of, html_of
from ._timeline import TimelineObserver

__all__ = ("TimelineAction", "TimelinePage")

_HTML: Final = b"text/html; charset=utf-8"
_JSON: Final = b"application/json"
_TEXT: Final = b"text/plain; charset=utf-8"


@final
@attrs.frozen
class TimelineAction:
    """A request that the page offers to fire.

    Args:
        label: On the button.
        path: Where the request goes.
        about: What is to be seen then, in a few words.
        method: Of the request.
    """

    label: str
    path: str
    about: str = ""
    method: str = attrs.field(default="GET", kw_only=True)


@final
@attrs.frozen(eq=False)
class TimelinePage:
    """An ASGI application that shows what a `TimelineObserver` records, live.

    Around another application it answers below its own path and leaves the rest
    to that one::

        timeline = TimelineObserver()
        app = WsgiToAsgi(flask_app, bridge=Bridge(observers=[timeline]))
        app = TimelinePage(timeline, app, actions=[TimelineAction("Load", "/load")])

    It shows functions' names and messages of exceptions to whoever asks: it is
    made for development.  Thread-safe; runs on any loop, and owns nothing.

    Args:
        timeline: What it shows.
        app: What answers all other paths, and other protocols; None refuses
            them with 404.
        path: Where the page is; must begin and end with a slash.
        actions: Requests that it offers to fire.
        title: Of the page.
    """

    _timeline: TimelineObserver = attrs.field(alias="timeline")
    _app: ASGIApp | None = attrs.field(default=None, alias="app")
    path: str = attrs.field(
        default="/timeline/",
        kw_only=True,
        validator=matching(r"/(.*/)?", 'a path such as "/timeline/"'),
    )
    actions: Sequence[TimelineAction] = attrs.field(default=(), kw_only=True)
    title: str = attrs.field(default="asgibridge timeline", kw_only=True)

    async def __call__(self, scope: Any, receive: Any, send: Any, /) -> None:  # noqa: ANN401 - any protocol is passed on
        """Answer for the page, or hand on."""
        if scope["type"] == "http" and scope["path"].startswith(self.path):
            await self._answer(scope, receive, send)
        elif self._app is not None:
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            await _respond(
                send, 404, _TEXT, b"the timeline is at " + self.path.encode()
            )
        else:
            msg = f"{type(self).__name__} answers HTTP only, got {scope['type']!r}"
            raise UnsupportedScopeError(msg)

    async def _answer(
        self, scope: HTTPScope, _receive: HTTPReceive, send: HTTPSend
    ) -> None:
        name = scope["path"].removeprefix(self.path)
        if name == "":
            await _respond(send, 200, _HTML, self._page().encode())
        elif name == "calls.json":
            await _respond(send, 200, _JSON, self._news(scope).encode())
        elif name == "trace.json":
            await _respond(send, 200, _JSON, self._timeline.trace().encode())
        else:
            await _respond(send, 404, _TEXT, b"the timeline has no such page")

    def _page(self) -> str:
        live = {
            "source": f"{self.path}calls.json",
            "actions": [attrs.asdict(action) for action in self.actions],
        }
        return html_of((), began=self._timeline.began, title=self.title, live=live)

    def _news(self, scope: HTTPScope) -> str:
        query = parse_qs(scope["query_string"].decode("latin-1"))
        since = query.get("since", ["0"])[0]
        position = int(since) if since.isdecimal() else 0
        position, calls = self._timeline.calls_since(position)
        began = self._timeline.began
        news = {
            "position": position,
            "now": time.monotonic() - began,
            "calls": data_of(calls, began=began),
        }
        return json.dumps(news)


async def _respond(send: HTTPSend, status: int, kind: bytes, body: bytes) -> None:
    headers = [
        (b"content-type", kind),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
