"""ASGITransport: httpx and an application in one process, streaming both ways."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from asgibridge.errors import (
    ApplicationEndedError,
    ASGIViolationError,
    LifespanFailedError,
)
from asgibridge.testing.transport import ASGITransport

Loose = Any  # an application under test need not be typed

START = {"type": "http.response.start", "status": 200, "headers": [(b"a", b"b")]}
URL = "http://testserver:8000/a%20b?x=1"


def part(body: bytes, *, more: bool = True) -> dict[str, Any]:
    """Return a body event."""
    return {"type": "http.response.body", "body": body, "more_body": more}


async def echo(scope: Loose, receive: Loose, send: Loose) -> None:
    """Send each part of the request back as it comes."""
    assert scope["type"] == "http", "this application has no lifespan"
    await send(START)
    more = True
    while more:
        event = await receive()
        more = event["more_body"]
        await send(part(event["body"], more=more))
    assert (await receive())["type"] == "http.disconnect"


def test_request_and_response() -> None:
    """What httpx says arrives in the scope, and the answer in the response."""
    scopes: list[Any] = []

    async def app(scope: Loose, receive: Loose, send: Loose) -> None:
        scopes.append(scope)
        await echo(scope, receive, send)

    async def test() -> httpx.Response:
        transport = ASGITransport(app, root_path="/root", lifespan="off")
        async with httpx.AsyncClient(transport=transport) as client:
            return await client.post(URL, content=b"abc", headers={"X-Y": "z"})

    response = asyncio.run(test())
    assert (response.status_code, response.content) == (200, b"abc")
    assert response.headers["a"] == "b"
    (scope,) = scopes
    assert scope["method"] == "POST"
    assert (scope["path"], scope["raw_path"]) == ("/a b", b"/a%20b")
    assert scope["query_string"] == b"x=1"
    assert scope["root_path"] == "/root"
    assert scope["server"] == ("testserver", 8000)
    assert (b"x-y", b"z") in scope["headers"]
    assert "state" not in scope


def test_streams_both_ways() -> None:
    """A part of the response is there before the next part of the request."""
    seen: list[bytes] = []
    answered = asyncio.Event()

    async def parts() -> AsyncIterator[bytes]:
        for number in range(3):
            yield b"%d" % number
            await answered.wait()
            answered.clear()

    async def test() -> None:
        async with (
            httpx.AsyncClient(transport=ASGITransport(echo)) as client,
            client.stream("POST", URL, content=parts()) as response,
        ):
            async for chunk in response.aiter_raw():
                seen.append(chunk)
                answered.set()

    asyncio.run(test())
    assert seen == [b"0", b"1", b"2"]


def test_back_pressure() -> None:
    """An application that nobody reads from waits."""
    sent: list[int] = []

    async def app(scope: Loose, receive: Loose, send: Loose) -> None:
        del scope, receive
        await send(START)
        for number in range(10):
            await send(part(b"x"))
            sent.append(number)
        await send(part(b"", more=False))

    async def test() -> None:
        transport = ASGITransport(app, lifespan="off", max_queued=3)
        async with (
            httpx.AsyncClient(transport=transport) as client,
            client.stream("GET", URL) as response,
        ):
            for _ in range(20):
                await asyncio.sleep(0)
            assert len(sent) == 3
            assert await response.aread() == b"x" * 10

    asyncio.run(test())


def test_closing_early_disconnects() -> None:
    """The application is told, and its send() raises."""
    events: list[str] = []

    async def app(scope: Loose, receive: Loose, send: Loose) -> None:
        del scope
        await receive()
        await send(START)
        try:
            while True:
                await send(part(b"x"))
        except OSError:
            events.append((await receive())["type"])

    async def test() -> None:
        transport = ASGITransport(app, lifespan="off")
        async with (
            httpx.AsyncClient(transport=transport) as client,
            client.stream("GET", URL) as response,
        ):
            await anext(response.aiter_raw())

    asyncio.run(test())
    assert events == ["http.disconnect"]


def test_exception_before_the_response() -> None:
    """It is raised as it was, or answered with 500."""

    async def app(scope: Loose, receive: Loose, send: Loose) -> None:
        raise ZeroDivisionError

    async def test() -> httpx.Response:
        async with httpx.AsyncClient(transport=ASGITransport(app)) as client:
            with pytest.raises(ZeroDivisionError):
                await client.get(URL)
        transport = ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport) as client:
            return await client.get(URL)

    assert asyncio.run(test()).status_code == 500


def test_exception_within_the_response() -> None:
    """It is raised where the body is read; httpx's own error, if it is hidden."""

    async def app(scope: Loose, receive: Loose, send: Loose) -> None:
        del scope, receive
        await send(START)
        await send(part(b"x"))
        raise ZeroDivisionError

    async def test() -> None:
        transport = ASGITransport(app, lifespan="off")
        async with httpx.AsyncClient(transport=transport) as client:
            with pytest.raises(ZeroDivisionError):
                await client.get(URL)
        transport = ASGITransport(app, lifespan="off", raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport) as client:
            with pytest.raises(httpx.RemoteProtocolError, match="failed within its"):
                await client.get(URL)

    asyncio.run(test())


