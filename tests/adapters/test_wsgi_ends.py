"""WsgiToAsgi: every way that a request can end."""

import asyncio
import gc
import logging
import threading
from collections.abc import Callable, Iterator
from typing import Any
from wsgiref.types import StartResponse

import attrs
import pytest

from asgibridge.adapters import WsgiToAsgi
from asgibridge.adapters._wsgi_work import WsgiWork
from asgibridge.bridge import Bridge
from asgibridge.errors import ApplicationExitError, ClientDisconnectedError
from asgibridge.executors import WorkerPool

from .conftest import DISCONNECT, Server, request_body

Make = Callable[..., Server]
Environ = dict[str, Any]
TEXT = [("Content-Type", "text/plain")]


@attrs.define(eq=False)
class App:
    """Yields blocks; notes on which thread it was called, and closed.

    `gate` is waited for before each block but the first.
    """

    blocks: list[Any]
    headers: list[tuple[str, str]] = attrs.field(factory=list)
    gated: bool = False
    on_close: BaseException | None = None
    gate: threading.Semaphore = attrs.field(factory=lambda: threading.Semaphore(0))
    closed: threading.Event = attrs.field(factory=threading.Event)
    threads: list[tuple[str, int]] = attrs.field(factory=list)
    environ: Environ = attrs.field(factory=dict)

    def __call__(self, environ: Environ, start_response: StartResponse) -> "App":
        self.environ = environ
        self.note("call")
        start_response("200 OK", [*TEXT, *self.headers])
        return self

    def __iter__(self) -> Iterator[bytes]:
        for number, block in enumerate(self.blocks):
            self.note("next")
            if self.gated and number:
                assert self.gate.acquire(timeout=60)
            if isinstance(block, BaseException):
                raise block
            yield block

    def close(self) -> None:
        self.note("close")
        self.closed.set()
        if self.on_close is not None:
            raise self.on_close

    def note(self, what: str) -> None:
        self.threads.append((what, threading.get_ident()))

    def check(self) -> None:
        """Closed exactly once, last, and all on one thread, not the loop's."""
        assert [what for what, _ in self.threads].count("close") == 1
        assert self.threads[-1][0] == "close"
        assert len({thread for _, thread in self.threads}) == 1
        assert self.threads[0][1] != threading.get_ident()


def serve(app: Any, bridge: Bridge, server: Server) -> Server:
    with WsgiToAsgi(app, bridge=bridge) as adapter:
        asyncio.run(server.run(adapter), debug=True)
    return server


@pytest.mark.parametrize(
    ("blocks", "headers"),
    [
        ([b"a", b"b"], []),
        ([], []),
        ([b"a", b"b", b"c"], [("Content-Length", "2")]),
    ],
)
def test_close_after_a_normal_end(
    bridge: Bridge, server: Make, blocks: list[bytes], headers: list[tuple[str, str]]
) -> None:
    """Also when Content-Length ends the iteration early."""
    app = App(blocks, headers)
    assert serve(app, bridge, server()).is_complete
    app.check()


@pytest.mark.parametrize("before", [[], [b"a"], [b"a", b"b"]])
def test_close_after_an_error_in_the_iteration(
    bridge: Bridge, server: Make, before: list[bytes]
) -> None:
    """The error reaches the server as it is; the response is not complete."""
    error = LookupError("in the iteration")
    app, asked = App([*before, error]), server()
    with pytest.raises(LookupError) as caught:
        serve(app, bridge, asked)
    assert caught.value is error
    assert asked.body == b"".join(before)
    assert not asked.is_complete
    app.check()


def test_an_error_of_close_reaches_the_server(bridge: Bridge, server: Make) -> None:
    """The response is complete then; nothing is lost."""
    app, asked = App([b"a"], on_close=LookupError("in close")), server()
    with pytest.raises(LookupError, match="in close"):
        serve(app, bridge, asked)
    assert asked.is_complete
    app.check()


def test_the_response_does_not_wait_for_close(bridge: Bridge, server: Make) -> None:
    """All of it is sent while close() still runs."""
    got_all = threading.Event()

    class Result:
        def __iter__(self) -> Iterator[bytes]:
            return iter([b"a"])

        def close(self) -> None:
            assert got_all.wait(timeout=60)

    def app(environ: Environ, start_response: StartResponse) -> Result:
        start_response("200 OK", TEXT)
        return Result()

    async def note(event: dict[str, Any]) -> None:
        if event.get("more_body") is False:
            got_all.set()

    asked = server()
    asked.on_send = note
    assert serve(app, bridge, asked).is_complete


@pytest.mark.parametrize("error", [OSError("left"), LookupError("anything")])
@pytest.mark.parametrize("at", ["http.response.start", "http.response.body"])
def test_close_after_a_failed_send(
    bridge: Bridge, server: Make, error: Exception, at: str
) -> None:
    """The error reaches the server, which raised it, after the application ended."""
    app, asked = App([b"a"] * 1000), server()

    async def fail(event: dict[str, Any]) -> None:
        if event["type"] == at:
            raise error

    asked.on_send = fail
    with pytest.raises(type(error)) as caught:
        serve(app, bridge, asked)
    assert caught.value is error
    app.check()


