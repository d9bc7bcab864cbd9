"""The jobs of the adapters, in one process: requests without a server."""

import asyncio
import io
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from time import perf_counter
from typing import Any, Final
from wsgiref.types import WSGIApplication

import a2wsgi
import attrs

from asgibridge.adapters import AsgiToWsgi
from asgibridge.bridge import Bridge

from . import wsgi_apps as apps
from ._model import Batch, Contender, Scenario, Setting, Target
from .wsgi_adapters import App, adapters, kind_of

__all__ = ("ALL", "Job", "request")

KIB: Final = 1024
MIB: Final = 1024 * KIB
AT_ONCE: Final = 64

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
class Job:
    """Requests to a WSGI application as an ASGI application.

    Args:
        app: The application.
        at_once: How many requests are under way together.
        body: One message of the request body.
        messages: How many of them.
        per: How many parts of a request are counted as one operation each.
    """

    app: WSGIApplication
    at_once: int = 1
    body: bytes = b""
    messages: int = 1
    per: int = 1

    @contextmanager
    def open(self, name: str, setting: Setting) -> Iterator[Batch]:
        """Provide a batch for the adapter called *name*."""
        with (
            Bridge() as bridge,
            asyncio.Runner(loop_factory=setting.new_loop) as runner,
        ):
            app = adapters(bridge)[name](self.app)

            def batch(count: int) -> float:
                return runner.run(self._seconds(app, max(count // self.per, 1)))

            yield batch

    async def _seconds(self, app: App, count: int) -> float:
        method = "POST" if self.body else "GET"
        one = partial(request, app, self.body, self.messages, method)
        start = perf_counter()
        if self.at_once == 1:
            for _ in range(count):
                await one()
        else:
            for _ in range(count // self.at_once):
                await asyncio.gather(*(one() for _ in range(self.at_once)))
        return perf_counter() - start


def _forth(
    name: str,
    title: str,
    job: Job,
    goal: float,
    *,
    count: int | None = None,
    without: str = "",
) -> Scenario:
    names = [it for it in ("asgibridge", "asgiref", *_PEERS) if it != without]
    return Scenario(
        name,
        f"WSGI to ASGI: {title}",
        tuple(Contender(it, kind_of(it), partial(job.open, it)) for it in names),
        goals=(Target("asgibridge", goal),),
        width=job.at_once * job.per,
        count=count,
    )


_PEERS: Final = ("a2wsgi", "starlette", "uvicorn", "hypercorn")
_SMALL: Final = bytes(100)


def _start_nothing(*_: object) -> None:
    """Be a server that sends nothing."""


def _call_wsgi(app: WSGIApplication) -> None:
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
    result: Iterable[bytes] = app(environ, _start_nothing)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # a server whose write() nobody calls
    for _ in result:
        pass
    close = getattr(result, "close", None)
    if close is not None:
        close()


def _by_threads(app: WSGIApplication, count: int, threads: int) -> float:
    barrier = threading.Barrier(threads + 1)

    def work() -> None:
        barrier.wait()
        for _ in range(count // threads):
            _call_wsgi(app)

    workers = [threading.Thread(target=work) for _ in range(threads)]
    for worker in workers:
        worker.start()
    barrier.wait()
    start = perf_counter()
    for worker in workers:
        worker.join()
    return perf_counter() - start


def _one_by_one(app: WSGIApplication, count: int) -> float:
    start = perf_counter()
    for _ in range(count):
        _call_wsgi(app)
    return perf_counter() - start


def _batch(app: WSGIApplication, threads: int, per: int) -> Batch:
    if threads == 1:
        return lambda count: _one_by_one(app, max(count // per, 1))
    return lambda count: _by_threads(app, count, threads)


@contextmanager
def _ours(app: App, threads: int, per: int, _: Setting) -> Iterator[Batch]:
    with Bridge() as bridge, AsgiToWsgi(app, bridge=bridge, lifespan="off") as ours:
        yield _batch(ours, threads, per)


@contextmanager
def _theirs(app: Any, threads: int, per: int, _: Setting) -> Iterator[Batch]:
    theirs: Any = a2wsgi.ASGIMiddleware(app)  # its environ is a type of its own
    yield _batch(theirs, threads, per)


def _back(
    name: str, title: str, app: App, goal: float, *, threads: int = 1, per: int = 1
) -> Scenario:
    def contender(name: str, make: Callable[..., Any]) -> Contender:
        return Contender(name, kind_of(name), partial(make, app, threads, per))

    return Scenario(
        name,
        f"ASGI to WSGI: {title}",
        (contender("asgibridge", _ours), contender("a2wsgi", _theirs)),
        goals=(Target("asgibridge", goal, than="a2wsgi"),),
        width=threads * per,
    )


def _upload(kib: int) -> Scenario:
    # Starlette's takes time quadratic in the number of messages: 20 seconds.
    return _forth(
        f"upload-{kib}",
        f"64 MiB upload in messages of {kib} KiB",
        Job(apps.count, body=bytes(kib * KIB), messages=64 * KIB // kib),
        2,
        count=1,
        without="starlette",
    )


ALL: Final[tuple[Scenario, ...]] = (
    _forth("hello", "hello, one at a time", Job(apps.hello), 7),
    _forth("hello-64", "hello, 64 at once", Job(apps.hello, at_once=AT_ONCE), 9),
    _forth(
        "stream",
        "stream of 1,000 chunks, per chunk",
        Job(apps.stream, per=apps.CHUNKS),
        25,
    ),
    _forth("post", "small POST, one at a time", Job(apps.echo, body=_SMALL), 3.5),
    _forth(
        "post-64",
        "small POST, 64 at once",
        Job(apps.echo, at_once=AT_ONCE, body=_SMALL),
        4.5,
    ),
    _upload(16),
    _upload(64),
    _back("back", "one at a time", apps.asgi_hello, 3.4),
    _back("back-16", "16 threads", apps.asgi_hello, 5, threads=16),
    _back(
        "back-stream",
        "stream of 1,000 chunks, per chunk",
        apps.asgi_stream,
        50,
        per=apps.CHUNKS,
    ),
)
