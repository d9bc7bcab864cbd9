"""AsgiToWsgi: an ASGI application under a WSGI server."""

import asyncio
import contextlib
import gc
import io
import logging
import os
import threading
import weakref
from collections.abc import Callable, Iterable, Iterator
from contextvars import ContextVar
from typing import Any
from wsgiref.util import setup_testing_defaults
from wsgiref.validate import validator

import pytest
import uvloop

from asgibridge.adapters import AsgiToWsgi, WsgiToAsgi
from asgibridge.bridge import Bridge
from asgibridge.errors import (
    ApplicationExitError,
    ApplicationTimeoutError,
    AsgiProtocolError,
    ClientDisconnectedError,
    DeadlockError,
    IncompleteResponseError,
    LifespanFailedError,
)

from .conftest import Server

Event = dict[str, Any]
START: Event = {
    "type": "http.response.start",
    "status": 200,
    "headers": [(b"content-type", b"text/plain")],
}


def body(data: bytes, *, more: bool = False) -> Event:
    return {"type": "http.response.body", "body": data, "more_body": more}


def only_http(app: Any) -> Any:
    async def wrapped(scope: Event, receive: Any, send: Any) -> None:
        assert scope["type"] == "http"
        await app(scope, receive, send)

    return wrapped


def sending(*events: Event) -> Any:
    @only_http
    async def app(scope: Event, receive: Any, send: Any) -> None:
        for event in events:
            await send(event)

    return app


class Client:
    """A WSGI server's side of one request."""

    def __init__(self, data: bytes = b"", /, **environ: Any) -> None:
        self.environ: dict[str, Any] = {"QUERY_STRING": ""}
        setup_testing_defaults(self.environ)
        self.environ["wsgi.input"] = io.BytesIO(data)
        if data:
            self.environ["CONTENT_LENGTH"] = str(len(data))
        self.environ.update(environ)
        self.status = ""
        self.headers: list[tuple[str, str]] = []

    def start_response(
        self, status: str, headers: list[tuple[str, str]], exc_info: Any = None
    ) -> Callable[[bytes], object]:
        assert not self.status
        self.status, self.headers = status, headers
        return lambda _: None

    def begin(self, app: Any) -> Any:
        return app(self.environ, self.start_response)

    def ask(self, app: Any) -> bytes:
        result: Iterable[bytes] = self.begin(app)
        try:
            return b"".join(result)
        finally:
            close = getattr(result, "close", None)
            if close is not None:
                close()


@pytest.fixture
def adapt(bridge: Bridge) -> Callable[..., AsgiToWsgi]:
    def make(app: Any, **options: Any) -> AsgiToWsgi:
        return AsgiToWsgi(app, bridge=bridge, **options)

    return make


Adapt = Callable[..., AsgiToWsgi]


def test_a_whole_response_is_one_block(adapt: Adapt) -> None:
    """So that the WSGI server can tell its length."""
    client = Client()
    result = client.begin(adapt(sending(START, body(b"hello"))))
    assert result == [b"hello"]
    assert client.status == "200 OK"
    assert client.headers == [("content-type", "text/plain")]


@pytest.mark.parametrize(
    ("status", "line"), [(404, "404 Not Found"), (299, "299 Unknown")]
)
def test_a_status_gets_its_reason(adapt: Adapt, status: int, line: str) -> None:
    """PEP 3333 wants one."""
    client = Client()
    client.ask(adapt(sending({**START, "status": status}, body(b""))))
    assert client.status == line


def test_headers_of_the_connection_are_left_out(adapt: Adapt) -> None:
    """ASGI applications may send them, WSGI applications must not."""
    headers = [(b"Transfer-Encoding", b"chunked"), (b"x-a", b"\xe9")]
    client = Client()
    client.ask(adapt(sending({**START, "headers": headers}, body(b""))))
    assert client.headers == [("x-a", "\xe9")]
    client = Client()
    client.ask(adapt(sending({"type": START["type"], "status": 200}, body(b""))))
    assert client.headers == []


@only_http
async def echo(scope: Event, receive: Any, send: Any) -> None:
    await send(START)
    more = True
    while more:
        event = await receive()
        assert event["type"] == "http.request"
        more = event.get("more_body", False)
        await send(body(event.get("body", b""), more=more))


@pytest.mark.parametrize("data", [b"", b"x", b"y" * 300_000])
def test_the_validator_of_the_standard_library_has_no_complaint(
    adapt: Adapt, data: bytes
) -> None:
    """Whole, streamed, and with a body."""
    assert Client(data).ask(validator(adapt(echo))) == data


