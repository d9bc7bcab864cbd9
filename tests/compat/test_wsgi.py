"""`asgibridge.compat.wsgi`; asgiref's own tests say what its events look like."""

import asyncio
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from asgibridge.compat.testing import ApplicationCommunicator
from asgibridge.compat.wsgi import WsgiToAsgi, WsgiToAsgiInstance

SCOPE = {
    "type": "http",
    "http_version": "1.1",
    "method": "POST",
    "path": "/mounted/é",
    "root_path": "/mounted",
    "query_string": b"a=b",
    "headers": [(b"content-length", b"4"), (b"content-type", b"t"), (b"x-a", b"1")],
    "client": ["1.2.3.4", 5],
    "server": ["host", 80],
}
BODY = {"type": "http.request", "body": b"body"}


def request(app: Any, *events: Any, scope: Any = SCOPE, **options: Any) -> list[Any]:
    async def main() -> list[Any]:
        talk = ApplicationCommunicator(WsgiToAsgi(app, **options), scope)
        for event in events or (BODY,):
            await talk.send_input(event)
        await talk.wait(60)
        return [
            talk.output_queue.get_nowait() for _ in range(talk.output_queue.qsize())
        ]

    return asyncio.run(main())


class Closing:
    def __init__(self, *parts: bytes) -> None:
        self.parts = parts
        self.closed = 0

    def __iter__(self) -> Iterator[bytes]:
        yield from self.parts
        if not self.parts[-1]:
            raise LookupError("while iterating")

    def close(self) -> None:
        self.closed += 1


def test_environ() -> None:
    seen: dict[str, Any] = {}

    def app(environ: Any, start_response: Any) -> list[bytes]:
        seen.update(environ, body=environ["wsgi.input"].read())
        start_response("200 OK", [("X-Name", "é")])
        return [b"x"]

    first, second = BODY | {"more_body": True}, {"type": "http.request", "body": b"2"}
    events = request(app, first, second)
    assert seen["SCRIPT_NAME"] == "/mounted"
    assert seen["PATH_INFO"] == "/é".encode().decode("latin1")
    assert seen["CONTENT_LENGTH"] == "4"
    assert seen["CONTENT_TYPE"] == "t"
    assert seen["HTTP_X_A"] == "1"
    assert seen["REMOTE_ADDR"] == "1.2.3.4"
    assert seen["body"] == b"body2"
    assert events[0]["headers"] == [(b"x-name", "é".encode("latin1"))]


def test_results_are_closed() -> None:
    result = Closing(b"a", b"b")

    def app(environ: Any, start_response: Any) -> Closing:
        start_response("200 OK", [])
        return result

    bodies = [event.get("body") for event in request(app)]
    assert bodies == [None, b"a", b"b", None]
    assert result.closed == 1


def test_results_are_closed_when_they_fail() -> None:
    result = Closing(b"a", b"")

    def app(environ: Any, start_response: Any) -> Closing:
        start_response("200 OK", [])
        return result

    with pytest.raises(LookupError):
        request(app)
    assert result.closed == 1


def test_no_more_is_sent_than_was_announced() -> None:
    def app(environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [("Content-Length", "3")])
        return [b"12", b"345", b"678"]

    assert [event.get("body") for event in request(app)] == [None, b"12", b"3", None]


def test_an_empty_result() -> None:
    def app(environ: Any, start_response: Any) -> list[bytes]:
        start_response("204 No Content", [])
        return []

    assert [event["type"] for event in request(app)] == [
        "http.response.start",
        "http.response.body",
    ]


def test_start_response_rules() -> None:
    def never(environ: Any, start_response: Any) -> list[bytes]:
        return []

    def twice(environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [])
        start_response("200 OK", [])
        return []

    def replaced(environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [])
        try:
            raise LookupError("late")
        except LookupError:
            start_response("500 Oh", [], sys.exc_info())
        return []

    def too_late(environ: Any, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [])
        yield b"a"
        try:
            raise LookupError("late")
        except LookupError:
            start_response("500 Oh", [], sys.exc_info())

    with pytest.raises(RuntimeError, match="did not call start_response"):
        request(never)
    with pytest.raises(ValueError, match="second time"):
        request(twice)
    assert request(replaced)[0]["status"] == 500
    with pytest.raises(LookupError, match="late"):
        request(too_late)


def test_a_header_repeated_too_often() -> None:
    def app(environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [])
        return [environ["HTTP_X"].encode()]

    scope = SCOPE | {"headers": [(b"x", b"1")] * 3}
    assert request(app, scope=scope, duplicate_header_limit=2)[0]["status"] == 400
    answer = request(app, scope=scope, duplicate_header_limit=None)
    assert answer[1]["body"] == b"1,1,1"


def test_other_scopes_and_events() -> None:
    with pytest.raises(ValueError, match="scope"):
        request(None, scope={"type": "websocket"})
    with pytest.raises(ValueError, match="message"):
        request(None, {"type": "http.disconnect"})


def test_methods_can_be_overridden() -> None:
    class Mine(WsgiToAsgiInstance):
        def build_environ(self, scope: Any, body: Any) -> dict[str, Any]:
            return super().build_environ(scope, body) | {"extra": "x"}

    def app(environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [])
        return [environ["extra"].encode()]

    async def main() -> list[Any]:
        talk = ApplicationCommunicator(Mine(app), SCOPE | {"client": None})
        await talk.send_input(BODY)
        return [await talk.receive_output() for _ in range(2)]

    assert asyncio.run(main())[1]["body"] == b"x"
