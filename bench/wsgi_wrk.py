"""WSGI applications behind real servers: ``python -m bench.wsgi_wrk``.

uvicorn serves a WSGI application through each adapter, with the adapter's
defaults; waitress and gunicorn serve it directly, with 32 threads.  wrk asks over
64 connections, in turns of random order.  Every server has one process, on one
CPU; wrk has another, where there are two.  The server's CPU time is measured, too:
other programs on the machine hardly change it.  Needs wrk (a package of that name
in Debian) and Linux.
"""

import argparse
import random
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from operator import attrgetter
from pathlib import Path
from typing import Any, Final, get_args

import attrs
from rich.console import Console

from . import wsgi_apps as apps
from ._console import print_machine, print_outcome
from ._machine import describe_machine
from ._markdown import write_markdown
from ._model import Contender, Kind, LoopName, Scenario, Target
from ._rounds import Outcome
from .wsgi_adapters import PACKAGES, kind_of
from .wsgi_plot import write_speeds
from .wsgi_servers import (
    APPS,
    CONTENDERS,
    FLOOR,
    SERVERS,
    THREADS,
    Server,
    open_server,
)

__all__ = ("main",)

_CONNECTIONS: Final = 64
_RATE: Final = re.compile(r"Requests/sec:\s+([\d.]+)")
_COUNT: Final = re.compile(r"(\d+) requests in")
_FAILED: Final = re.compile(r"Socket errors|Non-2xx")

_HOW: Final = (
    "uvicorn, with httptools, serves a WSGI application through each adapter with its",
    f"defaults; waitress and gunicorn serve it directly, with {THREADS} threads. Each server",
    f"is one process on one CPU; wrk asks over {_CONNECTIONS} connections, in turns of random",
    "order. Medians, for one request at that load. CPU time is that of the server, with the",
    "system's work for it. Written by `python -m bench.wsgi_wrk`.",
)


@attrs.frozen
class Turn:
    """What one request took, in microseconds."""

    elapsed: float
    cpu: float


def _turn(server: Server, seconds: int) -> Turn:
    """Have wrk ask *server* for so many *seconds*.

    Raises:
        RuntimeError: If requests failed.
    """
    command = ["wrk", "-t1", f"-c{_CONNECTIONS}", f"-d{seconds}s", server.url]
    before = server.cpu_seconds()
    done = subprocess.run(  # noqa: S603 - our own words
        command, capture_output=True, text=True, check=True
    )
    cpu = server.cpu_seconds() - before
    rate, count = _RATE.search(done.stdout), _COUNT.search(done.stdout)
    if rate is None or count is None or _FAILED.search(done.stdout):
        raise RuntimeError(done.stdout)
    return Turn(1e6 / float(rate[1]), 1e6 * cpu / int(count[1]))


def main(arguments: Sequence[str]) -> int:
    """Measure and print; return the status for the shell."""
    options = _options(arguments)
    if shutil.which("wrk") is None:
        sys.stderr.write(
            "python -m bench.wsgi_wrk: error: wrk is not here, and nothing can be"
            " measured without it; install the package wrk\n"
        )
        return 2
    console = Console() if sys.stdout.isatty() else Console(width=110)
    packages = (*PACKAGES, *SERVERS, "httptools")
    machine = attrs.evolve(
        describe_machine(options.loop, "pin", packages),
        placement="one for the server, the others for wrk",
    )
    print_machine(console, machine)
    outcomes: list[Outcome] = []
    for app in APPS:
        turns = _measure(app, options)
        for scenario in (it for it in _scenarios() if it.name.startswith(app)):
            measure = attrgetter("cpu" if scenario.name.endswith("-cpu") else "elapsed")
            samples = {name: [*map(measure, them)] for name, them in turns.items()}
            outcomes.append(Outcome(scenario, samples))
            print_outcome(console, outcomes[-1], "pin")
    if options.markdown is not None:
        write_markdown(options.markdown, machine, outcomes, _HOW, "Behind servers")
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
    return parser.parse_args(arguments)


def _scenarios() -> tuple[Scenario, ...]:
    def scenario(name: str, title: str, *goals: Target) -> Scenario:
        contenders = (Contender(it, _kind_of(it), _not_here) for it in CONTENDERS)
        return Scenario(name, title, tuple(contenders), goals)

    best = Target("asgibridge", 1, "best peer")
    sleep = f"an application that sleeps {apps.BLOCK_SECONDS * 1000:g} ms"
    return (
        scenario("hello", "hello", Target("asgibridge", 6.5), best),
        scenario("hello-cpu", "hello, CPU time", Target("asgibridge", 6.5), best),
        scenario("sleepy", sleep, Target("asgibridge", 20), best),
    )


def _kind_of(name: str) -> Kind:
    return "floor" if name == FLOOR else kind_of(name)


def _not_here(_: object) -> Any:
    msg = "a server is measured from outside"
    raise NotImplementedError(msg)


def _measure(app: str, options: argparse.Namespace) -> dict[str, list[Turn]]:
    turns: dict[str, list[Turn]] = {name: [] for name in CONTENDERS}
    if app != "hello":
        del turns[FLOOR]
    with ExitStack() as stack:
        servers = {
            name: stack.enter_context(open_server(name, app, options.loop))
            for name in turns
        }
        for _ in range(options.rounds):
            for name in random.sample(list(turns), len(turns)):
                turns[name].append(_turn(servers[name], options.seconds))
    return turns


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
