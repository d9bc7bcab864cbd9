"""WsgiToAsgi: how the request body reaches the application."""

import asyncio
import io
import operator
import threading
from collections.abc import Callable, Iterator
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication

import pytest

from asgibridge.adapters import WsgiLimits, WsgiToAsgi
from asgibridge.bridge import Bridge
from asgibridge.errors import BodyTooLargeError, ClientDisconnectedError

from .conftest import DISCONNECT, Server, request_body

Make = Callable[..., Server]
Environ = dict[str, Any]
TEXT = [("Content-Type", "text/plain")]


def serve(
    app: WSGIApplication, bridge: Bridge, server: Server, **options: Any
) -> Server:
    with WsgiToAsgi(app, bridge=bridge, **options) as adapter:
        asyncio.run(server.run(adapter))
    return server


def reading(read: Callable[[Any], bytes]) -> WSGIApplication:
    def app(environ: Environ, start_response: StartResponse) -> list[bytes]:
        data = read(environ["wsgi.input"])
        start_response("200 OK", TEXT)
        return [data]

    return app


@pytest.mark.parametrize(
    "read",
    [
        operator.methodcaller("read"),
        lambda body: body.read(-1),
        lambda body: body.read(None),
        lambda body: body.read(10**9),
        b"".join,
        lambda body: b"".join(body.readlines()),
        lambda body: b"".join(iter(lambda: body.read(3), b"")),
        lambda body: body.read(1) + body.readline() + body.read1() + body.read(),
        lambda body: (
            io.TextIOWrapper(body, "latin-1", newline="").read().encode("latin-1")
        ),
    ],
)
@pytest.mark.parametrize(
    "chunks",
    [(b"ab\ncd\n", b"ef", b"", b"gh\n"), (b"",), (b"one",), (b"", b"", b"x", b"")],
)
def test_the_body_arrives_whatever_way_it_is_read(
    bridge: Bridge,
    server: Make,
    read: Callable[[Any], bytes],
    chunks: tuple[bytes, ...],
) -> None:
    """In however many messages it comes, empty ones among them."""
    assert serve(reading(read), bridge, server(*chunks)).body == b"".join(chunks)


def test_the_application_runs_before_the_body_is_there(
    bridge: Bridge, server: Make
) -> None:
    """And nothing is received before it reads: "100 Continue" waits for that."""
    running, go_on = threading.Event(), threading.Event()

    def read(body: Any) -> bytes:
        running.set()
        assert go_on.wait(timeout=60)
        return body.read()  # type: ignore[no-any-return] # wsgi.input

    async def main() -> None:
        asked = server(incoming=[])
        async with running_task(asked, reading(read), bridge) as task:
            assert await asyncio.to_thread(running.wait, 10)
            assert asked.asked == 0
            go_on.set()
            await asked.until(lambda: asked.asked)
            asked.feed(*request_body(b"late"))
            await task
        assert asked.body == b"late"

    asyncio.run(main())


class running_task:  # noqa: N801 # used as a function
    """Serves a request in a task, for the length of a block."""

    def __init__(
        self, server: Server, app: WSGIApplication, bridge: Bridge, **options: Any
    ) -> None:
        self.adapter = WsgiToAsgi(app, bridge=bridge, **options)
        self.server = server

    async def __aenter__(self) -> "asyncio.Task[None]":
        return asyncio.ensure_future(self.server.run(self.adapter))

    async def __aexit__(self, *exc_info: object) -> None:
        self.adapter.close()


def test_only_so_much_is_read_ahead(bridge: Bridge, server: Make) -> None:
    """While the application does something else, the server keeps the rest."""
    reads, go_on = threading.Semaphore(0), threading.Semaphore(0)

    def read(body: Any) -> bytes:
        total = 0
        for _ in range(3):
            total += len(body.read(10))
            reads.release()
            assert go_on.acquire(timeout=60)
        return b"%d" % (total + len(body.read()))

    async def main() -> None:
        asked = server(*[bytes(10)] * 100)
        limits = WsgiLimits(read_ahead_bytes=50)
        async with running_task(asked, reading(read), bridge, limits=limits) as task:
            for number in range(3):
                assert await asyncio.to_thread(reads.acquire, timeout=60)
                for _ in range(20):
                    await asyncio.sleep(0)
                assert asked.received - (number + 1) <= 6
                go_on.release()
            await task
        assert asked.body == b"1000"

    asyncio.run(main())


