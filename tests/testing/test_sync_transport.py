"""SyncASGITransport: the same for clients without a loop."""

import threading
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from asgibridge.errors import LifespanFailedError
from asgibridge.testing import LoopThread
from asgibridge.testing.transport import ASGITransport, SyncASGITransport

Loose = Any  # an application under test need not be typed

URL = "http://testserver/"


async def echo(scope: Loose, receive: Loose, send: Loose) -> None:
    """Send each part of the request back as it comes."""
    assert scope["type"] == "http", "this application has no lifespan"
    await send({"type": "http.response.start", "status": 201, "headers": []})
    more = True
    while more:
        event = await receive()
        more = event["more_body"]
        body = {"type": "http.response.body", "body": event["body"]}
        await send({**body, "more_body": more})


def test_request_and_response() -> None:
    """A request goes in, a response comes out, and no thread is left."""
    threads = threading.active_count()
    transport = SyncASGITransport(ASGITransport(echo))
    with httpx.Client(transport=transport) as client:
        response = client.post(URL, content=b"abc")
    assert (response.status_code, response.content) == (201, b"abc")
    assert threading.active_count() == threads


def test_streams_both_ways_on_this_thread() -> None:
    """Parts go back and forth; the request's are made on the client's thread."""
    made_on: set[int] = set()
    seen: list[bytes] = []

    def parts() -> Iterator[bytes]:
        for number in range(3):
            made_on.add(threading.get_ident())
            yield b"%d" % number

    with (
        LoopThread() as loop,
        httpx.Client(
            transport=SyncASGITransport(ASGITransport(echo), loop=loop)
        ) as client,
        client.stream("POST", URL, content=parts()) as response,
    ):
        seen.extend(response.iter_raw())
    assert seen == [b"0", b"1", b"2"]
    assert made_on == {threading.get_ident()}


def test_startup_that_fails() -> None:
    """It is raised, and the loop's thread ends."""
    threads = threading.active_count()

    async def app(scope: Loose, receive: Loose, send: Loose) -> None:
        del scope
        await receive()
        await send({"type": "lifespan.startup.failed", "message": "no database"})

    client = httpx.Client(transport=SyncASGITransport(ASGITransport(app)))
    with pytest.raises(LifespanFailedError, match="no database"):
        client.__enter__()
    assert threading.active_count() == threads


def test_startup_that_fails_on_a_given_loop() -> None:
    """A loop that is not its own is left alone."""
    with LoopThread() as loop:
        strict = ASGITransport(echo, lifespan="on")
        transport = SyncASGITransport(strict, loop=loop)
        with pytest.raises(AssertionError, match="no lifespan"):
            transport.__enter__()
        with SyncASGITransport(ASGITransport(echo), loop=loop) as working:
            request = httpx.Request("GET", URL)
            assert working.handle_request(request).status_code == 201
