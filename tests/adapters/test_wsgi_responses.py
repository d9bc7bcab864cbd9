"""WsgiToAsgi: what is sent, and when."""

import asyncio
import io
import os
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication
from wsgiref.validate import validator

import pytest

from asgibridge.adapters import WsgiLimits, WsgiToAsgi
from asgibridge.bridge import Bridge
from asgibridge.errors import (
    ClientDisconnectedError,
    ContentLengthError,
    WsgiBodyTypeError,
    WsgiHeaderError,
    WsgiProtocolError,
)

from .conftest import Server

Make = Callable[..., Server]
Environ = dict[str, Any]
TEXT = [("Content-Type", "text/plain")]


def answer(*blocks: bytes, headers: Iterable[tuple[str, str]] = ()) -> WSGIApplication:
    def app(environ: Environ, start_response: StartResponse) -> list[bytes]:
        start_response("200 OK", [*TEXT, *headers])
        return list(blocks)

    return app


def serve(
    app: WSGIApplication, bridge: Bridge, server: Server, **options: Any
) -> Server:
    with WsgiToAsgi(app, bridge=bridge, **options) as adapter:
        asyncio.run(server.run(adapter))
    return server


def test_hello_world_is_two_messages(bridge: Bridge, server: Make) -> None:
    """And nothing is received for it."""
    done = serve(answer(b"hello"), bridge, server())
    assert done.sent == [
        {
            "type": "http.response.start",
            "status": 200,
            "headers": [(b"content-type", b"text/plain"), (b"content-length", b"5")],
        },
        {"type": "http.response.body", "body": b"hello", "more_body": False},
    ]
    assert done.asked == 0


@pytest.mark.parametrize(
    ("app", "sent"),
    [
        (answer(), [b""]),
        (answer(b""), [b""]),
        (answer(b"a", b"b"), [b"a", b"b", b""]),
        (answer(b"", b"a", b"", b"b"), [b"a", b"b", b""]),
        (answer(b"a", b"b", headers=[("Content-Length", "2")]), [b"a", b"b"]),
        (answer(b"abc", b"d", headers=[("Content-Length", "2")]), [b"ab"]),
    ],
)
def test_blocks_are_sent_one_by_one(
    bridge: Bridge, server: Make, app: WSGIApplication, sent: list[bytes]
) -> None:
    """Empty ones are not, and Content-Length is kept."""
    done = serve(app, bridge, server())
    assert [event["body"] for event in done.sent[1:]] == sent
    assert done.is_complete


def test_the_validator_of_the_standard_library_has_no_complaint(
    bridge: Bridge, server: Make
) -> None:
    """Around an application that reads, writes, yields and closes."""

    def app(environ: Environ, start_response: StartResponse) -> Iterator[bytes]:
        body = environ["wsgi.input"].read(2)
        body += environ["wsgi.input"].readline()
        for line in environ["wsgi.input"]:
            body += line
        environ["wsgi.errors"].write("")
        environ["wsgi.errors"].flush()
        start_response("200 OK", TEXT)
        yield body

    done = serve(validator(app), bridge, server(b"ab\nc", b"d\ne", method="POST"))
    assert done.body == b"ab\ncd\ne"
    assert done.is_complete


def test_the_validator_is_content_with_write_and_head(
    bridge: Bridge, server: Make
) -> None:
    """`write` sends before the result does; HEAD sends no body."""

    def app(environ: Environ, start_response: StartResponse) -> list[bytes]:
        write = start_response("200 OK", TEXT)
        write(b"a")
        write(b"b")
        return [b"c"]

    assert serve(validator(app), bridge, server()).body == b"abc"
    done = serve(validator(app), bridge, server(method="HEAD"))
    assert done.types == ["start", "body"]
    assert done.body == b""


def test_start_response_may_come_late(bridge: Bridge, server: Make) -> None:
    """In a generator, before its first block or instead of any."""

    def app(environ: Environ, start_response: StartResponse) -> Iterator[bytes]:
        start_response("201 Created", TEXT)
        yield from ([] if environ["QUERY_STRING"] else [b"x"])

    assert serve(app, bridge, server()).sent[0]["status"] == 201
    done = serve(app, bridge, server(query_string=b"empty"))
    assert done.sent[0]["status"] == 201
    assert done.is_complete


