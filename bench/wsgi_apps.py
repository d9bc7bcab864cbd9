"""What the benchmarks of the adapters serve."""

import time
from collections.abc import Iterator
from typing import Any, Final
from wsgiref.types import StartResponse

__all__ = (
    "BLOCK_SECONDS",
    "CHUNKS",
    "asgi_hello",
    "asgi_stream",
    "count",
    "echo",
    "hello",
    "sleepy",
    "stream",
)

CHUNKS: Final = 1000
BLOCK_SECONDS: Final = 0.005

_HEADERS: Final = [("Content-Type", "text/plain")]
_ASGI_START: Final = {
    "type": "http.response.start",
    "status": 200,
    "headers": [(b"content-type", b"text/plain")],
}
_ASGI_HELLO: Final = _ASGI_START | {
    "headers": [(b"content-type", b"text/plain"), (b"content-length", b"12")]
}


def hello(environ: dict[str, Any], start_response: StartResponse) -> list[bytes]:
    """Answer at once."""
    start_response("200 OK", [*_HEADERS, ("Content-Length", "12")])
    return [b"Hello, world"]


def sleepy(environ: dict[str, Any], start_response: StartResponse) -> list[bytes]:
    """Block as a database does, then answer."""
    time.sleep(BLOCK_SECONDS)
    return hello(environ, start_response)


def stream(environ: dict[str, Any], start_response: StartResponse) -> Iterator[bytes]:
    """Answer in many small parts."""
    start_response("200 OK", _HEADERS)
    for _ in range(CHUNKS):
        yield bytes(100)


def echo(environ: dict[str, Any], start_response: StartResponse) -> list[bytes]:
    """Send a small body back."""
    data = environ["wsgi.input"].read(100)
    start_response("200 OK", [*_HEADERS, ("Content-Length", str(len(data)))])
    return [data]


def count(environ: dict[str, Any], start_response: StartResponse) -> list[bytes]:
    """Read the body in blocks of 64 KiB; say how long it was."""
    total = 0
    while data := environ["wsgi.input"].read(64 * 1024):
        total += len(data)
    start_response("200 OK", _HEADERS)
    return [b"%d" % total]


async def asgi_hello(scope: Any, receive: Any, send: Any) -> None:
    """Answer at once."""
    await send(_ASGI_HELLO)
    await send({"type": "http.response.body", "body": b"Hello, world"})


async def asgi_stream(scope: Any, receive: Any, send: Any) -> None:
    """Answer in many small parts."""
    await send(_ASGI_START)
    for _ in range(CHUNKS):
        await send(
            {"type": "http.response.body", "body": bytes(100), "more_body": True}
        )
    await send({"type": "http.response.body", "body": b""})
