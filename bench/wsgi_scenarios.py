"""The jobs of the adapters, in one process: requests without a server."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from time import perf_counter
from typing import Any, Final
from wsgiref.types import WSGIApplication

import attrs

from asgibridge.bridge import Bridge

from . import wsgi_apps as apps
from ._model import Batch, Contender, Scenario, Setting, Target
from .wsgi_adapters import App, adapters, kind_of
from .wsgi_back import BACK

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
    *BACK,
)
