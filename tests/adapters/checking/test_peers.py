"""The servers without a network, by themselves."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from asgibridge.adapters._checking._peers import (
    ClientGoneError,
    HTTPPeer,
    LifespanPeer,
    Peer,
    SilentPeer,
    SocketPeer,
)

REQUEST = {"type": "http.request"}


def play(script: Callable[[], Awaitable[None]]) -> None:
    """Run *script* in a loop of its own."""

    async def main() -> None:
        await script()

    asyncio.run(main())


async def waits(peer: Peer) -> bool:
    """Whether `receive()` has nothing to say, however often others have a turn."""
    task = asyncio.ensure_future(peer.receive())
    for _ in range(5):
        await asyncio.sleep(0)
    waiting = not task.done()
    task.cancel()
    await asyncio.wait({task})
    return waiting


def test_http_disconnects_once_the_response_is_complete() -> None:
    """Not before; and once only, as some servers do."""

    async def script() -> None:
        peer = HTTPPeer([dict(REQUEST)])
        assert (await peer.receive())["type"] == "http.request"
        await peer.send({"type": "http.response.start", "status": 200})
        await peer.send({"type": "http.response.body", "more_body": True})
        assert await waits(peer)
        await peer.send({"type": "http.response.body"})
        assert (await peer.receive())["type"] == "http.disconnect"
        assert await waits(peer)
        assert peer.unanswered() is None

    play(script)


def test_http_waits_for_trailers() -> None:
    """The response is complete with the last of them."""

    async def script() -> None:
        peer = HTTPPeer([])
        await peer.send({"type": "http.response.start", "trailers": True})
        await peer.send({"type": "http.response.body"})
        await peer.send({"type": "http.response.trailers", "more_trailers": True})
        assert await waits(peer)
        await peer.send({"type": "http.response.trailers"})
        assert not await waits(peer)

    play(script)


def test_http_client_leaves() -> None:
    """After that many events send() raises, and what was to come does not."""

    async def script() -> None:
        peer = HTTPPeer([dict(REQUEST), dict(REQUEST)], gone_after=1)
        await peer.receive()
        await peer.send(None)
        for _ in range(2):
            with pytest.raises(ClientGoneError, match="the client is gone"):
                await peer.send({"type": "http.response.body"})
        assert (await peer.receive())["type"] == "http.disconnect"

    play(script)


def test_socket_gives_messages_once_accepted() -> None:
    """Then the client closes; after that send() raises."""

    async def script() -> None:
        peer = SocketPeer([{"type": "websocket.receive", "text": "x"}], code=1001)
        assert (await peer.receive())["type"] == "websocket.connect"
        assert await waits(peer)
        assert peer.unanswered() == "ws.unanswered"
        await peer.send({"type": "websocket.accept"})
        assert peer.unanswered() is None
        assert (await peer.receive())["type"] == "websocket.receive"
        await peer.send({"type": "websocket.send", "text": "x"})
        event = await peer.receive()
        assert (event["type"], event["code"]) == ("websocket.disconnect", 1001)
        with pytest.raises(ClientGoneError, match="the client is gone"):
            await peer.send({"type": "websocket.send", "text": "x"})
        assert await waits(peer)

    play(script)


def test_socket_that_is_closed_gives_no_messages() -> None:
    """Only the disconnect comes."""

    async def script() -> None:
        peer = SocketPeer([{"type": "websocket.receive", "text": "x"}])
        await peer.receive()
        await peer.send({"type": "websocket.close"})
        assert (await peer.receive())["type"] == "websocket.disconnect"

    play(script)


def test_socket_that_vanishes_does_not_wait_for_an_answer() -> None:
    """The client has left, so nothing is left unanswered."""

    async def script() -> None:
        peer = SocketPeer([], vanishes=True)
        await peer.receive()
        assert (await peer.receive())["code"] == 1006
        assert peer.unanswered() is None

    play(script)


def test_lifespan_asks_for_the_end_when_told() -> None:
    """Startup, its answer, shutdown, its answer; then nothing more."""

    async def script() -> None:
        peer = LifespanPeer()
        assert (await peer.receive())["type"] == "lifespan.startup"
        assert peer.unanswered() == "lifespan.unanswered"
        await peer.send({"type": "unknown"})
        for _ in range(2):  # the second one is the validator's business
            await peer.send({"type": "lifespan.startup.complete"})
        assert peer.answered.done()
        assert peer.unanswered() is None
        assert await waits(peer)
        peer.stop()
        assert (await peer.receive())["type"] == "lifespan.shutdown"
        assert peer.unanswered() == "lifespan.unanswered"
        await peer.send({"type": "lifespan.shutdown.failed"})
        assert peer.unanswered() is None
        assert await waits(peer)

    play(script)


def test_failed_lifespan_is_not_asked_for_its_end() -> None:
    """A server would have exited."""

    async def script() -> None:
        peer = LifespanPeer()
        await peer.receive()
        await peer.send({"type": "lifespan.startup.failed"})
        peer.stop()
        assert peer.has_failed
        assert await waits(peer)
        assert peer.unanswered() is None

    play(script)


def test_silent_peer_says_nothing() -> None:
    """It takes everything, though."""

    async def script() -> None:
        peer = SilentPeer()
        await peer.send(object())
        assert await waits(peer)
        assert peer.unanswered() == "scope.unknown_type"

    play(script)