def test_exception_after_the_response() -> None:
    """It is raised when the response is closed, unless it is hidden."""

    async def app(scope: Loose, receive: Loose, send: Loose) -> None:
        del scope, receive
        await send(START)
        await send(part(b"x", more=False))
        raise ZeroDivisionError

    async def test() -> bytes:
        transport = ASGITransport(app, lifespan="off")
        async with httpx.AsyncClient(transport=transport) as client:
            with pytest.raises(ZeroDivisionError):
                await client.get(URL)
        transport = ASGITransport(app, lifespan="off", raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport) as client:
            return (await client.get(URL)).content

    assert asyncio.run(test()) == b"x"


def test_application_that_does_not_answer() -> None:
    """One that returns too early, or sends nothing, is an error and is ended."""
    ended: list[str] = []

    async def silent(scope: Loose, receive: Loose, send: Loose) -> None:
        del scope, receive, send
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("ended")

    async def hasty(scope: Loose, receive: Loose, send: Loose) -> None:
        """Return at once."""

    async def test() -> None:
        transport = ASGITransport(silent, lifespan="off", timeout=0.02)
        async with httpx.AsyncClient(transport=transport) as client:
            with pytest.raises(TimeoutError, match="sent nothing"):
                await client.get(URL)
        transport = ASGITransport(hasty, lifespan="off", validator=None)
        async with httpx.AsyncClient(transport=transport) as client:
            with pytest.raises(ApplicationEndedError, match="before its response"):
                await client.get(URL)

    asyncio.run(test())
    assert ended == ["ended"]


def test_application_goes_on_after_its_response() -> None:
    """What it does after the response is done before the client has it."""
    done: list[str] = []

    async def app(scope: Loose, receive: Loose, send: Loose) -> None:
        del scope, receive
        await send(START)
        await send(part(b"x", more=False))
        await asyncio.sleep(0)
        done.append("background")

    async def test() -> None:
        transport = ASGITransport(app, lifespan="off")
        async with httpx.AsyncClient(transport=transport) as client:
            await client.get(URL)
            assert done == ["background"]

    asyncio.run(test())


def test_interim_events_are_left_out() -> None:
    """Early hints come before the response, and httpx has no place for them."""

    async def app(scope: Loose, receive: Loose, send: Loose) -> None:
        del scope, receive
        await send({"type": "http.response.early_hint", "links": []})
        await send(START)
        await send(part(b"", more=True))
        await send({"type": "http.response.push", "path": "/", "headers": []})
        await send(part(b"x", more=False))

    async def test() -> bytes:
        transport = ASGITransport(app, lifespan="off", validator=None)
        async with httpx.AsyncClient(transport=transport) as client:
            return (await client.get(URL)).content

    assert asyncio.run(test()) == b"x"


def test_validator_is_on() -> None:
    """A breach of ASGI is raised."""

    async def app(scope: Loose, receive: Loose, send: Loose) -> None:
        del scope, receive
        await send(part(b"x"))

    async def test() -> None:
        transport = ASGITransport(app, lifespan="off")
        async with httpx.AsyncClient(transport=transport) as client:
            with pytest.raises(ASGIViolationError):
                await client.get(URL)

    asyncio.run(test())


class WithLifespan:
    """An application with a lifespan, which notes what happens to it."""

    def __init__(self, **answers: str) -> None:
        """Take answers that are to be given instead of the usual ones."""
        self.answers = answers
        self.log: list[Any] = []

    async def __call__(self, scope: Loose, receive: Loose, send: Loose) -> None:
        """Be the application."""
        if scope["type"] == "http":
            self.log.append(dict(scope["state"]))
            scope["state"]["mine"] = True
            scope["state"]["shared"].append(1)
            await echo(scope, receive, send)
            return
        for step in ("startup", "shutdown"):
            event = await receive()
            self.log.append(event["type"])
            scope["state"]["shared"] = []
            answer = self.answers.get(step, "complete")
            if answer == "return":
                return
            await send({"type": f"lifespan.{step}.{answer}"})


