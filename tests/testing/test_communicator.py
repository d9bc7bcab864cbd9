"""ApplicationCommunicator: a conversation, event by event."""

import asyncio
import contextlib
from typing import Any

import pytest

from asgibridge.errors import (
    ApplicationCancelledError,
    ApplicationEndedError,
    ASGIViolationError,
    ClientDisconnectedError,
    OptionError,
)
from asgibridge.testing import (
    ApplicationCommunicator,
    http_scope,
    lifespan_scope,
    websocket_scope,
)

Loose = Any  # an application under test need not be typed

START = {"type": "http.response.start", "status": 200, "headers": []}
BODY = {"type": "http.response.body", "body": b"ab"}


async def hello(scope: Loose, receive: Loose, send: Loose) -> None:
    """Answer with the body of the request."""
    del scope
    event = await receive()
    await send(START)
    await send({**BODY, "body": event.get("body", b"")})


async def echo(scope: Loose, receive: Loose, send: Loose) -> None:
    """Accept a WebSocket and send back what comes."""
    del scope
    await receive()
    await send({"type": "websocket.accept"})
    while (event := await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", "text": event["text"]})


def test_http() -> None:
    """A request goes in, the events of the response come out, then nothing."""

    async def test() -> None:
        async with ApplicationCommunicator(hello, http_scope("/")) as client:
            assert client.is_running
            await client.send_input({"type": "http.request", "body": b"x"})
            start = await client.receive_output()
            assert start["type"] == "http.response.start"
            assert start["status"] == 200
            body = await client.receive_output()
            assert body == {"type": "http.response.body", "body": b"x"}
            await client.wait()
            assert not client.is_running

    asyncio.run(test())


def test_websocket() -> None:
    """A WebSocket is opened, used and closed."""

    async def test() -> None:
        async with ApplicationCommunicator(echo, websocket_scope("/")) as client:
            await client.send_input({"type": "websocket.connect"})
            assert (await client.receive_output())["type"] == "websocket.accept"
            await client.send_input({"type": "websocket.receive", "text": "x"})
            answer = await client.receive_output()
            assert answer == {"type": "websocket.send", "text": "x"}
            await client.disconnect()
            await client.wait()

    asyncio.run(test())


def test_lifespan() -> None:
    """The lifespan's state is the very dict of the scope."""
    state: dict[str, Any] = {}

    async def app(scope: Loose, receive: Loose, send: Loose) -> None:
        await receive()
        scope["state"]["ready"] = True
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})

    async def test() -> None:
        client = ApplicationCommunicator(app, lifespan_scope(state=state))
        await client.send_input({"type": "lifespan.startup"})
        assert await client.receive_output() == {"type": "lifespan.startup.complete"}
        assert state == {"ready": True}
        await client.send_input({"type": "lifespan.shutdown"})
        assert len(await client.receive_all()) == 1

    asyncio.run(test())


def test_custom_protocol() -> None:
    """Any other protocol is talked the same way."""

    async def app(scope: Loose, receive: Loose, send: Loose) -> None:
        await send({"type": "tick", "of": scope["type"]})
        await send(await receive())

    async def test() -> None:
        client = ApplicationCommunicator(app, {"type": "clock", "asgi": {}})
        assert await client.receive_output() == {"type": "tick", "of": "clock"}
        await client.send_input({"type": "tock"})
        assert await client.receive_output() == {"type": "tock"}
        with pytest.raises(OptionError, match="'clock' has no disconnect event"):
            await client.disconnect()

    asyncio.run(test())


def test_custom_disconnect() -> None:
    """A protocol of one's own may have a disconnect event of its own."""
    seen: list[Any] = []

    async def app(scope: Loose, receive: Loose, send: Loose) -> None:
        del scope
        seen.extend([await receive(), await receive()])
        await send({"type": "tick"})  # an older protocol: nothing happens

    async def test() -> None:
        client = ApplicationCommunicator(app, {"type": "clock", "asgi": {}})
        await client.disconnect({"type": "gone"})
        await client.wait()
        assert await client.receive_all() == []

    asyncio.run(test())
    assert seen == [{"type": "gone"}] * 2


