"""The jobs of `AsgiToWsgi`, in one process: requests without a server."""

import io
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from time import perf_counter
from typing import Any, Final
from wsgiref.types import WSGIApplication

import a2wsgi

from asgibridge.adapters import AsgiToWsgi
from asgibridge.bridge import Bridge

from . import wsgi_apps as apps
from ._model import Batch, Contender, Scenario, Setting, Target
from .wsgi_adapters import App, kind_of

__all__ = ("BACK",)


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


BACK: Final[tuple[Scenario, ...]] = (
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