def test_a_body_without_a_length_is_read_to_its_end(adapt: Adapt) -> None:
    """Where the server ends it; elsewhere there is none."""
    client = Client(
        b"", **{"wsgi.input": io.BytesIO(b"abc"), "wsgi.input_terminated": True}
    )
    assert client.ask(adapt(echo)) == b"abc"
    assert Client(b"", **{"wsgi.input": io.BytesIO(b"abc")}).ask(adapt(echo)) == b""


def test_a_body_is_read_only_when_asked_for(adapt: Adapt) -> None:
    """And in pieces, so that little of it is in memory."""
    sizes: list[int] = []

    class Input(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            sizes.append(-1 if size is None else size)
            return super().read(size)

    client = Client(
        b"", **{"wsgi.input": Input(bytes(200_000)), "CONTENT_LENGTH": "200000"}
    )
    client.ask(adapt(sending(START, body(b"x"))))
    assert sizes == []
    client = Client(
        b"", **{"wsgi.input": Input(bytes(200_000)), "CONTENT_LENGTH": "200000"}
    )
    assert len(client.ask(adapt(echo))) == 200_000
    assert max(sizes) <= 65_536


def test_a_body_that_ends_early_is_a_disconnect(adapt: Adapt) -> None:
    """Never a part taken for the whole."""
    seen: list[str] = []

    @only_http
    async def app(scope: Event, receive: Any, send: Any) -> None:
        while not seen or seen[-1] != "http.disconnect":
            seen.append((await receive())["type"])

    client = Client(b"", **{"wsgi.input": io.BytesIO(b"ab"), "CONTENT_LENGTH": "5"})
    with pytest.raises(IncompleteResponseError):
        client.ask(adapt(app))
    assert seen == ["http.request", "http.disconnect"]


def test_an_error_of_the_input_reaches_the_server(adapt: Adapt) -> None:
    """It is the server's own; the application is told that the client left."""
    seen = threading.Event()

    @only_http
    async def app(scope: Event, receive: Any, send: Any) -> None:
        if (await receive())["type"] == "http.disconnect":
            seen.set()

    class Input:
        def read(self, size: int) -> bytes:
            msg = "timed out"
            raise OSError(msg)

    with pytest.raises(OSError, match="timed out"):
        Client(b"", **{"wsgi.input": Input(), "CONTENT_LENGTH": "5"}).ask(adapt(app))
    assert seen.wait(timeout=60)


def test_a_part_is_out_before_the_next_is_there(adapt: Adapt) -> None:
    """The application waits until the server has the first."""
    got = threading.Event()

    @only_http
    async def app(scope: Event, receive: Any, send: Any) -> None:
        await send(START)
        await send(body(b"a", more=True))
        assert await asyncio.to_thread(got.wait, 10)
        await send(body(b"b"))

    result = Client().begin(adapt(app))
    parts = iter(result)
    assert next(parts) == b"a"
    got.set()
    assert list(parts) == [b"b"]


def test_a_slow_server_holds_the_application_back(adapt: Adapt) -> None:
    """It is never more than a window ahead of what is being taken."""
    sent = 0
    full = threading.Event()

    @only_http
    async def app(scope: Event, receive: Any, send: Any) -> None:
        nonlocal sent
        await send(START)
        for _ in range(100):
            sent += 100
            if sent >= 500:
                full.set()
            await send(body(bytes(100), more=True))
        await send(body(b""))

    result = Client().begin(adapt(app, response_window_bytes=500))
    parts = iter(result)
    taken = len(next(parts))
    assert full.wait(timeout=60)
    for part in parts:
        assert sent - taken <= 1200  # the window, what was taken, the next
        taken += len(part)
    assert taken == 10_000


def test_parts_that_wait_go_together_and_no_more(adapt: Adapt) -> None:
    """A part never grows while it is made, however fast the application is."""
    waiting = threading.Event()

    @only_http
    async def app(scope: Event, receive: Any, send: Any) -> None:
        await send(START)
        for _ in range(1000):
            for _ in range(2):
                await send(body(bytes(100), more=True))
            waiting.set()
        await send(body(b""))

    result = Client().begin(adapt(app, response_window_bytes=200))
    assert waiting.wait(timeout=60)
    sizes = [len(part) for part in result]
    assert sum(sizes) == 200_000
    assert max(sizes) <= 300


def test_the_client_s_leaving_reaches_the_application(adapt: Adapt) -> None:
    """Where it receives, and where it sends."""
    seen: list[object] = []
    ended = threading.Event()

    @only_http
    async def app(scope: Event, receive: Any, send: Any) -> None:
        assert (await receive())["type"] == "http.request"
        await send(START)
        await send(body(b"a", more=True))
        seen.append((await receive())["type"])
        try:
            await send(body(b"b"))
        except OSError as exc:
            seen.append(type(exc))
            raise
        finally:
            ended.set()

    result = Client().begin(adapt(app))
    assert next(iter(result)) == b"a"
    result.close()
    result.close()
    assert ended.wait(timeout=60)
    assert seen == ["http.disconnect", ClientDisconnectedError]
    assert list(result) == []


def test_leaving_frees_an_application_that_is_held_back(adapt: Adapt) -> None:
    """Its send returns, and the next raises."""
    ended = threading.Event()

    @only_http
    async def app(scope: Event, receive: Any, send: Any) -> None:
        await send(START)
        try:
            while True:
                await send(body(bytes(100_000), more=True))
        except OSError:
            ended.set()

    result = Client().begin(adapt(app))
    result.close()
    assert ended.wait(timeout=60)


def test_work_after_the_response_goes_on(adapt: Adapt) -> None:
    """The server has the response meanwhile; the application sees its end."""
    go_on, done = threading.Event(), threading.Event()
    seen: list[str] = []

    @only_http
    async def app(scope: Event, receive: Any, send: Any) -> None:
        await receive()
        waiting = asyncio.ensure_future(receive())
        await asyncio.sleep(0)
        await send(START)
        await send(body(b"a"))
        await send(body(b"ignored"))
        seen.append((await waiting)["type"])
        assert await asyncio.to_thread(go_on.wait, 10)
        done.set()

    adapter = adapt(app)
    assert Client().ask(adapter) == b"a"
    assert not done.is_set()
    go_on.set()
    assert done.wait(timeout=60)
    assert seen == ["http.disconnect"]


def test_an_error_after_the_response_is_logged(
    adapt: Adapt, caplog: pytest.LogCaptureFixture
) -> None:
    """There is nobody to raise it to."""

    @only_http
    async def app(scope: Event, receive: Any, send: Any) -> None:
        await send(START)
        await send(body(b"a"))
        msg = "in the background"
        raise LookupError(msg)

    adapter = adapt(app)
    assert Client().ask(adapter) == b"a"
    adapter.close()
    assert "in the background" in caplog.text
    assert "GET '/' of ASGI application" in caplog.text


@pytest.mark.parametrize("before", [[], [START]])
def test_an_error_before_the_body_is_raised_before_the_headers(
    adapt: Adapt, before: list[Event]
) -> None:
    """So that the server can still answer with an error page."""
    error = LookupError("early")

    @only_http
    async def app(scope: Event, receive: Any, send: Any) -> None:
        for event in before:
            await send(event)
        raise error

    client = Client()
    with pytest.raises(LookupError) as caught:
        client.begin(adapt(app))
    assert caught.value is error
    assert client.status == ""


def test_an_error_in_the_body_is_raised_out_of_the_iteration(adapt: Adapt) -> None:
    """After what was sent before it; nothing follows."""

    @only_http
    async def app(scope: Event, receive: Any, send: Any) -> None:
        await send(START)
        await send(body(b"a", more=True))
        await send(body(b"b", more=True))
        raise LookupError

    result = Client().begin(adapt(app))
    parts = iter(result)
    data = b""
    with pytest.raises(LookupError):  # noqa: PT012 # how many parts is not certain
        while True:
            data += next(parts)
    assert data == b"ab"
    assert list(parts) == []
    result.close()


@pytest.mark.parametrize("events", [[], [START]])
def test_no_response_is_an_error(adapt: Adapt, events: list[Event]) -> None:
    """And does not wait for ever."""
    client = Client()
    with pytest.raises(IncompleteResponseError, match="without a complete response"):
        client.begin(adapt(sending(*events)))
    assert client.status == ""


@pytest.mark.parametrize(
    "events",
    [
        [body(b"x")],
        [START, START],
        [{"type": "http.response.push"}],
        [START, {"type": "x"}],
    ],
)
def test_events_out_of_order_raise_in_the_application(
    adapt: Adapt, events: list[Event]
) -> None:
    """Out of its send(), with what it sent and when."""
    with pytest.raises(AsgiProtocolError, match=r"'http\.response\.start'"):
        Client().begin(adapt(sending(*events)))


@pytest.mark.parametrize("error", [SystemExit, asyncio.CancelledError])
def test_no_exception_of_the_application_stops_the_server(
    adapt: Adapt, error: type[BaseException]
) -> None:
    """Nor the loop that others share."""

    @only_http
    async def app(scope: Event, receive: Any, send: Any) -> None:
        if scope["path"] == "/":
            raise error(3)
        await sending(START, body(b"x"))(scope, receive, send)

    adapter = adapt(app)
    with pytest.raises(ApplicationExitError, match=error.__name__):
        Client().begin(adapter)
    assert Client(PATH_INFO="/x").ask(adapter) == b"x"


def test_an_error_of_start_response_tells_the_application(adapt: Adapt) -> None:
    """As if the client had left."""
    ended = threading.Event()

    @only_http
    async def app(scope: Event, receive: Any, send: Any) -> None:
        await send(START)
        await send(body(b"a", more=True))
        with contextlib.suppress(OSError):
            await receive()
            await receive()
        ended.set()

    def refuse(*args: object) -> Any:
        raise LookupError

    with pytest.raises(LookupError):
        adapt(app)(Client().environ, refuse)
    assert ended.wait(timeout=60)


@pytest.mark.parametrize("events", [[], [START, body(b"a", more=True)]])
def test_a_wait_has_a_limit(adapt: Adapt, events: list[Event]) -> None:
    """Then the task is cancelled, and the server told."""
    ended = threading.Event()

    @only_http
    async def app(scope: Event, receive: Any, send: Any) -> None:
        try:
            for event in events:
                await send(event)
            await asyncio.Event().wait()
        finally:
            ended.set()

    with pytest.raises(
        ApplicationTimeoutError, match=r"sent nothing for 0\.01 seconds"
    ):
        Client().ask(adapt(app, timeout=0.01))
    assert ended.wait(timeout=60)


VARIABLE: ContextVar[str] = ContextVar("VARIABLE", default="unset")


def test_context_variables_are_seen(adapt: Adapt) -> None:
    """A copy of them: changes stay in the application."""

    @only_http
    async def app(scope: Event, receive: Any, send: Any) -> None:
        data = VARIABLE.get().encode()
        VARIABLE.set("changed")
        await send(START)
        await send(body(data))

    token = VARIABLE.set("mine")
    try:
        assert Client().ask(adapt(app)) == b"mine"
        assert VARIABLE.get() == "mine"
    finally:
        VARIABLE.reset(token)


def test_all_requests_share_one_loop(adapt: Adapt) -> None:
    """Also those of several threads; the factory is asked once."""
    loops: list[asyncio.AbstractEventLoop] = []
    made: list[asyncio.AbstractEventLoop] = []
    meet = asyncio.Barrier(3)

    def factory() -> asyncio.AbstractEventLoop:
        made.append(uvloop.new_event_loop())
        return made[-1]

    @only_http
    async def app(scope: Event, receive: Any, send: Any) -> None:
        loops.append(asyncio.get_running_loop())
        await meet.wait()
        await send(START)
        await send(body(b"x"))

    adapter = adapt(app, loop_factory=factory)
    threads = [threading.Thread(target=Client().ask, args=(adapter,)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert loops == made * 3
    assert len(made) == 1


class Lifespan:
    """An application that notes what happens to it."""

    def __init__(
        self, *, startup: str = "complete", shutdown: str = "complete"
    ) -> None:
        self.startup, self.shutdown = startup, shutdown
        self.log: list[object] = []

    async def __call__(self, scope: Event, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            self.log.append(dict(scope["state"]))
            scope["state"]["mine"] = 1
            await send(START)
            await send(body(b"x"))
            return
        scope["state"]["pool"] = "P"
        for phase in (self.startup, self.shutdown):
            event = await receive()
            self.log.append(event["type"])
            if phase == "raise":
                raise LookupError(event["type"])
            await send({"type": f"{event['type']}.{phase}", "message": "because"})
            if phase == "failed":
                return


def test_the_lifespan_begins_with_the_first_request_and_ends_with_the_adapter(
    adapt: Adapt,
) -> None:
    """Each request gets a copy of its state; a second round begins anew."""
    app = Lifespan()
    adapter = adapt(app)
    assert app.log == []
    for _ in range(2):
        app.log.clear()
        for _ in range(2):
            Client().ask(adapter)
        adapter.close()
        adapter.close()
        assert app.log == [
            "lifespan.startup",
            {"pool": "P"},
            {"pool": "P"},
            "lifespan.shutdown",
        ]


def test_the_lifespan_can_be_started_explicitly(adapt: Adapt) -> None:
    """With `start`, or the block."""
    app = Lifespan()
    with adapt(app) as adapter:
        assert app.log == ["lifespan.startup"]
        adapter.start()
        assert app.log == ["lifespan.startup"]
    assert app.log == ["lifespan.startup", "lifespan.shutdown"]


def test_the_lifespan_ends_with_the_bridge() -> None:
    """Without the adapter being closed."""
    app = Lifespan()
    with Bridge() as bridge:
        adapter = AsgiToWsgi(app, bridge=bridge)
        adapter.start()
        app.log.clear()
    assert app.log == ["lifespan.shutdown"]


def test_the_lifespan_ends_with_the_last_reference(bridge: Bridge) -> None:
    """The bridge does not keep an adapter alive."""
    app = Lifespan()
    adapter = AsgiToWsgi(app, bridge=bridge)
    adapter.start()
    reference = weakref.ref(adapter)
    del adapter
    gc.collect()
    assert reference() is None
    assert app.log == ["lifespan.startup", "lifespan.shutdown"]


def test_a_failed_startup_fails_the_request(adapt: Adapt) -> None:
    """With the application's reason; the next request tries again."""
    app = Lifespan(startup="failed")
    adapter = adapt(app)
    for _ in range(2):
        with pytest.raises(LifespanFailedError, match="failed to start: because"):
            Client().ask(adapter)
    assert app.log == ["lifespan.startup"] * 2


@pytest.mark.parametrize("error", [SystemExit("no database"), KeyboardInterrupt()])
def test_an_application_that_exits_has_failed_to_start(
    adapt: Adapt, error: BaseException
) -> None:
    """It wants not to be served; the WSGI server decides what becomes of itself."""

    async def app(scope: Event, receive: Any, send: Any) -> None:
        await receive()
        raise error

    adapter = adapt(app)
    for _ in range(2):
        with pytest.raises(LifespanFailedError, match=f"raised {type(error).__name__}"):
            Client().ask(adapter)


def test_an_application_that_exits_at_the_end_has_failed_to_shut_down(
    adapt: Adapt, caplog: pytest.LogCaptureFixture
) -> None:
    """Which is logged, as any failure of it."""

    async def app(scope: Event, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        raise SystemExit(3)

    with adapt(app):
        pass
    assert "failed to shut down: it raised SystemExit(3)" in caplog.text


@pytest.mark.parametrize("factory", [asyncio.new_event_loop, uvloop.new_event_loop])
@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt()])
def test_a_task_of_the_application_that_exits_stops_nobody_else(
    adapt: Adapt,
    caplog: pytest.LogCaptureFixture,
    error: BaseException,
    factory: Any,
) -> None:
    """The loop goes on for the request that is waiting, and for later ones."""

    @only_http
    async def app(scope: Event, receive: Any, send: Any) -> None:
        async def leave() -> None:
            raise error

        await asyncio.wait([asyncio.ensure_future(leave())])
        await send(START)
        await send(body(b"x"))

    adapter = adapt(app, loop_factory=factory)
    for _ in range(2):
        assert Client().ask(adapter) == b"x"
    assert f"a task raised {type(error).__name__}" in caplog.text


def test_an_application_that_raises_has_no_lifespan(adapt: Adapt) -> None:
    """It is served all the same, without a state."""

    @only_http
    async def app(scope: Event, receive: Any, send: Any) -> None:
        assert "state" not in scope
        await send(START)
        await send(body(b"x"))

    with adapt(app) as adapter:
        assert Client().ask(adapter) == b"x"


def test_a_lifespan_can_be_left_out(adapt: Adapt) -> None:
    """The application is not asked."""
    app = Lifespan()
    with adapt(app, lifespan="off"):
        assert app.log == []


@pytest.mark.parametrize(
    ("phase", "text"),
    [("failed", "failed to shut down: because"), ("raise", "the lifespan of")],
)
def test_a_failed_shutdown_is_logged(
    adapt: Adapt, caplog: pytest.LogCaptureFixture, phase: str, text: str
) -> None:
    """There is nobody to raise it to."""
    with adapt(Lifespan(shutdown=phase)):
        pass
    assert text in caplog.text


def test_closing_waits_for_work_after_the_response(adapt: Adapt) -> None:
    """Not for ever."""
    ended: list[str] = []

    @only_http
    async def app(scope: Event, receive: Any, send: Any) -> None:
        await send(START)
        await send(body(b"x"))
        try:
            if scope["path"] == "/quick":
                # Until it is being closed, of which nothing tells.
                while adapter._service is not None:  # noqa: ASYNC110 # as above
                    await asyncio.sleep(0)
            else:
                await asyncio.Event().wait()
        except asyncio.CancelledError:
            ended.append("cancelled")
            raise
        ended.append("quick")

    adapter = adapt(app, drain_timeout=10)
    Client(PATH_INFO="/quick").ask(adapter)
    adapter.close()
    assert ended == ["quick"]
    adapter = adapt(app, drain_timeout=0)
    Client().ask(adapter)
    adapter.close()
    assert ended == ["quick", "cancelled"]


def test_closing_on_the_own_loop_is_refused(adapt: Adapt) -> None:
    """It would wait for itself."""

    @only_http
    async def app(scope: Event, receive: Any, send: Any) -> None:
        adapter.close()

    adapter = adapt(app)
    with pytest.raises(DeadlockError, match="from its own loop"):
        Client().ask(adapter)


def test_a_service_that_is_forgotten_on_its_own_loop_ends(adapt: Adapt) -> None:
    """By the garbage collector, which may run anywhere."""

    @only_http
    async def app(scope: Event, receive: Any, send: Any) -> None:
        await send(START)
        assert service is not None
        service.stop()
        await send(body(b"x"))

    adapter = adapt(app)
    adapter.start()
    service = adapter._service
    assert service is not None
    assert Client().ask(adapter) == b"x"
    thread = service._thread._thread
    thread.join(timeout=60)
    assert not thread.is_alive()


def test_a_forked_child_starts_its_own(
    adapt: Adapt, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has neither the parent's loop nor its lifespan, and ends neither."""
    app = Lifespan()
    adapter = adapt(app)
    adapter.start()
    parents = adapter._service
    assert parents is not None
    pid = os.getpid()
    with monkeypatch.context() as patch:
        patch.setattr(os, "getpid", lambda: pid + 1)
        Client().ask(adapter)
        assert adapter._service is not parents
        parents.stop()
        assert app.log == ["lifespan.startup", "lifespan.startup", {"pool": "P"}]
        adapter.close()
    parents.stop()
    parents.stop()
    assert app.log[-2:] == ["lifespan.shutdown"] * 2


def test_early_hints_reach_the_server(adapt: Adapt) -> None:
    """Where it offers them."""
    hints: list[list[tuple[str, str]]] = []

    @only_http
    async def app(scope: Event, receive: Any, send: Any) -> None:
        if scope.get("extensions"):
            await send({"type": "http.response.early_hint", "links": [b"</a.css>"]})
        await send(START)
        await send(body(b"x"))

    adapter = adapt(app)
    assert Client(b"", **{"wsgi.early_hints": hints.append}).ask(adapter) == b"x"
    assert hints == [[("Link", "</a.css>")]]
    assert Client().ask(adapter) == b"x"


def test_there_and_back_again(bridge: Bridge, server: Callable[..., Server]) -> None:
    """A WSGI application through both adapters answers as it does by itself."""

    def app(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
        start_response("201 Created", [("Content-Type", "text/plain")])
        yield environ["PATH_INFO"].encode("latin-1")
        yield from environ["wsgi.input"]

    adapter = AsgiToWsgi(WsgiToAsgi(app, bridge=bridge), bridge=bridge)
    client = Client(b"a\nb\n", PATH_INFO="/\xc3\xa9")
    assert client.ask(validator(adapter)) == "/éa\nb\n".encode()
    assert client.status == "201 Created"


def test_nothing_is_logged_about_a_client_that_left(
    adapt: Adapt, caplog: pytest.LogCaptureFixture
) -> None:
    """Only what the application itself gets wrong is."""

    @only_http
    async def app(scope: Event, receive: Any, send: Any) -> None:
        await send(START)
        while True:
            await send(body(b"a", more=True))
            await asyncio.sleep(0)

    with caplog.at_level(logging.INFO), adapt(app) as adapter:
        result = Client().begin(adapter)
        next(iter(result))
        result.close()
    assert not caplog.records
