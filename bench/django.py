"""Django under ASGI, with asgibridge and with the original asgiref.

Run with ``python -m bench.django [--rounds N] [--seconds S]``.  The project in
``examples/django`` is served by uvicorn, once with each, and asked by wrk with 32
connections, in turns of random order; the table has medians and the median of
the ratios of each round.  Servers have one CPU for themselves where there are
two.  gunicorn with threads serves the same view as the yardstick.  Without wrk
(a package of that name in Debian) only the first table is made: the same
requests in process, one at a time.
"""

import argparse
import asyncio
import os
import random
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

import attrs

__all__ = ("main",)

PROJECT: Final = Path(__file__).parents[1] / "examples" / "django"
OURS: Final = "asgibridge"
ORIGINAL: Final = "asgiref"
YARDSTICK: Final = "gunicorn, WSGI"
CONNECTIONS: Final = 32
_ADDRESS: Final = re.compile(r"http://127\.0\.0\.1:(\d+)")
_RATE: Final = re.compile(r"Requests/sec:\s+([\d.]+)")


@attrs.frozen
class Scenario:
    """One kind of request, and by how much ours is to be faster."""

    name: str
    path: str
    middleware: str
    goal: float


SCENARIOS: Final = (
    Scenario("sync view", "/sync/", "none", 3.0),
    Scenario("async view", "/async/", "none", 3.5),
    Scenario("seven middlewares, sync view", "/sync/", "seven", 2.2),
    Scenario("ten queries, async view", "/queries/", "none", 1.2),
)


def main() -> None:
    """Measure and print."""
    options = _options()
    with tempfile.TemporaryDirectory() as folder:
        environment = {"ASGIBRIDGE_EXAMPLE_DATABASE": f"{folder}/db.sqlite3"}
        command = [sys.executable, "manage.py", "migrate", "--run-syncdb", "-v", "0"]
        subprocess.run(  # noqa: S603  # our own arguments
            command, cwd=PROJECT, env=os.environ | environment, check=True
        )
        if options.inside:
            print(asyncio.run(_inside(options.inside, options.seconds)))
            return
        print("In process, one request at a time, requests per second:\n")
        _report(options.rounds, _measure_inside(environment, options.seconds))
        if shutil.which("wrk") is None:
            print("\nwrk is not here: nothing is measured under uvicorn")
            return
        print(f"\nUnder uvicorn, wrk -c {CONNECTIONS}, requests per second:\n")
        with ExitStack() as servers:
            _report(options.rounds, _measure_served(servers, environment, options))


Measure = Callable[[Scenario, str], float]
Application = Callable[[Any, Any, Any], Awaitable[None]]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.django")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--inside", metavar="PATH", help=argparse.SUPPRESS)
    return parser.parse_args()


def _report(rounds: int, measure: Measure) -> None:
    print(f"| request | {ORIGINAL} | {OURS} | ratio | goal |")
    print("|---|---:|---:|---:|---:|")
    for scenario in SCENARIOS:
        figures: dict[str, list[float]] = {ORIGINAL: [], OURS: []}
        for _ in range(rounds):
            for side in random.sample(list(figures), 2):
                figures[side].append(measure(scenario, side))
        pairs = zip(figures[OURS], figures[ORIGINAL], strict=True)
        ratio = statistics.median(ours / theirs for ours, theirs in pairs)
        print(
            f"| {scenario.name} | {statistics.median(figures[ORIGINAL]):.0f} "
            f"| {statistics.median(figures[OURS]):.0f} | {ratio:.2f}× "
            f"| {scenario.goal}× |",
            flush=True,
        )
    if (yardstick := measure(SCENARIOS[0], YARDSTICK)) > 0:
        print(f"\nThe sync view under {YARDSTICK}: {yardstick:.0f}")


def _environment(scenario: Scenario, side: str) -> dict[str, str]:
    original = {"ASGIBRIDGE_EXAMPLE_ORIGINAL": "1"} if side == ORIGINAL else {}
    return original | {"ASGIBRIDGE_EXAMPLE_MIDDLEWARE": scenario.middleware}


# -- in process --


