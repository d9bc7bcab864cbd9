"""The lifespan protocol, as the server runs it."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import attrs
import pytest

from asgibridge.errors import LifespanError
from asgibridge.servers import (
    Limits,
    MemorySink,
    MemorySource,
    Message,
    StatelessServer,
)
from asgibridge.types import ASGIApp, MessageEvent, MessageScope

Simulate = Callable[[Coroutine[Any, Any, None]], float]
Receive = Callable[[], Awaitable[MessageEvent]]
Send = Callable[[MessageEvent], Awaitable[None]]


async def serve(app: ASGIApp, mode: Any = "auto") -> MemorySink:  # noqa: ANN401 - literals
    """Serve one message; return what was sent."""
    source, sink = MemorySource(), MemorySink()
    source.put_nowait(Message("a", {"type": "message.receive"}))
    source.end()
    limits = Limits(drain_timeout=10)
    await StatelessServer(app, source, sink, limits=limits, lifespan=mode).serve()
    return sink


@attrs.define(eq=False)
class App:
    """Handles messages, and its lifespan the way a test says."""

    live: Callable[[Receive, Send], Coroutine[Any, Any, None]]
    messages: int = 0

    async def __call__(self, scope: MessageScope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.live(receive, send)
        else:
            await receive()
            self.messages += 1


async def knows_nothing(receive: Receive, send: Send) -> None:
    """Raise, as applications do that have no lifespan."""
    msg = "no lifespan here"
    raise ValueError(msg)


async def returns(receive: Receive, send: Send) -> None:
    """Return without a word."""


async def listens(receive: Receive, send: Send) -> None:
    """Take everything for something else."""
    while True:
        await receive()


async def talks(receive: Receive, send: Send) -> None:
    """Send what is no part of the protocol."""
    while True:
        await send({"type": "message.send"})


UNAWARE = [
    (knows_nothing, "raised ValueError"),
    (returns, "returned"),
    (listens, "asked for a second event"),
    (talks, "sent 'message.send'"),
]


@pytest.mark.parametrize("live", [live for live, _ in UNAWARE])
def test_unaware_applications_work(
    simulate: Simulate, live: Callable[[Receive, Send], Coroutine[Any, Any, None]]
) -> None:
    """By default an application need not know of lifespans."""

    async def main() -> None:
        app = App(live)
        await serve(app)
        assert app.messages == 1

    simulate(main())


@pytest.mark.parametrize(
    ("live", "problem"), [pair for pair in UNAWARE if pair[0] is not listens]
)
def test_unaware_applications_are_refused(
    simulate: Simulate,
    live: Callable[[Receive, Send], Coroutine[Any, Any, None]],
    problem: str,
) -> None:
    """With "on" the error says what the application did instead."""

    async def main() -> None:
        app = App(live)
        with pytest.raises(LifespanError, match=f"no lifespan.*{problem}"):
            await serve(app, "on")
        assert not app.messages

    simulate(main())


def test_off(simulate: Simulate) -> None:
    """The application does not hear of it."""

    async def live(receive: Receive, send: Send) -> None:
        pytest.fail("called")

    async def main() -> None:
        await serve(App(live), "off")

    simulate(main())


def test_a_failure_to_start(simulate: Simulate) -> None:
    """Said twice is said once; the message is in the error."""

    async def live(receive: Receive, send: Send) -> None:
        await receive()
        for _ in range(2):
            await send({"type": "lifespan.startup.failed", "message": "no database"})

    async def main() -> None:
        with pytest.raises(LifespanError, match="cannot start: no database"):
            await serve(App(live))

    simulate(main())


@pytest.mark.parametrize("how", ["complete", "failed", "return", "raise", "never"])
def test_the_end(
    simulate: Simulate, caplog: pytest.LogCaptureFixture, how: str
) -> None:
    """The server waits for the shutdown, but not for ever, and reports trouble."""

    async def live(receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "lifespan.startup.complete"})
        assert (await receive())["type"] == "lifespan.shutdown"
        await asyncio.sleep(3)
        if how in {"complete", "failed"}:
            await send({"type": f"lifespan.shutdown.{how}", "message": "burning"})
        if how == "raise":
            msg = "burning"
            raise OSError(msg)
        if how == "never":
            await asyncio.Event().wait()

    async def main() -> None:
        await serve(App(live))

    seconds = simulate(main())
    assert seconds == pytest.approx(10 if how == "never" else 3)
    assert ("burning" in caplog.text) == (how in {"failed", "raise"})


def test_an_early_end(simulate: Simulate, caplog: pytest.LogCaptureFixture) -> None:
    """A lifespan that ends after the start is the application's business."""

    async def live(receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "lifespan.startup.complete"})

    async def main() -> None:
        app = App(live)
        await serve(app)
        assert app.messages == 1

    simulate(main())
    assert not caplog.text