def test_headers_wait_for_the_first_block(bridge: Bridge, server: Make) -> None:
    """Until then an error page can still replace the response."""

    def app(environ: Environ, start_response: StartResponse) -> Iterator[bytes]:
        start_response("200 OK", TEXT)
        try:
            yield b""
            msg = "after an empty block"
            raise LookupError(msg)
        except LookupError:
            start_response("500 Oops", TEXT, sys.exc_info())
            yield b"sorry"

    done = serve(app, bridge, server())
    assert done.sent[0]["status"] == 500
    assert done.body == b"sorry"


def test_exc_info_after_the_headers_is_raised(bridge: Bridge, server: Make) -> None:
    """The same exception reaches the server; the response is not complete."""
    error = LookupError("too late")

    def app(environ: Environ, start_response: StartResponse) -> Iterator[bytes]:
        start_response("200 OK", TEXT)
        yield b"x"
        try:
            raise error
        except LookupError:
            start_response("500 Oops", TEXT, sys.exc_info())

    asked = server()
    with pytest.raises(LookupError) as caught:
        serve(app, bridge, asked)
    assert caught.value is error
    assert asked.body == b"x"
    assert not asked.is_complete


def starts_twice(environ: Environ, start_response: StartResponse) -> list[bytes]:
    start_response("200 OK", TEXT)
    start_response("200 OK", TEXT)
    return []


def never_starts(environ: Environ, start_response: StartResponse) -> list[bytes]:
    return [b"x"]


def sends_text(environ: Environ, start_response: StartResponse) -> list[bytes]:
    start_response("200 OK", TEXT)
    return ["x"]  # type: ignore[list-item] # the mistake


def returns_nothing(environ: Environ, start_response: StartResponse) -> list[bytes]:
    start_response("200 OK", TEXT)
    return None  # type: ignore[return-value] # the mistake


def splits(environ: Environ, start_response: StartResponse) -> list[bytes]:
    start_response("200 OK", [("X-A", "a\r\nSet-Cookie: b=c")])
    return []


@pytest.mark.parametrize(
    ("app", "error"),
    [
        (starts_twice, WsgiProtocolError),
        (never_starts, WsgiProtocolError),
        (sends_text, WsgiBodyTypeError),
        (returns_nothing, TypeError),
        (splits, WsgiHeaderError),
        (answer(b"x", headers=[("Content-Length", "2")]), ContentLengthError),
        (answer(b"x", headers=[("Transfer-Encoding", "chunked")]), WsgiHeaderError),
    ],
)
def test_mistakes_before_the_headers_send_nothing(
    bridge: Bridge, server: Make, app: WSGIApplication, error: type[Exception]
) -> None:
    """The server answers with its error page."""
    asked = server()
    with pytest.raises(error):
        serve(app, bridge, asked)
    assert asked.is_complete is False


def test_a_block_is_sent_before_the_next_is_produced(
    bridge: Bridge, server: Make
) -> None:
    """The application waits, in its generator, for a client that has the first."""
    seen = threading.Event()

    def app(environ: Environ, start_response: StartResponse) -> Iterator[bytes]:
        start_response("200 OK", TEXT)
        yield b"first"
        assert seen.wait(timeout=60)
        yield b"second"

    async def note(event: dict[str, Any]) -> None:
        if event.get("body") == b"first":
            seen.set()

    asked = server()
    asked.on_send = note
    assert serve(app, bridge, asked).body == b"firstsecond"


