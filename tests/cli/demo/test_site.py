"""The site refuses what neither of its applications serves."""

import asyncio

from asgibridge import Bridge
from asgibridge.cli._demo._gates import Gates
from asgibridge.cli._demo._site import Site, open_site
from asgibridge.cli._demo._trace import Trace
from asgibridge.types import ReceiveEvent, SendEvent, WebSocketScope


async def _refused(site: Site) -> list[SendEvent]:
    scope: WebSocketScope = {
        "type": "websocket",
        "asgi": {"version": "3.0"},
        "path": "/",
        "query_string": b"",
        "headers": [],
    }
    sent: list[SendEvent] = []

    async def receive() -> ReceiveEvent:
        return {"type": "websocket.connect"}

    async def send(event: SendEvent) -> None:
        sent.append(event)

    await site(scope, receive, send)
    return sent


def test_websockets_are_refused() -> None:
    """A websocket is closed before it is accepted."""
    with Bridge() as bridge, open_site(bridge, Trace(), Gates()) as site:
        sent = asyncio.run(_refused(site))
    assert sent == [{"type": "websocket.close"}]
