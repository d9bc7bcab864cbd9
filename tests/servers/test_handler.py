"""`HandlerServer`: asgiref's style on the same core."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import pytest

from asgibridge.servers import (
    ApplicationDetails,
    Backoff,
    FullPolicy,
    HandlerServer,
    Limits,
)
from asgibridge.types import MessageEvent, MessageScope

Simulate = Callable[[Coroutine[Any, Any, None]], float]
Receive = Callable[[], Awaitable[MessageEvent]]
Send = Callable[[MessageEvent], Awaitable[None]]
Bring = Callable[["Server"], Coroutine[Any, Any, None]]

LIMITS = Limits(backoff=Backoff(initial=1, random=lambda: 0.0), max_deliveries=2)


class Server(HandlerServer):
    """Brings what a test says, and remembers what is sent and raised."""

    def __init__(
        self,
        app: Any,  # noqa: ANN401 - of either version of ASGI
        bring: Bring,
        limits: Limits = LIMITS,
        max_applications: int = 1000,
    ) -> None:
        super().__init__(app, max_applications, limits=limits)
        self.bring = bring
        self.sent: list[tuple[MessageScope, MessageEvent]] = []
        self.raised: list[tuple[BaseException, ApplicationDetails]] = []

    async def handle(self) -> None:
        await self.bring(self)

    async def application_send(
        self, scope: MessageScope, message: MessageEvent
    ) -> None:
        self.sent.append((scope, message))

    async def application_exception(
        self, exception: BaseException, application_details: ApplicationDetails
    ) -> None:
        self.raised.append((exception, application_details))


async def echo(scope: MessageScope, receive: Receive, send: Send) -> None:
    """Send everything back."""
    while True:
        event = await receive()
        await send(event)
        if event["type"].endswith("disconnect"):
            return


async def fail(scope: MessageScope, receive: Receive, send: Send) -> None:
    """Fail with every message."""
    await receive()
    raise OSError


async def slow(scope: MessageScope, receive: Receive, send: Send) -> None:
    """Take a second for each message."""
    while (event := await receive())["type"] == "say":
        await asyncio.sleep(1)
        await send(event)


def test_the_way_of_asgiref(simulate: Simulate) -> None:
    """A queue for each conversation; the very scope comes back with the events."""
    scope: MessageScope = {"type": "chat"}

    async def bring(server: Server) -> None:
        queue = server.get_or_create_application_instance("a", scope)
        queue.put_nowait({"type": "say"})
        await queue.put({"type": "say"})
        assert queue.qsize() == 2
        assert not queue.empty()
        assert not queue.full()

    server = Server(echo, bring)
    simulate(server.arun())
    kinds = [event["type"] for _, event in server.sent]
    assert kinds == ["say", "say", "chat.disconnect"]
    assert all(found is scope for found, _ in server.sent)


def test_an_instance_starts_without_an_event(simulate: Simulate) -> None:
    """As with asgiref; it can greet.  A second request is for the same one."""
    started: list[str] = []

    async def app(scope: MessageScope, receive: Receive, send: Send) -> None:
        started.append(scope["type"])
        await receive()

    async def bring(server: Server) -> None:
        queue = server.get_or_create_application_instance("a", {"type": "chat"})
        await asyncio.sleep(1)
        server.get_or_create_application_instance("a", {"type": "chat"})
        await asyncio.sleep(1)
        assert started == ["chat"]
        server.delete_application_instance("a")
        server.delete_application_instance("nobody")
        await asyncio.sleep(1)
        assert queue.empty()
        await queue.put({"type": "say"})
        await asyncio.sleep(1)
        assert started == ["chat", "chat"]

    simulate(Server(app, bring).arun())


def test_no_place_is_free(simulate: Simulate) -> None:
    """The limit is exact, and nothing is lost for it."""

    async def bring(server: Server) -> None:
        for number in range(50):
            name = str(number)
            queue = server.get_or_create_application_instance(name, {"type": "chat"})
            queue.put_nowait({"type": "say", "number": number})

    server = Server(slow, bring, max_applications=3)
    assert simulate(server.arun()) == pytest.approx(17)
    numbers = [event["number"] for _, event in server.sent]
    assert sorted(numbers) == list(range(50))


def test_too_much(simulate: Simulate) -> None:
    """put_nowait() raises, put() waits: for the inbox, and for all together."""

    async def bring(server: Server) -> None:
        queue = server.get_or_create_application_instance("a", {"type": "chat"})
        for _ in range(2):
            queue.put_nowait({"type": "say"})
        assert queue.full()
        with pytest.raises(asyncio.QueueFull):
            queue.put_nowait({"type": "say"})
        await queue.put({"type": "say"})
        other = server.get_or_create_application_instance("b", {"type": "chat"})
        with pytest.raises(asyncio.QueueFull):
            other.put_nowait({"type": "say"})  # three are in flight
        waiting = asyncio.ensure_future(queue.put({"type": "say"}))
        await asyncio.sleep(0.1)
        waiting.cancel()
        await asyncio.wait([waiting])
        await other.put({"type": "say"})

    server = Server(slow, bring, Limits(inbox_size=2, max_in_flight=3))
    simulate(server.arun())
    assert len(server.sent) == 4


def test_a_cancelled_put_puts_nothing(simulate: Simulate) -> None:
    """Cancelling the wait for room leaves no trace."""

    async def bring(server: Server) -> None:
        queue = server.get_or_create_application_instance("a", {"type": "chat"})
        await queue.put({"type": "say"})
        await asyncio.sleep(0.1)
        await queue.put({"type": "say"})
        two = [asyncio.ensure_future(queue.put({"type": "say"})) for _ in range(2)]
        await asyncio.sleep(0.1)
        two[0].cancel()
        await asyncio.wait(two)

    server = Server(slow, bring, Limits(inbox_size=1))
    simulate(server.arun())
    assert len(server.sent) == 3


def test_dropped_for_want_of_room(
    simulate: Simulate, caplog: pytest.LogCaptureFixture
) -> None:
    """With that policy put() does not wait, and the log says what is lost."""

    async def bring(server: Server) -> None:
        queue = server.get_or_create_application_instance("a", {"type": "chat"})
        for _ in range(3):
            await queue.put({"type": "say"})

    server = Server(slow, bring, Limits(inbox_size=1, full=FullPolicy.DROP))
    simulate(server.arun())
    assert len(server.sent) == 1
    assert "An event of 'a' is lost: inbox full" in caplog.text


def test_an_application_that_fails(simulate: Simulate) -> None:
    """Its exception is told, with the queue, the scope and the task."""
    scope: MessageScope = {"type": "chat"}

    async def bring(server: Server) -> None:
        queue = server.get_or_create_application_instance("a", scope)
        await queue.put({"type": "say"})

    server = Server(fail, bring)
    simulate(server.arun())
    assert len(server.raised) == 2
    for error, details in server.raised:
        assert isinstance(error, OSError)
        assert details["scope"] is scope
        assert isinstance(details["future"], asyncio.Task)
        assert details["input_queue"].empty()
        assert details["last_used"] >= 0


def test_a_hook_that_fails(
    simulate: Simulate, caplog: pytest.LogCaptureFixture
) -> None:
    """It harms nobody."""

    class Rude(Server):
        async def application_exception(
            self, exception: BaseException, application_details: ApplicationDetails
        ) -> None:
            msg = "I refuse"
            raise ValueError(msg)

    async def bring(server: Server) -> None:
        queue = server.get_or_create_application_instance("a", {"type": "chat"})
        await queue.put({"type": "say"})

    simulate(Rude(fail, bring).arun())
    assert "application_exception(): ValueError('I refuse')" in caplog.text
    assert "An event of 'a' is lost: failed 2 times" in caplog.text


def test_a_handler_that_fails(
    simulate: Simulate, caplog: pytest.LogCaptureFixture
) -> None:
    """Its exception comes out; what was not handled is told as lost."""

    async def stuck(scope: MessageScope, receive: Receive, send: Send) -> None:
        await receive()
        await asyncio.Event().wait()

    async def bring(server: Server) -> None:
        queue = server.get_or_create_application_instance("a", {"type": "chat"})
        await queue.put({"type": "say"})
        await asyncio.sleep(1)
        msg = "no network"
        raise OSError(msg)

    async def main() -> None:
        with pytest.raises(OSError, match="no network"):
            await Server(stuck, bring, Limits(close_grace=2)).arun()

    assert simulate(main()) == pytest.approx(3)
    assert "An event of 'a' is lost: not handled in time" in caplog.text


def test_a_wish_that_is_not_granted(simulate: Simulate) -> None:
    """An instance that nobody has a place for is forgotten at the end."""

    async def bring(server: Server) -> None:
        queue = server.get_or_create_application_instance("a", {"type": "chat"})
        await queue.put({"type": "say"})
        server.get_or_create_application_instance("b", {"type": "chat"})
        await asyncio.sleep(0.5)
        msg = "no network"
        raise OSError(msg)

    async def main() -> None:
        server = Server(slow, bring, max_applications=1)
        with pytest.raises(OSError, match="no network"):
            await server.arun()
        assert len(server.sent) == 1

    simulate(main())


def test_asgi_2(simulate: Simulate) -> None:
    """Applications that are called twice work, too."""

    def app(scope: MessageScope) -> Callable[[Receive, Send], Awaitable[None]]:
        async def instance(receive: Receive, send: Send) -> None:
            await send(await receive())

        return instance

    async def bring(server: Server) -> None:
        queue = server.get_or_create_application_instance("a", {"type": "chat"})
        await queue.put({"type": "say"})

    server = Server(app, bring)
    simulate(server.arun())
    assert len(server.sent) == 1


def test_what_must_be_overridden(simulate: Simulate) -> None:
    """The error names the class and the method."""

    async def main() -> None:
        server = HandlerServer(echo)
        with pytest.raises(NotImplementedError, match=r"HandlerServer must.*handle"):
            await server.arun()
        with pytest.raises(NotImplementedError, match="application_send"):
            await server.application_send({}, {})
        # Nothing to do by default.
        details: Any = {}
        await server.application_exception(OSError(), details)
        source = server._get_engine().ledger._source
        await source.open()
        assert not await source.pull(1)
        await source.close()
        checking = asyncio.ensure_future(server.application_checker())
        await asyncio.sleep(1000)
        assert not checking.done()
        checking.cancel()
        await asyncio.wait([checking])

    simulate(main())


def test_run_blocks() -> None:
    """run() has a loop of its own, and survives Ctrl-C."""

    async def bring(server: Server) -> None:
        queue = server.get_or_create_application_instance("a", {"type": "chat"})
        await queue.put({"type": "say"})

    server = Server(echo, bring)
    server.run()
    assert len(server.sent) == 2

    async def interrupted(server: Server) -> None:
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        messages: list[str] = []
        patch.setattr(
            logging.getLogger("asgibridge.servers"),
            "info",
            messages.append,
        )
        Server(echo, interrupted).run()
    assert messages == ["Exiting due to Ctrl-C/interrupt"]