def test_full_duplex(bridge: Bridge, server: Make) -> None:
    """An echo answers each message before the client sends the next."""

    def app(environ: Environ, start_response: StartResponse) -> Iterator[bytes]:
        start_response("200 OK", TEXT)
        while data := environ["wsgi.input"].read1():
            yield data

    async def main() -> None:
        asked = server(incoming=[])
        async with running_task(asked, app, bridge) as task:
            for number in range(5):
                chunk = b"%d" % number
                asked.feed({"type": "http.request", "body": chunk, "more_body": True})
                await asked.until(lambda: asked.body.endswith(chunk))  # noqa: B023 # awaited here
            asked.feed({"type": "http.request"})
            await task
        assert asked.body == b"01234"
        assert asked.is_complete

    asyncio.run(main())


@pytest.mark.parametrize(
    "events",
    [
        [DISCONNECT],
        [*request_body(b"ab", b"")[:1], DISCONNECT],
        [*request_body(b"a", b"b", b"")[:2], DISCONNECT],
    ],
)
@pytest.mark.parametrize(
    "read",
    [operator.methodcaller("read"), b"".join, operator.methodcaller("read", 9)],
)
def test_a_client_that_leaves_is_no_end_of_the_body(
    bridge: Bridge,
    server: Make,
    events: list[dict[str, Any]],
    read: Callable[[Any], bytes],
) -> None:
    """The reader gets an OSError, and never a part taken for the whole."""
    raised: list[BaseException] = []

    def noting(body: Any) -> bytes:
        try:
            return read(body)
        except OSError as exc:
            raised.append(exc)
            raise

    done = serve(reading(noting), bridge, server(incoming=list(events)))
    assert [type(exc) for exc in raised] == [ClientDisconnectedError]
    assert done.sent == []


def test_an_application_may_go_on_after_the_client_left(
    bridge: Bridge, server: Make
) -> None:
    """What it raises then reaches the server; what it sends goes nowhere."""

    def app(environ: Environ, start_response: StartResponse) -> list[bytes]:
        with pytest.raises(ClientDisconnectedError):
            environ["wsgi.input"].read()
        with pytest.raises(ClientDisconnectedError):
            environ["wsgi.input"].read()
        start_response("200 OK", TEXT)
        if environ["QUERY_STRING"]:
            raise LookupError
        return [b"x"]

    assert serve(app, bridge, server(incoming=[DISCONNECT])).sent == []
    with pytest.raises(LookupError):
        serve(app, bridge, server(incoming=[DISCONNECT], query_string=b"x"))


def test_an_error_of_the_own_kind_is_the_application_s(
    bridge: Bridge, server: Make
) -> None:
    """Raised by it without the client having left, it is not swallowed."""

    def app(environ: Environ, start_response: StartResponse) -> list[bytes]:
        raise ClientDisconnectedError

    with pytest.raises(ClientDisconnectedError):
        serve(app, bridge, server())


@pytest.mark.parametrize("messages", [1, 3])
def test_a_failing_receive_reaches_the_server(
    bridge: Bridge, server: Make, messages: int
) -> None:
    """And frees the reader; in the first message or in a later one."""
    raised: list[BaseException] = []

    def read(body: Any) -> bytes:
        try:
            return body.read()  # type: ignore[no-any-return] # wsgi.input
        except OSError as exc:
            raised.append(exc)
            raise

    asked = server(*[b"x"] * 9)

    def fail() -> None:
        if asked.received == messages - 1:
            msg = "receive failed"
            raise LookupError(msg)

    asked.on_receive = fail
    with pytest.raises(LookupError, match="receive failed"):
        serve(reading(read), bridge, asked)
    assert [type(exc) for exc in raised] == [ClientDisconnectedError]


