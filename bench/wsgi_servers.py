"""Real servers for WSGI applications, each in a process of its own.

``python -m bench.wsgi_servers NAME APP LOOP`` is such a process: it says where it
listens, and serves until it is told to end.
"""

import logging
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, cast
from wsgiref.types import WSGIApplication

import attrs
import uvicorn
import waitress

from asgibridge.bridge import Bridge

from . import wsgi_apps as apps
from ._model import LoopName
from .wsgi_adapters import adapters

__all__ = ("APPS", "CONTENDERS", "FLOOR", "SERVERS", "THREADS", "Server", "open_server")

_ROOT: Final = Path(__file__).parents[1]
_STARTED_WITHIN: Final = 60  # seconds
_ADDRESS: Final = re.compile(r"http://127\.0\.0\.1:\d+")

THREADS: Final = 32  # of the servers, as many as ours has
_ADAPTERS: Final = ("asgibridge", "asgiref", "a2wsgi", "uvicorn")
SERVERS: Final = ("waitress", "gunicorn")
FLOOR: Final = "floor: ASGI app"  # no adapter at all
CONTENDERS: Final = (*_ADAPTERS, *SERVERS, FLOOR)
APPS: Final[dict[str, WSGIApplication]] = {
    "hello": apps.hello,
    "sleepy": apps.sleepy,
}


@attrs.frozen
class Server:
    """A server that runs.

    Args:
        url: Where it listens.
        pid: The process that was started.
    """

    url: str
    pid: int

    def cpu_seconds(self) -> float:
        """Return the CPU time that it and its children have used; on Linux."""
        return _cpu_seconds(self.pid)


def _cpu_seconds(pid: int) -> float:
    """Return what a process and its children have used."""
    process = Path(f"/proc/{pid}")
    # The name, which may hold anything, ends with the last bracket.
    fields = process.joinpath("stat").read_text().rpartition(")")[2].split()
    ticks = int(fields[11]) + int(fields[12])
    children = " ".join(
        it.read_text() for it in process.glob("task/*/children")
    ).split()
    seconds = ticks / os.sysconf("SC_CLK_TCK")
    return seconds + sum(_cpu_seconds(int(child)) for child in children)


@contextmanager
def open_server(name: str, app: str, loop: LoopName) -> Iterator[Server]:
    """Start a server in a process of its own."""
    command = [sys.executable, "-m", "bench.wsgi_servers", name, app, loop]
    process = subprocess.Popen(  # noqa: S603 - our own words
        command, cwd=_ROOT, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None  # noqa: S101 - a pipe was asked for
        address = _ADDRESS.search(process.stdout.readline())
        if address is None:
            msg = f"{name} did not start"
            raise RuntimeError(msg)
        with urllib.request.urlopen(  # noqa: S310 - our own address
            address[0], timeout=_STARTED_WITHIN
        ) as answer:
            if answer.read() != b"Hello, world":
                msg = f"{name} serves something else"
                raise RuntimeError(msg)
        yield Server(address[0], process.pid)
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate()


# -- serving --


def _serve(name: str, app: WSGIApplication, loop: LoopName) -> None:
    """Serve *app* until the process is told to end."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    # Named TCP: only then does asyncio turn off Nagle's algorithm, and without
    # that each response waits 40 ms for the client's acknowledgement.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    listener.listen(1024)
    host, port = listener.getsockname()
    logging.disable()  # waitress tells of each request that waits
    print(f"http://{host}:{port}", flush=True)
    serve: dict[str, Callable[[], object]] = {
        "waitress": lambda: waitress.serve(app, sockets=[listener], threads=THREADS),
        "gunicorn": lambda: _gunicorn(app, listener),
    }
    serve.get(name, lambda: _uvicorn(name, app, listener, loop))()


def _uvicorn(
    name: str, app: WSGIApplication, listener: socket.socket, loop: LoopName
) -> None:
    with Bridge() as bridge:
        served = apps.asgi_hello if name == FLOOR else adapters(bridge)[name](app)
        config = uvicorn.Config(
            served,
            http="httptools",
            loop=loop,
            access_log=False,
            log_level="warning",
            # Else asgiref answers a third of the requests with an error: those
            # that uvicorn starts in the context of the one before.
            reset_contextvars=True,
        )
        uvicorn.Server(config).run(sockets=[listener])


def _gunicorn(app: WSGIApplication, listener: socket.socket) -> None:
    from gunicorn.app.wsgiapp import run  # noqa: PLC0415 - not there on Windows

    names = {served: name for name, served in APPS.items()}
    sys.argv = ["gunicorn", "--threads", str(THREADS), "--log-level", "warning"]
    sys.argv += ["--bind", f"fd://{listener.fileno()}"]
    sys.argv += [f"bench.wsgi_apps:{names[app]}"]
    run()


if __name__ == "__main__":
    _serve(sys.argv[1], APPS[sys.argv[2]], cast("LoopName", sys.argv[3]))