def test_lifespan() -> None:
    """It runs around the client; each request gets a shallow copy of its state."""
    app = WithLifespan()

    async def test() -> None:
        transport = ASGITransport(app, lifespan="on")
        async with httpx.AsyncClient(transport=transport) as client:
            await client.get(URL)
            await client.get(URL)
        await transport.aclose()

    asyncio.run(test())
    assert app.log == [
        "lifespan.startup",
        {"shared": [1, 1]},  # the list is shared, the dict is not
        {"shared": [1, 1]},
        "lifespan.shutdown",
    ]


def test_startup_that_fails() -> None:
    """It is an error, whether or not the lifespan is optional."""

    async def test() -> None:
        for mode in ("auto", "on"):
            app = WithLifespan(startup="failed")
            client = httpx.AsyncClient(transport=ASGITransport(app, lifespan=mode))
            with pytest.raises(LifespanFailedError, match=r"lifespan\.startup\.failed"):
                await client.__aenter__()

    asyncio.run(test())


def test_startup_that_is_answered_wrongly() -> None:
    """It is no application without a lifespan; the validator says what is wrong."""

    async def test() -> None:
        for mode in ("auto", "on"):
            app = WithLifespan(startup="completed")
            client = httpx.AsyncClient(transport=ASGITransport(app, lifespan=mode))
            with pytest.raises(ASGIViolationError, match=r"startup\.completed"):
                await client.__aenter__()

    asyncio.run(test())


@pytest.mark.parametrize("answer", [START, None])
def test_application_that_does_not_look_at_the_scope(answer: Loose) -> None:
    """One that takes the lifespan for a request, or returns at once, has none."""

    async def app(scope: Loose, receive: Loose, send: Loose) -> None:
        if scope["type"] == "http":
            await echo(scope, receive, send)
        elif answer is not None:
            await send(answer)

    async def test() -> bytes:
        async with httpx.AsyncClient(transport=ASGITransport(app)) as client:
            return (await client.post(URL, content=b"x")).content

    assert asyncio.run(test()) == b"x"


def test_client_that_goes_is_the_applications_affair() -> None:
    """What the application raises then is not raised, nor that it does not end."""

    async def ignores(scope: Loose, receive: Loose, send: Loose) -> None:
        del scope, receive
        await send(START)
        await send(part(b"x"))
        await asyncio.Event().wait()

    async def raises(scope: Loose, receive: Loose, send: Loose) -> None:
        del scope, receive
        await send(START)
        while True:
            await send(part(b"x"))

    async def test() -> list[bytes]:
        parts: list[bytes] = []
        for app in (ignores, raises):
            transport = ASGITransport(app, lifespan="off", timeout=0.02)
            async with (
                httpx.AsyncClient(transport=transport) as client,
                client.stream("GET", URL) as response,
            ):
                parts.append(await anext(response.aiter_raw()))
        return parts

    assert asyncio.run(test()) == [b"x", b"x"]


def test_shutdown_that_fails() -> None:
    """So is that."""

    async def test() -> None:
        transport = ASGITransport(WithLifespan(shutdown="failed"))
        await transport.__aenter__()
        with pytest.raises(LifespanFailedError, match=r"lifespan\.shutdown\.failed"):
            await transport.aclose()
        transport = ASGITransport(WithLifespan(shutdown="return"), validator=None)
        await transport.__aenter__()
        await transport.aclose()  # it had nothing to say

    asyncio.run(test())


def test_application_without_lifespan() -> None:
    """It is served all the same, unless the lifespan must be there."""

    async def test() -> bytes:
        strict = ASGITransport(echo, lifespan="on")
        with pytest.raises(AssertionError, match="has no lifespan"):
            await strict.__aenter__()
        async with httpx.AsyncClient(transport=ASGITransport(echo)) as client:
            return (await client.post(URL, content=b"x")).content

    assert asyncio.run(test()) == b"x"


def test_startup_that_hangs() -> None:
    """It is an error in every mode, and the application is ended."""

    async def app(scope: Loose, receive: Loose, send: Loose) -> None:
        del scope, send, receive
        await asyncio.Event().wait()

    async def test() -> None:
        with pytest.raises(TimeoutError, match="sent nothing"):
            await ASGITransport(app, timeout=0.02).__aenter__()

    asyncio.run(test())