LIMITS = WsgiLimits(max_body_bytes=5)


def test_a_body_that_is_announced_too_long_never_reaches_the_application(
    bridge: Bridge, server: Make, caplog: pytest.LogCaptureFixture
) -> None:
    """The answer is 413 and says why; nothing is received for it."""
    asked = server(b"123456", headers=[(b"content-length", b"6")])
    done = serve(reading(lambda _: b""), bridge, asked, limits=LIMITS)
    assert done.sent[0]["status"] == 413
    assert b"6 bytes; 5 are allowed" in done.body
    assert done.asked == 0
    assert "refused with 413" in caplog.text


def test_a_body_that_becomes_too_long_is_refused(bridge: Bridge, server: Make) -> None:
    """If the application does not answer to the error itself."""
    app = reading(lambda body: body.read())
    assert serve(app, bridge, server(b"12345"), limits=LIMITS).body == b"12345"
    done = serve(app, bridge, server(b"123", b"456", b"7"), limits=LIMITS)
    assert done.sent[0]["status"] == 413
    assert b"5 bytes allowed" in done.body


def test_an_application_may_answer_to_a_long_body_itself(
    bridge: Bridge, server: Make
) -> None:
    """It is an OSError for it."""

    def app(environ: Environ, start_response: StartResponse) -> list[bytes]:
        for _ in range(2):  # never a part taken for the whole
            with pytest.raises(BodyTooLargeError):
                environ["wsgi.input"].read()
        start_response("200 OK", TEXT)
        return [b"long"]

    assert serve(app, bridge, server(b"123456"), limits=LIMITS).body == b"long"


def test_a_long_body_breaks_a_response_that_has_begun(
    bridge: Bridge, server: Make
) -> None:
    """There is no other answer any more."""

    def app(environ: Environ, start_response: StartResponse) -> Iterator[bytes]:
        start_response("200 OK", TEXT)
        yield b"x"
        yield environ["wsgi.input"].read()

    asked = server(b"123456")
    with pytest.raises(BodyTooLargeError):
        serve(app, bridge, asked, limits=LIMITS)
    assert not asked.is_complete


@pytest.mark.parametrize(
    "headers",
    [
        [(b"content-length", b"1"), (b"content-length", b"2")],
        [(b"x-a", b"")] * 1001,
    ],
)
def test_a_request_that_makes_no_sense_is_answered_with_400(
    bridge: Bridge,
    server: Make,
    caplog: pytest.LogCaptureFixture,
    headers: list[tuple[bytes, bytes]],
) -> None:
    """The answer says what was wrong, and so does the log."""
    done = serve(reading(lambda _: b""), bridge, server(headers=headers))
    assert done.sent[0]["status"] == 400
    assert dict(done.sent[0]["headers"])[b"content-length"] == b"%d" % len(done.body)
    assert done.body.decode().strip() in caplog.text
    assert done.is_complete


def test_a_large_upload_streams(bridge: Bridge, server: Make) -> None:
    """More than the read-ahead, in the order it was sent."""
    chunks = [bytes([number]) * 10_000 for number in range(100)]
    app = reading(lambda body: b"".join(iter(lambda: body.read(7_777), b"")))
    assert serve(app, bridge, server(*chunks)).body == b"".join(chunks)


