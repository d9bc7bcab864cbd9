"""Application adapters, side by side: ``python -m bench.wsgi``.

`WsgiToAsgi` beside asgiref, a2wsgi, Starlette, uvicorn and hypercorn, and
`AsgiToWsgi` beside a2wsgi: in one process, pinned to one CPU, in rounds that are
interleaved.  A figure is the median of the ratios within each round.
"""

import argparse
import asyncio
import io
import os
import statistics
import sys
import threading
import time
import tracemalloc
import warnings
from collections.abc import Awaitable, Callable, Iterable, Iterator
from functools import partial
from typing import Any, Final
from wsgiref.types import StartResponse, WSGIApplication

import a2wsgi
import attrs
import uvloop
from asgiref.wsgi import WsgiToAsgi as AsgirefAdapter
from hypercorn.app_wrappers import WSGIWrapper

from asgibridge.adapters import AsgiToWsgi, WsgiToAsgi
from asgibridge.bridge import Bridge

with warnings.catch_warnings():
    # Both say that a2wsgi is to be used instead; here they are contenders.
    warnings.simplefilter("ignore")
    from starlette.middleware.wsgi import WSGIMiddleware as StarletteAdapter
    from uvicorn.middleware.wsgi import (
        _WSGIMiddleware as UvicornAdapter,  # pyright: ignore[reportPrivateUsage] # the public name is a2wsgi's where that is installed
    )

App = Callable[[Any, Any, Any], Awaitable[None]]
MIB: Final = 1024 * 1024

SCOPE: Final[dict[str, Any]] = {
    "type": "http",
    "asgi": {"version": "3.0", "spec_version": "2.3"},
    "http_version": "1.1",
    "method": "GET",
    "scheme": "http",
    "path": "/",
    "raw_path": b"/",
    "query_string": b"",
    "root_path": "",
    "headers": [
        (b"host", b"localhost"),
        (b"user-agent", b"bench"),
        (b"accept", b"*/*"),
    ],
    "client": ("127.0.0.1", 1234),
    "server": ("127.0.0.1", 8000),
}
HEADERS: Final = [("Content-Type", "text/plain")]


def hello(environ: dict[str, Any], start_response: StartResponse) -> list[bytes]:
    start_response("200 OK", [*HEADERS, ("Content-Length", "12")])
    return [b"Hello, world"]


def stream(environ: dict[str, Any], start_response: StartResponse) -> Iterator[bytes]:
    start_response("200 OK", HEADERS)
    for _ in range(1000):
        yield bytes(100)


def echo(environ: dict[str, Any], start_response: StartResponse) -> list[bytes]:
    data = environ["wsgi.input"].read(100)
    start_response("200 OK", [*HEADERS, ("Content-Length", str(len(data)))])
    return [data]


def count(environ: dict[str, Any], start_response: StartResponse) -> list[bytes]:
    total = 0
    while data := environ["wsgi.input"].read(64 * 1024):
        total += len(data)
    start_response("200 OK", HEADERS)
    return [b"%d" % total]


class Hypercorn:
    """Hypercorn's wrapper with what its server gives it."""

    def __init__(self, app: Any) -> None:  # as hypercorn types it
        self.wrapper = WSGIWrapper(app, 1024 * MIB)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:  # ASGI
        loop = asyncio.get_running_loop()

        def call_soon(fn: Any, *args: Any) -> Any:  # as hypercorn types it
            future = asyncio.run_coroutine_threadsafe(fn(*args), loop)
            return future.result()

        spawn = partial(loop.run_in_executor, None)
        await self.wrapper(scope, receive, send, spawn, call_soon)


bridge = Bridge()
ADAPTERS: Final[dict[str, Callable[[Any], App]]] = {
    "asgiref": AsgirefAdapter,
    "asgibridge": partial(WsgiToAsgi, bridge=bridge),
    "a2wsgi": a2wsgi.WSGIMiddleware,
    "starlette": StarletteAdapter,
    "uvicorn": UvicornAdapter,
    "hypercorn": Hypercorn,
}