def test_an_application_error_after_a_failed_send_is_logged(
    bridge: Bridge, server: Make, caplog: pytest.LogCaptureFixture
) -> None:
    """The server gets its own error, the log the other."""
    app, asked = App([b"a"], on_close=LookupError("in close")), server()

    async def fail(event: dict[str, Any]) -> None:
        raise OSError

    asked.on_send = fail
    with pytest.raises(OSError):  # noqa: PT011 # the one above
        serve(app, bridge, asked)
    assert "in close" in caplog.text


def test_a_client_that_leaves_stops_the_application(
    bridge: Bridge, server: Make
) -> None:
    """Where only `receive` tells: at the next block, and it can see it before."""
    app = App([b"a"] * 100, gated=True)

    async def main() -> None:
        asked = server(b"")
        task = asyncio.ensure_future(asked.run(WsgiToAsgi(app, bridge=bridge)))
        await asked.until(lambda: asked.asked == 2)  # watching for the disconnect
        assert app.environ["asgi.client_disconnected"]() is False
        asked.feed(DISCONNECT)
        await asked.until(lambda: asked.received == 2)
        await asyncio.sleep(0)  # what was received is looked at
        assert app.environ["asgi.client_disconnected"]() is True
        app.gate.release()
        await task
        assert not asked.is_complete

    asyncio.run(main(), debug=True)
    app.check()
    assert len(app.threads) < 10


def test_an_application_can_watch_before_it_sends(bridge: Bridge, server: Make) -> None:
    """Asking begins to watch."""
    seen: list[bool] = []
    asked_once = threading.Event()

    def app(environ: Environ, start_response: StartResponse) -> list[bytes]:
        gone = environ["asgi.client_disconnected"]
        seen.append(gone())
        asked_once.set()
        while not gone():
            assert left.wait(timeout=60)
        seen.append(gone())
        start_response("200 OK", TEXT)
        return [b"x"]

    left = threading.Event()

    async def main() -> None:
        asked = server(b"")
        task = asyncio.ensure_future(asked.run(WsgiToAsgi(app, bridge=bridge)))
        assert await asyncio.to_thread(asked_once.wait, 10)
        await asked.until(lambda: asked.asked == 2)
        asked.feed(DISCONNECT)
        await asked.until(lambda: asked.received == 2)
        left.set()
        await task
        assert asked.sent == []

    asyncio.run(main())
    assert seen == [False, True]


def test_a_cancelled_task_ends_at_once_and_the_application_soon(
    bridge: Bridge, server: Make
) -> None:
    """It is stopped at its next block, and closed, on its own thread."""
    app = App([b"a"] * 100, gated=True)

    async def main() -> None:
        asked = server()
        task = asyncio.ensure_future(asked.run(WsgiToAsgi(app, bridge=bridge)))
        await asked.until(lambda: asked.sent)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not app.closed.is_set()
        app.gate.release()
        assert await asyncio.to_thread(app.closed.wait, 10)

    asyncio.run(main())
    app.check()


