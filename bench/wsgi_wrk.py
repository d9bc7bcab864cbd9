"""WSGI applications behind real servers: ``python -m bench.wsgi_wrk``.

uvicorn serves a WSGI application through each adapter, with the adapter's
defaults; waitress and gunicorn serve it directly, with 32 threads.  wrk asks over
64 connections, in turns of random order.  Every server has one process, on one
CPU; wrk has another, where there are two.  Needs wrk (a package of that name in
Debian).
"""

import argparse
import logging
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final, get_args
from wsgiref.types import WSGIApplication

import attrs
import uvicorn
import waitress
from rich.console import Console

from asgibridge.bridge import Bridge

from . import wsgi_apps as apps
from ._console import print_machine, print_outcome
from ._machine import describe_machine
from ._markdown import write_markdown
from ._model import Contender, LoopName, Scenario, Target
from ._rounds import Outcome
from .wsgi_adapters import PACKAGES, adapters, kind_of
from .wsgi_plot import write_speeds

__all__ = ("main",)

_ROOT: Final = Path(__file__).parents[1]
_CONNECTIONS: Final = 64
_THREADS: Final = 32  # as many as ours has
_STARTED_WITHIN: Final = 60  # seconds
_ADDRESS: Final = re.compile(r"http://127\.0\.0\.1:\d+")
_RATE: Final = re.compile(r"Requests/sec:\s+([\d.]+)")
_FAILED: Final = re.compile(r"Socket errors|Non-2xx")

_ADAPTERS: Final = ("asgibridge", "asgiref", "a2wsgi", "uvicorn")
_SERVERS: Final = ("waitress", "gunicorn")
_APPS: Final[dict[str, WSGIApplication]] = {
    "hello": apps.hello,
    "sleepy": apps.sleepy,
}
_HOW: Final = (
    "uvicorn, with httptools, serves a WSGI application through each adapter with its",
    f"defaults; waitress and gunicorn serve it directly, with {_THREADS} threads. Each server",
    f"is one process on one CPU; wrk asks over {_CONNECTIONS} connections, in turns of random",
    "order. Medians, time for one request at that load. Written by",
    "`python -m bench.wsgi_wrk`.",
)


@attrs.frozen
class Load:
    """What wrk does to a server.

    Args:
        seconds: Length of a turn.
        rounds: How often each server has its turn.
    """

    seconds: int
    rounds: int

    def microseconds(self, url: str) -> float:
        """Return the time for one request, at full load.

        Raises:
            RuntimeError: If requests failed.
        """
        command = ["wrk", "-t1", f"-c{_CONNECTIONS}", f"-d{self.seconds}s", url]
        done = subprocess.run(  # noqa: S603 - our own words
            command, capture_output=True, text=True, check=True
        )
        rate = _RATE.search(done.stdout)
        if rate is None or _FAILED.search(done.stdout):
            raise RuntimeError(done.stdout)
        return 1e6 / float(rate[1])


def main(arguments: Sequence[str]) -> int:
    """Measure and print; return the status for the shell."""
    options = _options(arguments)
    if options.serve:
        _serve(options.serve, _APPS[options.app], options.loop)
        return 0
    if shutil.which("wrk") is None:
        sys.stderr.write(
            "python -m bench.wsgi_wrk: error: wrk is not here, and nothing can be"
            " measured without it; install the package wrk\n"
        )
        return 2
    console = Console() if sys.stdout.isatty() else Console(width=110)
    packages = (*PACKAGES, *_SERVERS, "httptools")
    machine = attrs.evolve(
        describe_machine(options.loop, "pin", packages),
        placement="one for the server, the others for wrk",
    )
    print_machine(console, machine)
    load = Load(options.seconds, options.rounds)
    outcomes: list[Outcome] = []
    for scenario in _scenarios():
        outcomes.append(_measure(scenario, load, options.loop))
        print_outcome(console, outcomes[-1], "pin")
    if options.markdown is not None:
        write_markdown(options.markdown, machine, outcomes, _HOW)
    if options.plot is not None:
        write_speeds(options.plot, machine, outcomes, "asgiref")
    return 0


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench.wsgi_wrk", description=__doc__
    )
    add = parser.add_argument
    add("--rounds", type=int, default=5)
    add("--seconds", type=int, default=2, help="how long one turn takes")
    add("--loop", choices=get_args(LoopName), default="asyncio")
    add("--markdown", type=Path, metavar="FILE", help="write the tables there, too")
    add("--plot", type=Path, metavar="FILE", help="write the ratios there, as SVG")
    add("--serve", choices=(*_ADAPTERS, *_SERVERS), help=argparse.SUPPRESS)
    add("--app", choices=tuple(_APPS), default="hello", help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


def _scenarios() -> tuple[Scenario, ...]:
    def scenario(name: str, title: str, goal: float) -> Scenario:
        names = (*_ADAPTERS, *_SERVERS)
        return Scenario(
            name,
            title,
            tuple(Contender(it, kind_of(it), _not_here) for it in names),
            goals=(Target("asgibridge", goal), Target("asgibridge", 1, "best peer")),
        )

    sleep = f"an application that sleeps {apps.BLOCK_SECONDS * 1000:g} ms"
    return (
        scenario("hello", "hello", 6.5),
        scenario("sleepy", sleep, 20),
    )


def _not_here(_: object) -> Any:
    msg = "a server is measured from outside"
    raise NotImplementedError(msg)


# -- asking --


def _measure(scenario: Scenario, load: Load, loop: LoopName) -> Outcome:
    samples: dict[str, list[float]] = {it.name: [] for it in scenario.contenders}
    with ExitStack() as stack:
        urls = {
            name: stack.enter_context(_server(name, scenario.name, loop))
            for name in samples
        }
        for _ in range(load.rounds):
            for name in random.sample(list(samples), len(samples)):
                samples[name].append(load.microseconds(urls[name]))
    return Outcome(scenario, samples)


@contextmanager
def _server(name: str, app: str, loop: LoopName) -> Iterator[str]:
    """Start a server in a process of its own; provide its address."""
    command = [sys.executable, "-m", "bench.wsgi_wrk", "--serve", name]
    command += ["--app", app, "--loop", loop]
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
        yield address[0]
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
        "waitress": lambda: waitress.serve(app, sockets=[listener], threads=_THREADS),
        "gunicorn": lambda: _gunicorn(app, listener),
    }
    serve.get(name, lambda: _uvicorn(name, app, listener, loop))()


def _uvicorn(
    name: str, app: WSGIApplication, listener: socket.socket, loop: LoopName
) -> None:
    with Bridge() as bridge:
        config = uvicorn.Config(
            adapters(bridge)[name](app),
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

    names = {served: name for name, served in _APPS.items()}
    sys.argv = ["gunicorn", "--threads", str(_THREADS), "--log-level", "warning"]
    sys.argv += ["--bind", f"fd://{listener.fileno()}"]
    sys.argv += [f"bench.wsgi_apps:{names[app]}"]
    run()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
