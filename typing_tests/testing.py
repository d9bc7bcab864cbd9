"""What type checkers accept and refuse in `asgibridge.testing` and the observers."""

from concurrent.futures import Future
from typing import Any, assert_type

import httpx

from asgibridge import Bridge
from asgibridge.observers import LoggingObserver, TimelineObserver, TimelinePage
from asgibridge.observers.otel import OpenTelemetryObserver
from asgibridge.testing import (
    ApplicationCommunicator,
    FakeCrossing,
    InlineExecutor,
    ManualClock,
    ManualExecutor,
    RecordingObserver,
    SyncApplicationCommunicator,
    TestThread,
    http_scope,
    lifespan_scope,
    websocket_scope,
)
from asgibridge.testing.transport import ASGITransport, SyncASGITransport
from asgibridge.types import (
    ASGIApp,
    BlockingExecutor,
    Clock,
    Crossing,
    HTTPSendEvent,
    LifespanSendEvent,
    Observer,
    WebSocketSendEvent,
)


def length(text: str, *, strict: bool) -> int:
    return len(text) + strict


def executors(inline: InlineExecutor, manual: ManualExecutor) -> None:
    for executor in (inline, manual):
        as_executor: BlockingExecutor = executor
        Bridge(thread_sensitive=as_executor)
        assert_type(executor.submit(length, "x", strict=True), Future[int])
    inline.submit(length, "x", strict=1.5)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    manual.submit(length, 1, strict=True)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    assert_type(
        TestThread(is_own=True, has_loop=False).executor, BlockingExecutor | None
    )


def observers(
    recording: RecordingObserver,
    timeline: TimelineObserver,
    log: LoggingObserver,
    otel: OpenTelemetryObserver,
) -> None:
    told: list[Observer] = [recording, timeline, log, otel]
    Bridge(observers=told)
    Bridge(observers=[object()])  # type: ignore[list-item]  # pyright: ignore[reportArgumentType]
    crossing: Crossing = FakeCrossing(length)
    recording.queued(crossing)
    page: ASGIApp = TimelinePage(timeline)
    TimelinePage(timeline, page)


def clocks(manual: ManualClock) -> Clock:
    return manual


async def conversations(app: ASGIApp) -> None:
    http = ApplicationCommunicator(app, http_scope())
    assert_type(await http.receive_output(), HTTPSendEvent)
    await http.send_input({"type": "http.request", "body": b""})
    await http.send_input({"type": "websocket.connect"})  # type: ignore[arg-type, misc]  # pyright: ignore[reportArgumentType]
    socket = ApplicationCommunicator(app, websocket_scope())
    assert_type(await socket.receive_all(), list[WebSocketSendEvent])
    lifespan = ApplicationCommunicator(app, lifespan_scope())
    assert_type(await lifespan.receive_output(), LifespanSendEvent)
    custom = ApplicationCommunicator(app, {"type": "clock"})
    assert_type(await custom.receive_output(), Any)
    blocking = SyncApplicationCommunicator(http)
    assert_type(blocking.receive_output(), HTTPSendEvent)
    async with http as entered:
        assert_type(await entered.receive_nothing(), bool)


def transports(app: ASGIApp) -> None:
    transport = ASGITransport(app, lifespan="on")
    httpx.AsyncClient(transport=transport)
    httpx.Client(transport=SyncASGITransport(transport))
    ASGITransport(app, lifespan="maybe")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
