"""TimelinePage: the live timeline as an ASGI application."""

import asyncio
import json
from typing import Any

import httpx
import pytest

from asgibridge.errors import OptionValueError, UnsupportedScopeError
from asgibridge.observers import TimelineAction, TimelineObserver, TimelinePage
from asgibridge.testing import FakeCrossing
from asgibridge.testing.transport import ASGITransport

Loose = Any  # an application under test need not be typed


def load() -> None:
    """Be a function that a crossing is about."""


async def inner(scope: Loose, receive: Loose, send: Loose) -> None:
    """Answer with the path, and take part in the lifespan."""
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
        return
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": scope["path"].encode()})


def get(page: TimelinePage, *paths: str) -> list[httpx.Response]:
    """Return the answers to a request for each path."""

    async def fetch() -> list[httpx.Response]:
        transport = ASGITransport(page)
        async with httpx.AsyncClient(transport=transport, base_url="http://x") as web:
            return [await web.get(path) for path in paths]

    return asyncio.run(fetch())


def test_page() -> None:
    """It offers the actions, and says where further calls are to be had."""
    action = TimelineAction("Load <1>", "/load", "one call", method="POST")
    page = TimelinePage(TimelineObserver(), actions=[action], title="mine")
    (answer,) = get(page, "/timeline/")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "<title>mine</title>" in answer.text
    text = answer.text.partition('id="data">')[2].partition("</script>")[0]
    assert json.loads(text)["live"] == {
        "source": "/timeline/calls.json",
        "actions": [
            {
                "label": "Load <1>",
                "path": "/load",
                "about": "one call",
                "method": "POST",
            }
        ],
    }


def test_news() -> None:
    """It tells what is new since the last time."""
    timeline = TimelineObserver()
    page = TimelinePage(timeline, path="/t/")
    for _ in range(2):
        crossing = FakeCrossing(load)
        timeline.queued(crossing)
        timeline.finished(crossing)
    everything, rest, nonsense = (
        answer.json()
        for answer in get(
            page, "/t/calls.json", "/t/calls.json?since=1", "/t/calls.json?since=x"
        )
    )
    assert [call["name"] for call in everything["calls"]] == ["load", "load"]
    assert everything["position"] == 2
    assert len(rest["calls"]) == 1
    assert len(nonsense["calls"]) == 2
    first = everything["calls"][0]
    assert 0 <= first["queued"] <= everything["now"]


def test_trace() -> None:
    """The trace can be downloaded."""
    (answer,) = get(TimelinePage(TimelineObserver()), "/timeline/trace.json")
    assert answer.json()["traceEvents"] == []


def test_other_paths() -> None:
    """The rest is the other application's, or nobody's."""
    timeline = TimelineObserver()
    mine, other = get(TimelinePage(timeline, inner), "/timeline/nothing", "/a")
    assert mine.status_code == 404
    assert (other.status_code, other.text) == (200, "/a")
    (nobody,) = get(TimelinePage(timeline), "/a")
    assert nobody.status_code == 404
    assert nobody.text == "the timeline is at /timeline/"


def test_other_protocols() -> None:
    """Other protocols are the other application's, or refused."""
    page = TimelinePage(TimelineObserver())

    async def call() -> None:
        await page({"type": "websocket"}, None, None)

    with pytest.raises(
        UnsupportedScopeError, match="answers HTTP only, got 'websocket'"
    ):
        asyncio.run(call())


@pytest.mark.parametrize("path", ["timeline/", "/timeline", ""])
def test_path_is_checked(path: str) -> None:
    """Relative links need the slashes."""
    with pytest.raises(
        OptionValueError, match="path of TimelinePage is a path such as"
    ):
        TimelinePage(TimelineObserver(), path=path)