@pytest.mark.parametrize(
    ("limit", "most"),
    [
        (99, 0),  # none is ever taken before the application asks for it
        (100, 1),
        (199, 1),
        (200, 2),
        (1000, 10),
    ],
)
def test_no_message_is_read_ahead_that_does_not_fit(
    bridge: Bridge, server: Make, limit: int, most: int
) -> None:
    """Its size is not known before, but that of the last is."""
    seen: set[int] = set()

    def app(environ: Environ, start_response: StartResponse) -> list[bytes]:
        total = 0
        while data := environ["wsgi.input"].read1():
            total += len(data)
            seen.add(asked.received - total // 100)
        start_response("200 OK", TEXT)
        return [b"%d" % total]

    asked = server(*[bytes(100)] * 50, b"")
    limits = WsgiLimits(read_ahead_bytes=limit)
    assert serve(app, bridge, asked, limits=limits).body == b"5000"
    assert max(seen) <= most


@pytest.mark.parametrize("body", [b"", b"abc"])
def test_a_body_that_is_repeated_is_received_once(
    bridge: Bridge, server: Make, body: bytes
) -> None:
    """Middleware that has read it gives its copy to whoever asks, for ever."""
    asked = server()
    told = threading.Event()

    def app(environ: Environ, start_response: StartResponse) -> Iterator[bytes]:
        environ["asgi.client_disconnected"]()  # begins to watch
        start_response("200 OK", TEXT)
        yield b"-"
        assert told.wait(timeout=60)
        yield b"".join(iter(lambda: environ["wsgi.input"].read(2), b""))

    async def receive() -> dict[str, Any]:
        asked.asked += 1
        if asked.asked > 100:
            pytest.fail("nothing else runs on the loop")
        return {"type": "http.request", "body": body}

    async def note(event: dict[str, Any]) -> None:
        if event.get("body") == b"-":
            told.set()

    asked.on_send = note
    send: Any = asked.send
    with WsgiToAsgi(app, bridge=bridge) as adapter:
        asyncio.run(adapter(asked.scope, receive, send))
    assert asked.body == b"-" + body
    assert asked.asked == 2


def test_two_threads_may_read_one_body(bridge: Bridge, server: Make) -> None:
    """Each part goes to one of them; neither sleeps when there is one."""
    got: list[bytes] = []
    reading = threading.Barrier(3)

    def app(environ: Environ, start_response: StartResponse) -> list[bytes]:
        def read() -> None:
            reading.wait(timeout=60)
            got.append(environ["wsgi.input"].read(2))

        threads = [threading.Thread(target=read) for _ in range(2)]
        for thread in threads:
            thread.start()
        reading.wait(timeout=60)
        for thread in threads:
            thread.join(timeout=60)
        start_response("200 OK", TEXT)
        return [b"".join(sorted(got))]

    async def main() -> None:
        asked = server(incoming=[])
        async with running_task(asked, app, bridge) as task:
            for part in (b"a", b"b", b"c", b"d"):
                await asked.until(lambda: asked.asked > asked.received)
                asked.feed({"type": "http.request", "body": part, "more_body": True})
            await task
        assert asked.body == b"abcd"

    asyncio.run(main())


def test_one_thread_may_read_while_another_writes(bridge: Bridge, server: Make) -> None:
    """Both wait; each is woken for what it waits for."""
    got: list[bytes] = []

    def app(environ: Environ, start_response: StartResponse) -> Iterator[bytes]:
        reader = threading.Thread(
            target=lambda: got.append(environ["wsgi.input"].read())
        )
        reader.start()
        start_response("200 OK", TEXT)
        for _ in range(3):
            yield bytes(100_000)
        reader.join(timeout=60)
        yield b"".join(got)

    async def main() -> None:
        asked = server(incoming=[])
        may_send = asyncio.Event()

        async def hold_back(event: dict[str, Any]) -> None:
            await may_send.wait()

        asked.on_send = hold_back
        async with running_task(asked, app, bridge) as task:
            may_send.set()
            await asked.until(lambda: len(asked.body) == 300_000)
            asked.feed(*request_body(b"read"))
            await task
        assert asked.body[300_000:] == b"read"

    asyncio.run(main())


def test_a_thread_that_is_left_behind_is_freed(bridge: Bridge, server: Make) -> None:
    """It waits for a body that nobody receives any more."""
    reads, raised = threading.Event(), threading.Event()

    def app(environ: Environ, start_response: StartResponse) -> list[bytes]:
        def read() -> None:
            reads.set()
            with pytest.raises(ClientDisconnectedError, match="request ended"):
                environ["wsgi.input"].read()
            raised.set()

        threading.Thread(target=read).start()
        assert reads.wait(timeout=60)
        start_response("200 OK", TEXT)
        return [b"x"]

    assert serve(app, bridge, server(incoming=[])).is_complete
    assert raised.wait(timeout=60)