def test_a_timeout_does_not_kill() -> None:
    """After a timeout the application runs on, and the test may try again."""
    go_on = asyncio.Event()

    async def app(scope: Loose, receive: Loose, send: Loose) -> None:
        del scope, receive
        await go_on.wait()
        await send(START)
        await send(BODY)

    async def test() -> None:
        async with ApplicationCommunicator(app, http_scope()) as client:
            with pytest.raises(TimeoutError, match=r"sent nothing within 0.0 s; it st"):
                await client.receive_output(timeout=0.0)
            with pytest.raises(TimeoutError, match="did not end"):
                await client.wait(timeout=0.0)
            assert client.is_running
            go_on.set()
            assert await client.receive_all() == [START, BODY]

    asyncio.run(test())


def test_output_comes_before_the_exception() -> None:
    """What was sent is delivered, then the exception is raised as it was."""
    error = RuntimeError("boom")

    async def app(scope: Loose, receive: Loose, send: Loose) -> None:
        del scope, receive
        await send(START)
        raise error

    async def test() -> None:
        async with ApplicationCommunicator(app, http_scope()) as client:
            with pytest.raises(RuntimeError, match="boom") as caught:
                await client.wait()
            assert caught.value is error
            await client.send_input({"type": "http.request"})  # nobody takes it
            assert await client.receive_output() == START
            with pytest.raises(RuntimeError, match="boom"):
                await client.receive_output()

    asyncio.run(test())


def test_exception_nobody_saw() -> None:
    """At the end of the block it is raised, unless another one is on its way."""
    error = RuntimeError("boom")

    async def app(scope: Loose, receive: Loose, send: Loose) -> None:
        del scope, receive, send
        raise error

    async def fail_in_the_block() -> None:
        async with ApplicationCommunicator(app, http_scope()) as client:
            assert await client.receive_nothing()
            raise ZeroDivisionError

    async def test() -> None:
        with pytest.raises(RuntimeError, match="boom"):
            async with ApplicationCommunicator(app, http_scope()) as client:
                assert await client.receive_nothing()
        with pytest.raises(ZeroDivisionError):
            await fail_in_the_block()
        client = ApplicationCommunicator(app, http_scope())
        assert await client.receive_nothing()
        with pytest.raises(RuntimeError, match="boom"):
            client.stop()
        client.stop()  # seen by now

    asyncio.run(test())


def test_application_that_returned() -> None:
    """To wait for more of one that has returned is an error, at once."""

    async def app(scope: Loose, receive: Loose, send: Loose) -> None:
        """Do nothing."""

    async def test() -> None:
        client = ApplicationCommunicator(
            app, http_scope(), validator=None, timeout=1000
        )
        with pytest.raises(ApplicationEndedError, match="returned without sending"):
            await client.receive_output()
        assert await client.receive_all() == []

    asyncio.run(test())


def test_cancellation_does_not_leak() -> None:
    """An application that ends with a cancellation does not cancel the test."""

    async def app(scope: Loose, receive: Loose, send: Loose) -> None:
        raise asyncio.CancelledError

    async def test() -> int:
        with pytest.raises(ApplicationCancelledError, match="ended with a canc"):
            async with ApplicationCommunicator(app, http_scope()) as client:
                assert await client.receive_nothing()
        client = ApplicationCommunicator(app, http_scope())
        with pytest.raises(ApplicationCancelledError):
            await client.receive_output()
        with pytest.raises(ApplicationCancelledError):
            await client.wait()
        task = asyncio.current_task()
        assert task is not None
        return task.cancelling()

    assert asyncio.run(test()) == 0


