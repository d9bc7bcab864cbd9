"""Applications that real servers run; see test_servers.py."""

import json
import resource
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from wsgiref.types import StartResponse

import bottle
import django
import fastapi
import flask
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse, StreamingHttpResponse
from django.urls import path
from starlette.responses import StreamingResponse

from asgibridge.adapters import AsgiToWsgi, WsgiToAsgi
from asgibridge.bridge import Bridge

Environ = dict[str, Any]

# Flask

flask_app = flask.Flask(__name__)


@flask_app.route("/hello")
def flask_hello() -> str:
    return f"flask {flask.request.args['name']} at {flask.request.script_root}"


@flask_app.route("/echo", methods=["POST"])
def flask_echo() -> bytes:
    return flask.request.get_data()


@flask_app.route("/stream")
def flask_stream() -> flask.Response:
    return flask.Response(f"{number}\n" for number in range(3))


@flask_app.route("/fail")
def flask_fail() -> str:
    raise LookupError


# Django


def django_hello(request: Any) -> Any:
    root = request.META["SCRIPT_NAME"]
    return HttpResponse(f"django {request.GET['name']} at {root}")


def django_echo(request: Any) -> Any:
    return HttpResponse(request.body)


def django_stream(request: Any) -> Any:
    return StreamingHttpResponse(f"{number}\n" for number in range(3))


def django_fail(request: Any) -> Any:
    raise LookupError


urlpatterns = [
    path("hello", django_hello),
    path("echo", django_echo),
    path("stream", django_stream),
    path("fail", django_fail),
]
settings.configure(
    ALLOWED_HOSTS=["*"],
    DATA_UPLOAD_MAX_MEMORY_SIZE=None,
    LOGGING_CONFIG=None,
    MIDDLEWARE=["django.middleware.common.CommonMiddleware"],
    ROOT_URLCONF=__name__,
    SECRET_KEY="only for tests",  # noqa: S106 # it guards nothing
)
django.setup(set_prefix=False)
django_app = get_wsgi_application()

# Bottle

bottle_app = bottle.Bottle()


@bottle_app.route("/hello")  # type: ignore[untyped-decorator] # Bottle has no types
def bottle_hello() -> str:
    root = bottle.request.script_name.rstrip("/")
    return f"bottle {bottle.request.query.name} at {root}"


@bottle_app.route("/echo", method="POST")  # type: ignore[untyped-decorator] # the same
def bottle_echo() -> bytes:
    return bottle.request.body.read()  # type: ignore[no-any-return] # the same


@bottle_app.route("/stream")  # type: ignore[untyped-decorator] # the same
def bottle_stream() -> Iterator[str]:
    for number in range(3):
        yield f"{number}\n"


@bottle_app.route("/fail")  # type: ignore[untyped-decorator] # the same
def bottle_fail() -> str:
    raise LookupError


# Plain WSGI

closed = threading.Event()


class Endless:
    """Never stops by itself."""

    def __iter__(self) -> "Endless":
        return self

    def __next__(self) -> bytes:
        return bytes(64 * 1024)

    def close(self) -> None:
        closed.set()


def peak_kib() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def large(environ: Environ) -> Iterator[bytes]:
    block = bytes(256 * 1024)
    for _ in range(int(environ["QUERY_STRING"]) // len(block)):
        yield block


def count(environ: Environ) -> bytes:
    total = 0
    while data := environ["wsgi.input"].read(256 * 1024):
        total += len(data)
    return b"%d" % total


def endless(environ: Environ) -> Endless:
    closed.clear()
    return Endless()


def texts_of(environ: Environ) -> bytes:
    texts = {k: v for k, v in environ.items() if isinstance(v, (str, bool))}
    return json.dumps(texts).encode()


def extensions(environ: Environ) -> bytes:
    return " ".join(environ["asgi.scope"].get("extensions") or ()).encode()


def this_file(environ: Environ) -> Any:
    return environ["wsgi.file_wrapper"](Path(__file__).open("rb"))


PAGES: dict[str, Callable[[Environ], Any]] = {
    "/large": large,
    "/endless": endless,
    "/closed": lambda _: [b"%d" % closed.wait(timeout=60)],
    "/count": lambda environ: [count(environ)],
    "/peak": lambda _: [b"%d" % peak_kib()],
    "/file": this_file,
    "/extensions": lambda environ: [extensions(environ)],
    "/environ": lambda environ: [texts_of(environ)],
}


def plain_app(environ: Environ, start_response: StartResponse) -> Any:
    name = environ["PATH_INFO"]
    headers = [("Content-Type", "application/octet-stream")]
    if name == "/large":
        headers.append(("Content-Length", environ["QUERY_STRING"]))
    start_response("200 OK", headers)
    return PAGES[name](environ)


APPS: dict[str, Any] = {
    "flask": flask_app,
    "django": django_app,
    "bottle": bottle_app,
    "plain": plain_app,
}


def dispatch(environ: Environ, start_response: StartResponse) -> Any:
    """Mount each application under its name."""
    _, name, *rest = environ["PATH_INFO"].split("/")
    environ["SCRIPT_NAME"] += "/" + name
    environ["PATH_INFO"] = "/" + "/".join(rest)
    return APPS[name](environ, start_response)


bridge = Bridge()
asgi = WsgiToAsgi(dispatch, bridge=bridge)

# FastAPI, and Starlette below it

fast_app = fastapi.FastAPI()
fast_closed = threading.Event()


@fast_app.get("/hello")
async def fast_hello(name: str) -> str:
    return f"fastapi {name}"


@fast_app.get("/sync")
def fast_sync() -> str:
    return threading.current_thread().name


@fast_app.post("/echo")
async def fast_echo(request: fastapi.Request) -> fastapi.Response:
    return fastapi.Response(await request.body())


@fast_app.post("/count")
async def fast_count(request: fastapi.Request) -> int:
    total = 0
    async for chunk in request.stream():
        total += len(chunk)
    return total


@fast_app.get("/stream")
async def fast_stream() -> StreamingResponse:
    async def numbers() -> Any:
        for number in range(3):
            yield f"{number}\n"

    return StreamingResponse(numbers())


@fast_app.get("/endless")
async def fast_endless() -> StreamingResponse:
    async def blocks() -> Any:
        fast_closed.clear()
        try:
            while True:
                yield bytes(64 * 1024)
        finally:
            fast_closed.set()

    return StreamingResponse(blocks())


@fast_app.get("/closed")
def fast_was_closed() -> bool:
    return fast_closed.wait(timeout=60)


@fast_app.get("/large/{size}")
async def fast_large(size: int) -> StreamingResponse:
    async def blocks() -> Any:
        block = bytes(256 * 1024)
        for _ in range(size // len(block)):
            yield block

    return StreamingResponse(blocks(), headers={"content-length": str(size)})


@fast_app.get("/peak")
def fast_peak() -> int:
    return peak_kib()


@fast_app.get("/fail")
async def fast_fail() -> None:
    raise LookupError


wsgi = AsgiToWsgi(fast_app, bridge=bridge)
