"""SyncApplicationCommunicator: the same, for tests without a loop."""

import asyncio
import threading
from typing import Any

import pytest

from asgibridge.testing import (
    ApplicationCommunicator,
    LoopThread,
    SyncApplicationCommunicator,
    http_scope,
    websocket_scope,
)

Loose = Any  # an application under test need not be typed


async def hello(scope: Loose, receive: Loose, send: Loose) -> None:
    """Answer with the body of the request."""
    del scope
    event = await receive()
    await send({"type": "http.response.start", "status": 200})
    await send({"type": "http.response.body", "body": event["body"]})


def test_http() -> None:
    """A request goes in, a response comes out, and no thread is left."""
    threads = threading.active_count()
    conversation = ApplicationCommunicator(hello, http_scope())
    with SyncApplicationCommunicator(conversation) as client:
        states = [client.is_running]
        assert client.receive_nothing(timeout=0.0)
        client.send_input({"type": "http.request", "body": b"x"})
        start = client.receive_output()
        assert start["type"] == "http.response.start"
        assert client.receive_all() == [{"type": "http.response.body", "body": b"x"}]
        client.wait()
        states.append(client.is_running)
    assert states == [True, False]
    assert threading.active_count() == threads


def test_disconnect() -> None:
    """The client may go away."""

    async def app(scope: Loose, receive: Loose, send: Loose) -> None:
        del scope
        await receive()
        await send({"type": "websocket.accept"})
        assert (await receive())["type"] == "websocket.disconnect"

    conversation = ApplicationCommunicator(app, websocket_scope())
    with SyncApplicationCommunicator(conversation) as client:
        client.send_input({"type": "websocket.connect"})
        client.receive_output()
        client.disconnect()
        client.wait()


def test_stop() -> None:
    """An application may be cancelled in the middle."""
    with LoopThread() as loop:
        conversation = ApplicationCommunicator(hello, http_scope())
        with SyncApplicationCommunicator(conversation, loop=loop) as client:
            client.stop()
            assert not client.is_running
        assert loop.run(lambda: asyncio.sleep(0, "still there")) == "still there"


def test_exception_nobody_saw() -> None:
    """It is raised at the end of the block, and the thread ends all the same."""
    threads = threading.active_count()

    async def app(scope: Loose, receive: Loose, send: Loose) -> None:
        raise ZeroDivisionError

    conversation = ApplicationCommunicator(app, http_scope())
    with pytest.raises(ZeroDivisionError), SyncApplicationCommunicator(conversation):
        pass
    assert threading.active_count() == threads


def test_calls_run_on_the_tests_thread() -> None:
    """What is submitted to the caller's executor runs on the waiting thread."""
    with LoopThread() as loop:

        async def app(scope: Loose, receive: Loose, send: Loose) -> None:
            del scope, receive
            thread = await asyncio.wrap_future(loop.caller.submit(threading.get_ident))
            await send({"type": "tick", "thread": thread})

        conversation = ApplicationCommunicator(app, {"type": "clock", "asgi": {}})
        with SyncApplicationCommunicator(conversation, loop=loop) as client:
            assert client.receive_output()["thread"] == threading.get_ident()
