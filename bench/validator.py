"""What the validator adds to one HTTP request, in microseconds.

Run with ``python -m bench.validator [rounds]``.  A trivial application answers
the same request with and without the validator, turn by turn, and the medians
are compared.  The application is driven without an event loop: no await in it
ever waits, so one ``send(None)`` runs it to its end.
"""

import statistics
import sys
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final, cast

from asgibridge.adapters import ASGIValidator
from asgibridge.types import ASGIApp

_CALLS: Final = 2000
_MICROSECONDS: Final = 1e6

_HEADERS: Final = [
    (b"host", b"example.org"),
    (b"user-agent", b"Mozilla/5.0"),
    (b"accept", b"*/*"),
    (b"accept-language", b"en"),
    (b"accept-encoding", b"gzip, br"),
    (b"cookie", b"session=0123456789abcdef"),
    (b"cache-control", b"no-cache"),
    (b"connection", b"keep-alive"),
]


_EXTENSIONS: Final = ("http.response.trailers", "http.response.push")


def _bare() -> dict[str, Any]:
    """Return a scope as uvicorn makes it for HTTP/1.1."""
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": "/items/1",
        "raw_path": b"/items/1",
        "query_string": b"page=1",
        "root_path": "",
        "headers": list(_HEADERS),
        "client": ("127.0.0.1", 50000),
        "server": ("127.0.0.1", 8000),
        "state": {},
    }


def _with_extensions() -> dict[str, Any]:
    """Return a scope as hypercorn makes it."""
    return _bare() | {"extensions": {name: {} for name in _EXTENSIONS}}


def _with_unstated() -> dict[str, Any]:
    """Return a scope that is right and not plain: a proxy on a unix socket."""
    return _bare() | {"client": None, "server": ("/run/app.sock", None)}


def _with_tls() -> dict[str, Any]:
    """Return a scope of a server that tells about TLS, and of a client's certificate."""
    entry = {
        "server_cert": "-----BEGIN CERTIFICATE-----",
        "client_cert_chain": ["-----BEGIN CERTIFICATE-----"],
        "client_cert_name": "CN=client",
        "client_cert_error": None,
        "tls_version": 0x0304,
        "cipher_suite": 0x1301,
    }
    return _bare() | {"scheme": "https", "extensions": {"tls": entry}}


def _as_sent() -> dict[str, Any]:
    """Return a scope with the header names as the client wrote them."""
    return _bare() | {"headers": [(name.title(), value) for name, value in _HEADERS]}


_SCOPES: Final[dict[str, Callable[[], dict[str, Any]]]] = {
    "plain": _bare,
    "with extensions": _with_extensions,
    "unix socket": _with_unstated,
    "with TLS": _with_tls,
    "names as sent": _as_sent,
}


async def _application(
    scope: Any,
    receive: Callable[[], Awaitable[Any]],
    send: Callable[[Any], Awaitable[None]],
) -> None:
    assert scope["type"] == "http"  # noqa: S101 - a benchmark
    await receive()
    headers = [
        (b"content-type", b"text/plain"),
        (b"content-length", b"5"),
        (b"x-request-id", b"1"),
        (b"server", b"bench"),
    ]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"hello"})


async def _receive() -> object:
    return {"type": "http.request", "body": b"", "more_body": False}


async def _send(_event: object) -> None:
    return None


def seconds_per_request(app: ASGIApp, make: Callable[[], dict[str, Any]]) -> float:
    """Return how long *app* takes for one request, in seconds."""
    scopes = [make() for _ in range(_CALLS)]
    begin = time.perf_counter()
    for scope in scopes:
        coroutine = cast("Coroutine[Any, Any, None]", app(scope, _receive, _send))
        try:
            coroutine.send(None)
        except StopIteration:
            continue
    return (time.perf_counter() - begin) / _CALLS


def added_microseconds(rounds: int, make: Callable[[], dict[str, Any]]) -> float:
    """Return the median of what the validator adds, in microseconds."""
    validated = ASGIValidator(_application)
    differences = [
        seconds_per_request(validated, make) - seconds_per_request(_application, make)
        for _ in range(rounds)
    ]
    return statistics.median(differences) * _MICROSECONDS


def main() -> None:
    """Measure and print."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 15
    for name, make in _SCOPES.items():
        added = added_microseconds(rounds, make)
        sys.stdout.write(f"{name:16} {added:6.2f} us per request\n")


if __name__ == "__main__":
    main()