async def request(app: App, body: bytes, messages: int, method: str) -> None:
    """Make one request, with *body* in each of that many messages."""
    left = messages
    sent = 0

    async def receive() -> dict[str, Any]:
        nonlocal left
        if left:
            left -= 1
            return {"type": "http.request", "body": body, "more_body": bool(left)}
        await asyncio.get_running_loop().create_future()
        raise AssertionError

    async def send(event: dict[str, Any]) -> None:
        nonlocal sent
        sent += len(event.get("body", b""))

    headers = SCOPE["headers"]
    if body:
        length = b"%d" % (len(body) * messages)
        headers = [*headers, (b"content-length", length)]
    await app({**SCOPE, "method": method, "headers": headers}, receive, send)
    if not sent:
        msg = f"{app!r} sent nothing"
        raise RuntimeError(msg)


@attrs.frozen
class Scenario:
    """What is measured, and by how much asgibridge is to be ahead of asgiref."""

    name: str
    app: WSGIApplication
    count: int
    at_once: int = 1
    body: bytes = b""
    messages: int = 1
    per: int = 1
    goal: float = 0
    max_rounds: int = 99

    async def seconds(self, app: App) -> float:
        """Return the time for one request, or for one of its parts."""
        one = partial(
            request, app, self.body, self.messages, "POST" if self.body else "GET"
        )
        await one()
        start = time.perf_counter()
        for _ in range(self.count // self.at_once):
            if self.at_once == 1:
                await one()
            else:
                await asyncio.gather(*(one() for _ in range(self.at_once)))
        return (time.perf_counter() - start) / self.count / self.per


SMALL: Final = bytes(100)
SCENARIOS: Final = (
    Scenario("hello, one at a time", hello, 300, goal=7),
    Scenario("hello, 64 at once", hello, 640, at_once=64, goal=9),
    Scenario("stream, per chunk of 1,000", stream, 2, per=1000, goal=25),
    Scenario("small POST, one at a time", echo, 300, body=SMALL, goal=3.5),
    Scenario("small POST, 64 at once", echo, 640, at_once=64, body=SMALL, goal=4.5),
    Scenario(
        "64 MiB upload",
        count,
        1,
        body=bytes(64 * 1024),
        messages=1024,
        goal=2,
        max_rounds=3,
    ),
)

ASGI_START: Final = {
    "type": "http.response.start",
    "status": 200,
    "headers": [(b"content-type", b"text/plain")],
}


async def asgi_hello(scope: Any, receive: Any, send: Any) -> None:  # ASGI
    await send(ASGI_START)
    await send({"type": "http.response.body", "body": b"Hello, world"})


async def asgi_stream(scope: Any, receive: Any, send: Any) -> None:  # ASGI
    await send(ASGI_START)
    for _ in range(1000):
        await send(
            {"type": "http.response.body", "body": bytes(100), "more_body": True}
        )
    await send({"type": "http.response.body", "body": b""})


def start_nothing(*_: object) -> None:
    """Be a server that sends nothing."""


def call_wsgi(app: Any) -> None:  # either adapter
    environ = {
        "REQUEST_METHOD": "GET",
        "SCRIPT_NAME": "",
        "PATH_INFO": "/",
        "QUERY_STRING": "",
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "HTTP_HOST": "localhost",
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(),
    }
    result: Iterable[bytes] = app(environ, start_nothing)
    for _ in result:
        pass
    close = getattr(result, "close", None)
    if close is not None:
        close()


def wsgi_seconds(app: Any, count: int, threads: int, per: int) -> float:  # either
    """Return the time for one request, or for one of its parts."""
    call_wsgi(app)

    def work() -> None:
        barrier.wait()
        for _ in range(count // threads):
            call_wsgi(app)

    if threads == 1:
        start = time.perf_counter()
        for _ in range(count):
            call_wsgi(app)
        return (time.perf_counter() - start) / count / per
    barrier = threading.Barrier(threads + 1)
    workers = [threading.Thread(target=work) for _ in range(threads)]
    for worker in workers:
        worker.start()
    barrier.wait()
    start = time.perf_counter()
    for worker in workers:
        worker.join()
    return (time.perf_counter() - start) / count / per


BACK: Final = (
    ("one at a time", asgi_hello, 300, 1, 1, 3.4),
    ("16 threads", asgi_hello, 1600, 16, 1, 5.0),
    ("stream, per chunk of 1,000", asgi_stream, 2, 1, 1000, 50.0),
)

Figures = dict[str, list[float]]


def say(text: str) -> None:
    """Print *text*."""
    print(text, flush=True)


def report(title: str, figures: Figures, base: str, goal: float) -> None:
    """Print a line of Markdown for each contender."""
    say(f"\n{title} (goal: {goal:g} times {base})\n")
    say(f"| | us | times {base} |\n|---|---:|---:|")
    for name, values in figures.items():
        ratios = [b / v for b, v in zip(figures[base], values, strict=True)]
        median = statistics.median(ratios)
        say(f"| {name} | {statistics.median(values) * 1e6:.2f} | {median:.2f} |")


async def run_scenario(scenario: Scenario, rounds: int) -> Figures:
    apps = {name: make(scenario.app) for name, make in ADAPTERS.items()}
    figures: Figures = {name: [] for name in apps}
    for _ in range(min(rounds, scenario.max_rounds)):
        for name, app in apps.items():
            figures[name].append(await scenario.seconds(app))
    return figures


def run_back(app: App, count: int, threads: int, per: int, rounds: int) -> Figures:
    peer: Any = a2wsgi.ASGIMiddleware(app)
    figures: Figures = {"a2wsgi": [], "asgibridge": []}
    with AsgiToWsgi(app, bridge=bridge, lifespan="off") as ours:
        for _ in range(rounds):
            for name, adapter in (("a2wsgi", peer), ("asgibridge", ours)):
                figures[name].append(wsgi_seconds(adapter, count, threads, per))
    return figures


async def peak_of_an_upload() -> float:
    """Return how much memory 64 MiB take on their way through, in MiB."""
    app = WsgiToAsgi(count, bridge=bridge)
    chunk = bytes(64 * 1024)
    await request(app, chunk, 16, "POST")
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    await request(app, chunk, 1024, "POST")
    peak = tracemalloc.get_traced_memory()[1] - before
    tracemalloc.stop()
    return peak / MIB


def main(arguments: list[str]) -> None:
    """Run what was asked for and print tables."""
    parser = argparse.ArgumentParser(prog="python -m bench.wsgi", description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--loop", choices=["asyncio", "uvloop"], default="asyncio")
    parser.add_argument("--cpu", type=int, default=0, help="the CPU to stay on")
    parser.add_argument("--only", default="", help="part of a scenario's name")
    options = parser.parse_args(arguments)
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {options.cpu})
    factory = uvloop.new_event_loop if options.loop == "uvloop" else None
    with asyncio.Runner(loop_factory=factory) as runner:
        for scenario in SCENARIOS:
            if options.only in scenario.name:
                figures = runner.run(run_scenario(scenario, options.rounds))
                report(
                    f"WSGI to ASGI: {scenario.name}", figures, "asgiref", scenario.goal
                )
        peak = runner.run(peak_of_an_upload())
        say(f"\nPeak of a 64 MiB upload above idle: {peak:.2f} MiB (goal: 1)")
    for name, app, count_, threads, per, goal in BACK:
        if options.only in name:
            figures = run_back(app, count_, threads, per, options.rounds)
            report(f"ASGI to WSGI: {name}", figures, "a2wsgi", goal)
    bridge.close()


if __name__ == "__main__":
    main(sys.argv[1:])