def test_cancelling_the_test_is_not_swallowed() -> None:
    """A cancelled wait raises CancelledError and loses no event."""

    async def test() -> None:
        client = ApplicationCommunicator(hello, http_scope())
        waiting = asyncio.create_task(client.receive_output())
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        await client.send_input({"type": "http.request"})
        assert (await client.receive_output())["type"] == "http.response.start"
        await client.wait()

    asyncio.run(test())


def test_block_ends_the_application() -> None:
    """An application that runs at the end of the block is cancelled."""
    ended: list[str] = []

    async def app(scope: Loose, receive: Loose, send: Loose) -> None:
        del scope, send
        try:
            while True:
                await receive()
        finally:
            await asyncio.sleep(0)
            ended.append("ended")

    async def test() -> None:
        async with ApplicationCommunicator(app, http_scope()) as client:
            await client.send_input({"type": "http.request"})
            assert await client.receive_nothing(timeout=0.0)

    asyncio.run(test())
    assert ended == ["ended"]


def test_application_that_refuses_to_end() -> None:
    """One that outlives its cancellation is reported; closing again ends it."""

    async def app(scope: Loose, receive: Loose, send: Loose) -> None:
        del scope, send
        with contextlib.suppress(asyncio.CancelledError):
            await receive()
        await receive()

    async def test() -> None:
        client = ApplicationCommunicator(app, http_scope(), timeout=0.0)
        await client.aclose()  # it was never started
        client.stop()
        with pytest.raises(TimeoutError):
            await client.receive_output()
        with pytest.raises(TimeoutError, match="did not end when it was cancelled"):
            await client.aclose()
        client.stop()
        await asyncio.sleep(0)
        await client.aclose(exceptions=False)
        assert not client.is_running

    asyncio.run(test())


def test_exception_while_being_cancelled() -> None:
    """What an application raises instead of its cancellation is raised."""

    async def app(scope: Loose, receive: Loose, send: Loose) -> None:
        del scope, send
        try:
            await receive()
        finally:
            raise ZeroDivisionError

    async def test() -> None:
        with pytest.raises(ZeroDivisionError):
            async with ApplicationCommunicator(app, http_scope()) as client:
                await client.receive_nothing(timeout=0.0)

    asyncio.run(test())


def test_queues_are_bounded() -> None:
    """Each side waits when it is too far ahead of the other."""
    sent: list[int] = []

    async def app(scope: Loose, receive: Loose, send: Loose) -> None:
        del scope, receive
        await send(START)
        for number in range(4):
            await send({**BODY, "more_body": number < 3})
            sent.append(number)

    async def test() -> None:
        async with ApplicationCommunicator(
            app, http_scope(), max_queued=2, timeout=1000
        ) as client:
            for _ in range(10):
                await asyncio.sleep(0)
            assert sent == [0]
            assert len(await client.receive_all()) == 5
            await client.send_input({"type": "http.request", "more_body": True})
            await client.send_input({"type": "http.request", "more_body": True})
            with pytest.raises(TimeoutError, match="did not take its events") as caught:
                await client.send_input({"type": "http.request"}, timeout=0.0)
            assert str(caught.value).endswith("; it has ended")

    asyncio.run(test())


def test_an_application_that_takes_nothing() -> None:
    """Events wait for it while it runs, but not too many."""

    async def app(scope: Loose, receive: Loose, send: Loose) -> None:
        del scope, receive, send
        await asyncio.get_running_loop().create_future()

    async def test() -> None:
        client = ApplicationCommunicator(app, http_scope(), max_queued=1)
        await client.send_input({"type": "http.request"})
        with pytest.raises(TimeoutError, match=r"its events within .* it still runs"):
            await client.send_input({"type": "http.request"}, timeout=0.0)
        await client.aclose()

    asyncio.run(test())