@pytest.mark.parametrize("chunks", [(), (b"x", b"y", b"z")[:2]])
def test_cancelling_frees_a_blocked_read(
    bridge: Bridge, server: Make, chunks: tuple[bytes, ...]
) -> None:
    """Before the first message, and between two."""
    raised = threading.Event()

    def app(environ: Environ, start_response: StartResponse) -> list[bytes]:
        try:
            environ["wsgi.input"].read()
        except ClientDisconnectedError:
            raised.set()
            raise
        return []

    async def main() -> None:
        asked = server(incoming=request_body(*chunks, b"")[:-1])
        task = asyncio.ensure_future(asked.run(WsgiToAsgi(app, bridge=bridge)))
        await asked.until(lambda: asked.asked == len(chunks) + 1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await asyncio.to_thread(raised.wait, 10)

    asyncio.run(main())


def test_cancelling_frees_a_writer_that_is_held_back(
    bridge: Bridge, server: Make
) -> None:
    """With a client that does not read."""
    app = App([bytes(100_000)] * 9)
    stuck = asyncio.Event

    async def main() -> None:
        asked, never = server(), stuck()
        began = asyncio.Event()

        async def block(event: dict[str, Any]) -> None:
            began.set()
            await never.wait()

        asked.on_send = block
        task = asyncio.ensure_future(asked.run(WsgiToAsgi(app, bridge=bridge)))
        await began.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await asyncio.to_thread(app.closed.wait, 10)

    asyncio.run(main())
    app.check()


@pytest.mark.parametrize("first", ["cancel", "error"])
def test_what_is_raised_after_a_cancellation_is_logged(
    bridge: Bridge, server: Make, caplog: pytest.LogCaptureFixture, first: str
) -> None:
    """By whichever side is later; never lost, never "never retrieved"."""
    app = App([b"a", LookupError("too late")], gated=True)
    logged = threading.Event()

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            logged.set()

    async def main() -> None:
        asked = server()
        task = asyncio.ensure_future(asked.run(WsgiToAsgi(app, bridge=bridge)))
        await asked.until(lambda: asked.sent)
        if first == "error":  # the loop does not run until the thread is done
            app.gate.release()
            assert app.closed.wait(timeout=60)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        app.gate.release()
        assert await asyncio.to_thread(logged.wait, 60)

    handler = Handler()
    logger = logging.getLogger()  # after caplog's: the text is there then
    logger.addHandler(handler)
    try:
        asyncio.run(main())
    finally:
        logger.removeHandler(handler)
    assert "too late" in caplog.text
    assert "after its request had been cancelled" in caplog.text


def test_a_request_that_is_cancelled_while_queued_never_runs(
    bridge: Bridge, server: Make
) -> None:
    """The thread that would have run it is free for others."""
    app = App([b"a", b"b"], gated=True)
    calls: list[str] = []

    def choose(environ: Environ, start_response: StartResponse) -> Any:
        calls.append(environ["PATH_INFO"])
        return app(environ, start_response)

    async def main() -> None:
        adapter = WsgiToAsgi(choose, bridge=bridge, max_workers=1)
        first, second = server(path="/1"), server(path="/2")
        running = asyncio.ensure_future(first.run(adapter))
        await first.until(lambda: first.sent)
        queued = asyncio.ensure_future(second.run(adapter))
        await asyncio.sleep(0)
        queued.cancel()
        with pytest.raises(asyncio.CancelledError):
            await queued
        app.gate.release()
        await running
        assert second.sent == []

    asyncio.run(main())
    assert calls == ["/1"]


@pytest.mark.parametrize(
    "error",
    [
        SystemExit(3),
        KeyboardInterrupt(),
        GeneratorExit(),
        asyncio.CancelledError("mine"),
    ],
)
def test_no_exception_of_the_application_stops_the_loop(
    bridge: Bridge, server: Make, error: BaseException
) -> None:
    """The server gets an error that names it, and has it as its cause."""

    def app(environ: Environ, start_response: StartResponse) -> list[bytes]:
        raise error

    async def main() -> None:
        adapter = WsgiToAsgi(app, bridge=bridge)
        with pytest.raises(ApplicationExitError, match=type(error).__name__) as caught:
            await server().run(adapter)
        assert caught.value.__cause__ is error

    asyncio.run(main())


@pytest.mark.parametrize("where", ["call", "iteration"])
def test_stop_iteration_ends_no_response(
    bridge: Bridge, server: Make, where: str
) -> None:
    """From the call it is an error; coroutines cannot raise it, so a RuntimeError."""

    class Result:
        def __iter__(self) -> "Result":
            return self

        def __next__(self) -> bytes:
            raise StopIteration

    def app(environ: Environ, start_response: StartResponse) -> Any:
        start_response("200 OK", TEXT)
        if where == "call":
            raise StopIteration
        return Result()

    asked = server()
    if where == "call":
        with pytest.raises(RuntimeError, match="StopIteration"):
            serve(app, bridge, asked)
        assert asked.sent == []
    else:
        assert serve(app, bridge, asked).is_complete


def test_exceptions_leave_no_cycles(bridge: Bridge, server: Make) -> None:
    """Nothing of a failed request waits for the garbage collector."""

    def app(environ: Environ, start_response: StartResponse) -> list[bytes]:
        raise LookupError

    async def main(pool: WorkerPool) -> None:
        adapter = WsgiToAsgi(app, bridge=bridge, executor=pool)
        for _ in range(3):
            with pytest.raises(LookupError):
                await server().run(adapter)

    gc.collect()
    gc.disable()
    try:
        with WorkerPool() as pool:  # its threads have let go when it is closed
            asyncio.run(main(pool))
        assert not [
            thing
            for thing in gc.get_objects()
            if isinstance(thing, WsgiWork) and thing._app is app
        ]
    finally:
        gc.enable()


def test_a_request_that_is_forgotten_ends(bridge: Bridge, server: Make) -> None:
    """A loop that is closed with requests in flight frees their threads."""
    app = App([bytes(100_000)] * 9)
    loop = asyncio.new_event_loop()
    asked = server()

    async def block(event: dict[str, Any]) -> None:
        loop.stop()
        await loop.create_future()

    asked.on_send = block
    coro = asked.run(WsgiToAsgi(app, bridge=bridge))
    task = loop.create_task(coro)
    loop.run_forever()
    task._log_destroy_pending = False  # type: ignore[attr-defined] # on purpose here
    loop.close()
    coro.close()
    assert app.closed.wait(timeout=60)
    app.check()
