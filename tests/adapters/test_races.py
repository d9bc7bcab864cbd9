"""Moments between two steps that the whole adapter meets only by chance."""

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from contextvars import copy_context
from io import BytesIO
from types import SimpleNamespace
from typing import Any
from wsgiref.types import StartResponse

import pytest

from asgibridge.adapters import WsgiLimits, WsgiToAsgi, _inbox, _wsgi_task
from asgibridge.adapters._asgi_call import AsgiCall
from asgibridge.adapters._bell import Bell
from asgibridge.adapters._environ import EnvironBuilder
from asgibridge.adapters._gate import Gates
from asgibridge.adapters._header_names import ResponseHeaderNames
from asgibridge.adapters._inbox import Inbox
from asgibridge.adapters._line import Line
from asgibridge.adapters._outbox import Outbox
from asgibridge.adapters._response import WsgiResponse
from asgibridge.adapters._traffic import Traffic
from asgibridge.adapters._wsgi_work import WsgiWork
from asgibridge.bridge import Bridge
from asgibridge.loops import Mailbox

from .conftest import DISCONNECT, Server, request_body

Make = Callable[..., Server]
TEXT = [("Content-Type", "text/plain")]


def test_a_reader_that_is_quicker_than_the_receiver_is_seen(
    server: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The thread read everything just before the receiver waits for room."""
    inboxes: list[Inbox] = []
    data: list[bytes] = []

    class QuickReader(Bell):
        """The thread reads while the receiver announces its sleep."""

        def __setattr__(self, name: str, value: object) -> None:
            super().__setattr__(name, value)
            if name == "is_idle" and value:
                data.append(inboxes[0].pull())

    async def main() -> None:
        loop = asyncio.get_running_loop()
        asked = server(b"12345", b"6")
        limits = WsgiLimits(read_ahead_bytes=4)
        inbox = Inbox(Line(loop, Mailbox(loop), Gates()), asked.receive, limits)
        inboxes.append(inbox)
        inbox.watch()
        inbox.watch()
        await asked.until(lambda: asked.asked == 3)
        data.append(inbox.pull())
        await inbox.close()

    monkeypatch.setattr(_inbox, "Bell", QuickReader)
    asyncio.run(main())
    assert data == [b"12345", b"6"]


def test_a_receiver_that_is_woken_too_early_waits_on(server: Make) -> None:
    """A ring may be left over from a sleep that did not come to be."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        asked = server(b"12345", b"6")
        limits = WsgiLimits(read_ahead_bytes=4)
        inbox = Inbox(Line(loop, Mailbox(loop), Gates()), asked.receive, limits)
        inbox.watch()
        bell = inbox._bell
        assert bell is not None
        await asked.until(lambda: bell.is_idle)
        loop.call_soon(bell.deliver)
        await asyncio.sleep(0)
        assert bell.is_idle  # again
        assert asked.asked == 1
        assert inbox.pull() == b"12345"
        await asked.until(lambda: asked.asked == 3)
        await inbox.close()

    asyncio.run(main())


def test_only_one_answers_for_what_the_application_raised(server: Make) -> None:
    """The task takes the error, or the thread logs it; never both."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        traffic = Traffic(Mailbox(loop))
        line = Line(loop, traffic.mailbox, Gates())
        asked = server()
        outbox = Outbox(line, 1)
        work = WsgiWork(
            lambda _environ, _start: [],
            asked.scope,
            EnvironBuilder(limits=WsgiLimits()),
            line,
            Inbox(line, asked.receive, WsgiLimits()),
            outbox,
            WsgiResponse(outbox.put, "GET", ResponseHeaderNames()),
            deque([None]),
            traffic.end,
        )
        error = LookupError()
        assert work.take_error() is None
        work.fail(error)
        assert work.take_error() is error
        assert work.take_error() is None

    asyncio.run(main())


def test_events_of_other_kinds_are_passed_over(bridge: Bridge, server: Make) -> None:
    """ASGI lets others add their own."""

    def app(environ: dict[str, Any], start_response: StartResponse) -> list[bytes]:
        data = environ["wsgi.input"].read()
        start_response("200 OK", TEXT)
        return [data]

    asked = server(incoming=[{"type": "http.other"}, *request_body(b"x", b"y")])
    asyncio.run(asked.run(WsgiToAsgi(app, bridge=bridge)))
    assert asked.body == b"xy"


def test_a_watch_for_a_client_that_is_gone_is_not_begun(server: Make) -> None:
    """It would wait for what was received already."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        asked = server(incoming=[DISCONNECT])
        line = Line(loop, Mailbox(loop), Gates())
        inbox = Inbox(line, asked.receive, WsgiLimits())
        line.hang_up()
        inbox.watch()
        assert not inbox.is_receiving
        await inbox.close()
        assert asked.asked == 0

    asyncio.run(main())


def test_a_drain_that_has_ended_is_not_told(server: Make) -> None:
    """The last request ended just after the drain gave up."""

    async def main() -> None:
        traffic = Traffic(Mailbox(asyncio.get_running_loop()))
        assert await traffic.drain(0)
        traffic.deliver()
        traffic.begin("work")  # type: ignore[arg-type] # only counted
        draining = asyncio.ensure_future(traffic.drain(10))
        await asyncio.sleep(0)
        traffic.end("work")  # type: ignore[arg-type] # only counted
        traffic.deliver()
        traffic.deliver()
        assert await draining
        assert len(traffic) == 0

    asyncio.run(main())


def test_a_cancellation_after_a_failed_send_ends_the_wait(
    bridge: Bridge, server: Make
) -> None:
    """The task no longer waits for the application, which ends on its own."""
    closed, go_on = threading.Event(), threading.Event()

    class Result:
        def __iter__(self) -> "Result":
            return self

        def __next__(self) -> bytes:
            return bytes(100)

        def close(self) -> None:
            failed.set()
            assert go_on.wait(timeout=60)
            closed.set()

    failed = threading.Event()

    def app(environ: dict[str, Any], start_response: StartResponse) -> Result:
        start_response("200 OK", TEXT)
        return Result()

    async def fail(event: dict[str, Any]) -> None:
        raise OSError

    async def main() -> None:
        asked = server()
        asked.on_send = fail
        task = asyncio.ensure_future(asked.run(WsgiToAsgi(app, bridge=bridge)))
        assert await asyncio.to_thread(failed.wait, 10)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        go_on.set()
        assert await asyncio.to_thread(closed.wait, 10)

    asyncio.run(main())


def test_threads_end_with_the_last_of_several_lifespans(
    bridge: Bridge, server: Make
) -> None:
    """One loop's shutdown leaves the others their threads."""

    def app(environ: dict[str, Any], start_response: StartResponse) -> list[bytes]:
        start_response("200 OK", TEXT)
        return [b"x"]

    async def main() -> None:
        adapter = WsgiToAsgi(app, bridge=bridge)
        detacher = adapter._dispatcher._detacher
        lives = [server(incoming=[], type="lifespan") for _ in range(2)]
        tasks = [asyncio.ensure_future(life.run(adapter)) for life in lives]
        await lives[1].until(lambda: lives[1].asked)
        lives[0].feed({"type": "lifespan.shutdown"})
        await tasks[0]
        assert adapter._dispatcher._detacher is detacher
        lives[1].feed({"type": "lifespan.shutdown"})
        await tasks[1]
        assert adapter._dispatcher._detacher is not detacher

    asyncio.run(main())


def asgi_call(mailbox: Mailbox, app: Any, body: bytes = b"") -> AsgiCall:
    scope: dict[str, Any] = {"type": "http", "method": "GET", "path": "/"}
    context, data = copy_context(), BytesIO(body)
    return AsgiCall(
        app, scope, context, mailbox, set(), len(body), 100, data, None, Gates()
    )


def test_the_last_part_of_a_body_is_there_before_it_is_known_to_be_the_last() -> None:
    """Whoever receives just before it is there waits; it is not told of an end."""

    async def main() -> None:
        call = asgi_call(Mailbox(asyncio.get_running_loop()), None, b"ab")
        waited: list[object] = []

        class Chunks(deque[Any]):
            """Another task receives just before the part is added."""

            def append(self, chunk: Any, /) -> None:
                receiving = call._receive()
                waited.append(receiving.send(None))
                receiving.close()
                super().append(chunk)

        call._chunks = Chunks()
        call._read()
        assert len(waited) == 1
        assert (await call._receive())["body"] == b"ab"

    asyncio.run(main())


def test_a_task_that_becomes_ready_while_it_announces_its_sleep_does_not_sleep() -> (
    None
):
    """The thread took what was sent between the two looks."""

    async def main() -> None:
        call = asgi_call(Mailbox(asyncio.get_running_loop()), None)
        looks = iter([False, True, True])
        await call._wait(lambda: next(looks))
        (future,) = call._waiting
        assert not future.done()
        call._wake_task()
        assert future.done()
        call._waiting.append(future)
        call._wake_task()  # once is enough
        assert call._waiting == []

    asyncio.run(main())


def test_a_line_is_cancelled_as_a_future_is() -> None:
    """With its message, while the task is parked on it; else the task is asked."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        line = Line(loop, Mailbox(loop), Gates())
        assert not line.cancel()

        async def park() -> None:
            line.is_idle = True
            await line

        for message in (None, "because"):
            task = asyncio.ensure_future(park())
            await asyncio.sleep(0)
            task.cancel(message)
            with pytest.raises(asyncio.CancelledError) as caught:
                await task
            assert caught.value.args == (() if message is None else (message,))
        task = asyncio.ensure_future(park())
        await asyncio.sleep(0)
        line.ring()
        await task

    asyncio.run(main())


def test_what_comes_while_the_task_goes_idle_is_not_waited_for() -> None:
    """The task says that it is idle first, and looks once more after that."""
    events: deque[None] = deque()
    line = SimpleNamespace(gone=False, is_idle=False)
    # Watching for a disconnect is the last thing before the look.
    inbox = SimpleNamespace(
        has_work=lambda: False, watched=True, watch=lambda: events.append(None)
    )
    outbox = SimpleNamespace(events=events, note_sent=print, streaming=False)

    async def send(event: object) -> None:
        pytest.fail("there is nothing to send")

    relay: Any = _wsgi_task._relay
    asyncio.run(relay(line, inbox, outbox, send))
    assert not line.is_idle
    assert not events


def test_a_thread_sensitive_request_that_is_cancelled(
    bridge: Bridge, server: Make
) -> None:
    """It is a crossing of its own: there is no other call to cancel."""
    entered, go_on, closed = threading.Event(), threading.Event(), threading.Event()

    class Result:
        def __iter__(self) -> "Result":
            return self

        def __next__(self) -> bytes:
            entered.set()
            assert go_on.wait(timeout=60)
            return b"x"

        def close(self) -> None:
            closed.set()

    def app(environ: dict[str, Any], start_response: StartResponse) -> Result:
        start_response("200 OK", TEXT)
        return Result()

    async def main() -> None:
        adapter = WsgiToAsgi(app, bridge=bridge, thread_sensitive=True)
        task = asyncio.ensure_future(server().run(adapter))
        assert await asyncio.to_thread(entered.wait, 10)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        go_on.set()
        assert await asyncio.to_thread(closed.wait, 10)

    asyncio.run(main())


def test_a_loop_that_ends_while_a_thread_sensitive_request_runs(
    bridge: Bridge, server: Make, caplog: pytest.LogCaptureFixture
) -> None:
    """All tasks are cancelled; the request ends once, and counts as one."""
    entered, cancelled = threading.Event(), threading.Event()

    def app(environ: dict[str, Any], start_response: StartResponse) -> list[bytes]:
        entered.set()
        assert cancelled.wait(timeout=60)
        start_response("200 OK", TEXT)
        return [b"x"]

    async def ask() -> None:
        try:
            await server().run(adapter)
        finally:
            cancelled.set()

    async def main() -> None:
        task = asyncio.ensure_future(ask())
        assert await asyncio.to_thread(entered.wait, 60)
        assert not task.done()  # asyncio.run() cancels it

    adapter = WsgiToAsgi(app, bridge=bridge, thread_sensitive=True)
    asyncio.run(main())
    assert not caplog.records
    assert not adapter._dispatcher.queued