def test_receive_nothing() -> None:
    """It says so when there is something, and waits no longer than needed."""

    async def test() -> None:
        async with ApplicationCommunicator(hello, http_scope()) as client:
            assert await client.receive_nothing(timeout=0.0, interval=0.01)
            await client.send_input({"type": "http.request"})
            assert not await client.receive_nothing(timeout=1000)
            await client.receive_all()
            assert await client.receive_nothing(timeout=1000)

    asyncio.run(test())


def test_disconnect() -> None:
    """The client goes: queued events come first, sends raise an OSError."""
    received: list[str] = []

    async def app(scope: Loose, receive: Loose, send: Loose) -> None:
        del scope
        await send(START)
        while (event := await receive())["type"] != "http.disconnect":
            received.append(event["type"])
        received.append(event["type"])
        try:
            await send(BODY)
        except OSError as exc:
            received.append(type(exc).__name__)

    async def test() -> None:
        async with ApplicationCommunicator(app, http_scope()) as client:
            assert await client.receive_output() == START
            await client.send_input({"type": "http.request"})
            await client.disconnect()
            await client.wait()
            assert await client.receive_nothing()

    asyncio.run(test())
    assert received == ["http.request", "http.disconnect", "ClientDisconnectedError"]


def test_disconnect_releases_a_waiting_sender() -> None:
    """One that waits because nobody takes its events is released, with an error."""

    async def app(scope: Loose, receive: Loose, send: Loose) -> None:
        del scope, receive
        await send(START)
        while True:
            await send({**BODY, "more_body": True})

    async def test() -> None:
        client = ApplicationCommunicator(app, http_scope(), max_queued=1)
        assert not await client.receive_nothing()
        await client.disconnect()
        with pytest.raises(ClientDisconnectedError, match=r"cannot send .*body"):
            await client.wait()

    asyncio.run(test())


@pytest.mark.parametrize("asgi", [{"spec_version": "2.x"}, {"spec_version": 2}, None])
def test_a_version_that_is_none(asgi: object) -> None:
    """The validator says what is wrong with it; without it, it is an old version."""

    async def app(scope: Loose, receive: Loose, send: Loose) -> None:
        del scope, receive
        await send(START)

    async def test() -> None:
        scope: dict[str, Any] = {**http_scope(), "asgi": asgi}
        with pytest.raises(ASGIViolationError, match="server fault"):
            await ApplicationCommunicator(app, scope).wait()
        client = ApplicationCommunicator(app, scope, validator=None)
        await client.disconnect()
        await client.wait()  # send() does not raise, as in old versions

    asyncio.run(test())


@pytest.mark.parametrize(
    ("spec_version", "expected"), [("2.4", "raised"), ("2.3", "returned")]
)
def test_disconnect_at_a_chosen_event(spec_version: str, expected: str) -> None:
    """The client goes with the event chosen; before 2.4 the sender is not told."""
    outcomes: list[str] = []

    async def app(scope: Loose, receive: Loose, send: Loose) -> None:
        del scope
        await send(START)
        await send({**BODY, "more_body": True})
        try:
            await send({**BODY, "body": b"last"})
            outcomes.append("returned")
        except OSError:
            outcomes.append("raised")
        assert await receive() == {"type": "http.disconnect"}

    async def test() -> None:
        async with ApplicationCommunicator(
            app,
            http_scope(spec_version=spec_version),
            disconnect_at=lambda event: "last" in repr(event),
        ) as client:
            assert len(await client.receive_all()) == 2

    asyncio.run(test())
    assert outcomes == [expected]


def test_validator_is_on() -> None:
    """A breach of ASGI is raised, unless the validator was taken away."""

    async def app(scope: Loose, receive: Loose, send: Loose) -> None:
        del scope, receive
        await send(BODY)

    async def test() -> None:
        client = ApplicationCommunicator(app, http_scope())
        with pytest.raises(ASGIViolationError):
            await client.wait()
        client = ApplicationCommunicator(app, http_scope(), validator=None)
        assert await client.receive_all() == [BODY]

    asyncio.run(test())