def test_a_slow_client_holds_the_application_back(bridge: Bridge, server: Make) -> None:
    """No more than the window, and one block, is ever produced ahead."""
    produced = 0
    most = 0

    def app(environ: Environ, start_response: StartResponse) -> Iterator[bytes]:
        nonlocal produced
        start_response("200 OK", TEXT)
        for _ in range(100):
            produced += 100
            yield bytes(100)

    sent = 0

    async def slow(event: dict[str, Any]) -> None:
        nonlocal sent, most
        await asyncio.sleep(0)
        most = max(most, produced - sent)
        sent += len(event.get("body", b""))

    asked = server()
    asked.on_send = slow
    limits = WsgiLimits(response_window_bytes=500)
    assert len(serve(app, bridge, asked, limits=limits).body) == 10_000
    assert most <= 700


def test_a_block_larger_than_the_window_passes(bridge: Bridge, server: Make) -> None:
    """It is sent whole, alone."""
    limits = WsgiLimits(response_window_bytes=10)
    app = answer(bytes(100), bytes(200), b"x")
    assert len(serve(app, bridge, server(), limits=limits).body) == 301


def file_app(path: Path, *, length: int | None = None, skip: int = 0) -> Any:
    closed: list[bool] = []

    def app(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        file = path.open("rb")
        file.seek(skip)
        headers = [] if length is None else [("Content-Length", str(length))]
        start_response("200 OK", [*TEXT, *headers])
        result = environ["wsgi.file_wrapper"](file, 4)
        closed.append(file.closed)
        app.file = file  # type: ignore[attr-defined] # to be looked at
        return result  # type: ignore[no-any-return] # from the environ

    return app


ZEROCOPY: dict[str, Any] = {"http.response.zerocopysend": {}}
PATHSEND: dict[str, Any] = {"http.response.pathsend": {}}


@pytest.fixture
def ten_bytes(tmp_path: Path) -> Path:
    path = tmp_path / "ten"
    path.write_bytes(b"0123456789")
    return path


def test_a_file_is_sent_by_a_server_that_can(
    bridge: Bridge, server: Make, ten_bytes: Path
) -> None:
    """By path, or by descriptor from its position on; closed only afterwards."""
    app = file_app(ten_bytes)
    done = serve(app, bridge, server(extensions=PATHSEND))
    assert done.sent[1] == {"type": "http.response.pathsend", "path": str(ten_bytes)}

    was_open: list[bool] = []

    async def look(event: dict[str, Any]) -> None:
        if "file" in event:
            was_open.append(not event["file"].closed)

    app = file_app(ten_bytes, skip=2, length=5)
    asked = server(extensions=ZEROCOPY)
    asked.on_send = look
    done = serve(app, bridge, asked)
    assert done.types == ["start", "zerocopysend"]
    assert done.sent[1]["offset"] == 2
    assert done.sent[1]["count"] == 5
    assert was_open == [True]
    assert app.file.closed


@pytest.mark.parametrize(
    ("options", "scope", "body"),
    [
        ({}, {}, b"0123456789"),
        ({}, {"extensions": {"x": {}}}, b"0123456789"),
        ({"skip": 2}, {"extensions": PATHSEND}, b"23456789"),
        ({"length": 3}, {"extensions": PATHSEND}, b"012"),
        ({}, {"extensions": PATHSEND, "method": "HEAD"}, b""),
    ],
)
def test_otherwise_a_file_is_read_in_blocks(
    bridge: Bridge,
    server: Make,
    ten_bytes: Path,
    options: dict[str, Any],
    scope: dict[str, Any],
    body: bytes,
) -> None:
    """Where the server would send too much, too, or nothing at all is sent."""
    app = file_app(ten_bytes, **options)
    done = serve(app, bridge, server(**scope))
    assert done.body == body
    assert done.is_complete
    assert app.file.closed


def test_a_file_that_is_too_short_is_no_complete_response(
    bridge: Bridge, server: Make, ten_bytes: Path
) -> None:
    """The server is not asked to send more than there is."""
    asked = server(extensions=ZEROCOPY)
    with pytest.raises(ContentLengthError):
        serve(file_app(ten_bytes, length=11), bridge, asked)
    assert not asked.is_complete


def test_what_only_looks_like_a_file_is_read(
    bridge: Bridge, server: Make, ten_bytes: Path
) -> None:
    """No descriptor, no position, a pipe, another file under the same name."""

    class Reader:
        def __init__(self) -> None:
            self.left = [b"ab", b"c"]

        def read(self, size: int) -> bytes:
            return self.left.pop(0) if self.left else b""

    def replaced() -> Any:
        file = ten_bytes.open("rb")
        ten_bytes.rename(ten_bytes.with_name("other"))
        ten_bytes.write_bytes(b"changed!!!")
        return file

    def removed() -> Any:
        file = ten_bytes.open("rb")
        ten_bytes.unlink()
        return file

    def sent(make: Callable[[], Any]) -> bytes:
        def app(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
            start_response("200 OK", TEXT)
            return environ["wsgi.file_wrapper"](make())  # type: ignore[no-any-return] # from the environ

        done = serve(app, bridge, server(extensions=PATHSEND))
        assert "pathsend" not in done.types
        return done.body

    assert sent(Reader) == b"abc"
    assert sent(lambda: io.BytesIO(b"abc")) == b"abc"
    assert sent(replaced) == b"0123456789"
    assert sent(removed) == b"changed!!!"


def test_a_nameless_file_is_read(bridge: Bridge, server: Make, ten_bytes: Path) -> None:
    """One that was opened by its descriptor has a number for a name."""

    def app(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", TEXT)
        file = os.fdopen(os.open(ten_bytes, os.O_RDONLY), "rb")
        return environ["wsgi.file_wrapper"](file)  # type: ignore[no-any-return] # from the environ

    assert serve(app, bridge, server(extensions=PATHSEND)).body == b"0123456789"


def test_early_hints_are_sent_where_the_server_offers_them(
    bridge: Bridge, server: Make
) -> None:
    """Ahead of the response; elsewhere the environ does not have them."""

    def app(environ: Environ, start_response: StartResponse) -> list[bytes]:
        if "wsgi.early_hints" in environ:
            environ["wsgi.early_hints"]([("Link", "</a.css>; rel=preload")])
        start_response("200 OK", TEXT)
        return [b"x"]

    done = serve(app, bridge, server(extensions={"http.response.early_hint": {}}))
    assert done.types == ["early_hint", "start", "body"]
    assert done.sent[0]["links"] == [b"</a.css>; rel=preload"]
    assert serve(app, bridge, server()).types == ["start", "body"]


def test_too_long_a_response_is_cut_and_logged(
    bridge: Bridge, server: Make, caplog: pytest.LogCaptureFixture
) -> None:
    """What was cut off is a mistake of the application."""
    headers = [("Content-Length", "2")]
    assert serve(answer(b"ab", b"c", headers=headers), bridge, server()).body == b"ab"
    assert not caplog.records
    assert serve(answer(b"a", b"bc", headers=headers), bridge, server()).body == b"ab"
    assert "more than its Content-Length" in caplog.text


def test_all_that_was_promised_may_be_written(bridge: Bridge, server: Make) -> None:
    """Then the result is not asked for more."""

    def app(environ: Environ, start_response: StartResponse) -> Iterator[bytes]:
        start_response("200 OK", [*TEXT, ("Content-Length", "2")])(b"ab")
        return iter([b"c"])

    done = serve(app, bridge, server())
    assert [event["body"] for event in done.sent[1:]] == [b"ab"]


def test_write_fails_when_the_client_has_left(bridge: Bridge, server: Make) -> None:
    """With an OSError that says so."""
    raised: list[OSError] = []

    def app(environ: Environ, start_response: StartResponse) -> list[bytes]:
        write = start_response("200 OK", TEXT)
        try:
            while True:
                write(bytes(100_000))
        except OSError as exc:
            raised.append(exc)
            raise

    async def fail(event: dict[str, Any]) -> None:
        if "body" in event:
            msg = "broken pipe"
            raise BrokenPipeError(msg)

    asked = server()
    asked.on_send = fail
    with pytest.raises(BrokenPipeError, match="broken pipe"):
        serve(app, bridge, asked)
    assert isinstance(raised[0], ClientDisconnectedError)