def _measure_inside(environment: Mapping[str, str], seconds: float) -> Measure:
    def measure(scenario: Scenario, side: str) -> float:
        if side == YARDSTICK:
            return 0.0
        command = [sys.executable, "-m", "bench.django", "--inside", scenario.path]
        output = subprocess.run(  # noqa: S603  # our own arguments
            [*_on_cpu(0), *command, "--seconds", str(seconds)],
            cwd=PROJECT.parents[1],
            env={**os.environ, **environment, **_environment(scenario, side)},
            check=True,
            text=True,
            stdout=subprocess.PIPE,
        ).stdout
        return float(output)

    return measure


async def _inside(path: str, seconds: float) -> float:
    sys.path.insert(0, str(PROJECT))
    application: Application = __import__(
        "shop.asgi", fromlist=["application"]
    ).application
    await _requests(application, path, 0.3)
    return await _requests(application, path, seconds)


async def _requests(application: Application, path: str, seconds: float) -> float:
    scope: dict[str, Any] = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "query_string": b"",
        "headers": [(b"host", b"testserver")],
        "server": ("127.0.0.1", 80),
        "client": ("127.0.0.1", 1),
    }
    statuses: set[int] = set()

    async def send(event: dict[str, Any]) -> None:
        if event["type"] == "http.response.start":
            statuses.add(event["status"])

    begin = time.perf_counter()
    count = 0
    while time.perf_counter() - begin < seconds:
        events: Iterator[dict[str, Any]] = iter([{"type": "http.request"}])

        async def receive(events: Iterator[dict[str, Any]] = events) -> dict[str, Any]:
            for event in events:
                return event
            await asyncio.Event().wait()  # the client stays
            raise AssertionError

        await application(scope.copy(), receive, send)
        count += 1
    if statuses != {200}:
        msg = f"{path} was answered with {statuses}"
        raise RuntimeError(msg)
    return count / (time.perf_counter() - begin)


# -- under a server --


def _measure_served(
    servers: ExitStack, environment: Mapping[str, str], options: argparse.Namespace
) -> Measure:
    addresses: dict[tuple[str, str], str] = {}

    def measure(scenario: Scenario, side: str) -> float:
        key = (scenario.middleware, side)
        if key not in addresses:
            variables = {**environment, **_environment(scenario, side)}
            addresses[key] = servers.enter_context(_served(side, variables))
        address = addresses[key] + scenario.path
        _wrk(address, 0.5)
        return _wrk(address, options.seconds)

    return measure


@contextmanager
def _served(side: str, environment: Mapping[str, str]) -> Iterator[str]:
    module = [sys.executable, "-u", "-m"]
    uvicorn = ["uvicorn", "shop.asgi:application", "--port=0", "--no-access-log"]
    gunicorn = ["gunicorn", "shop.wsgi", "--threads=8", "-b", "127.0.0.1:0"]
    command = [*module, *(gunicorn if side == YARDSTICK else uvicorn)]
    process = subprocess.Popen(  # noqa: S603  # our own arguments
        [*_on_cpu(0), *command],
        cwd=PROJECT,
        env={**os.environ, **environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        for line in process.stderr or ():
            if found := _ADDRESS.search(line):
                break
        else:
            msg = f"{command} did not start"
            raise RuntimeError(msg)
        yield found.group()
    finally:
        process.terminate()
        process.communicate(timeout=30)


def _wrk(address: str, seconds: float) -> float:
    wrk = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds:.1f}s".replace(".0s", "s")]
    if not seconds.is_integer():
        wrk[-1] = f"-d{max(1, round(seconds))}s"  # wrk knows whole seconds only
    output = subprocess.run(  # noqa: S603  # our own arguments
        [*_on_cpu(1), *wrk, address], check=True, text=True, stdout=subprocess.PIPE
    ).stdout
    found = _RATE.search(output)
    if found is None or "Non-2xx" in output or "timeout [1-9]" in output:
        raise RuntimeError(output)
    return float(found.group(1))


def _on_cpu(number: int) -> list[str]:
    """Return what starts a command on one of the CPUs."""
    cpus = sorted(os.sched_getaffinity(0))
    if len(cpus) < 2 or shutil.which("taskset") is None:
        return []
    return ["taskset", "-c", str(cpus[number])]


if __name__ == "__main__":
    main()
