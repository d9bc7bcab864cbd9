"""Django under ASGI, with asgibridge and with the original asgiref.

Run with ``python -m bench.django [--rounds N] [--seconds S]``.  The project in
``examples/django`` is asked in process, and under uvicorn by wrk with 32
connections.  In each round every side has a slice of time, in random order; what
is compared are the ratios within each round.  Besides requests per second the
CPU time for each request is measured, which other work on the machine hardly
changes.  A third side only hops between threads (see `bench.django_bare`), and a
fourth does not cross at all (see `bench.django_app`): no bridge with threads can be
faster than the one, and none at all faster than the other.  gunicorn with threads serves the blocking view as the yardstick.

What is measured has one CPU for itself; ``--free`` leaves that to the system.
``--http`` and ``--loop`` are uvicorn's.  Without wrk (a package of that name in
Debian) nothing is measured under a server.
"""

import argparse
import os
import platform
import random
import shutil
import statistics
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from importlib.metadata import version
from pathlib import Path
from typing import Final

import attrs

from .django_sides import BARE, GUNICORN, NOTHING, ORIGINAL, OURS, Measure, Slice, Stage

__all__ = ("main",)


@attrs.frozen
class Scenario:
    """One kind of request, and by how much ours is to be faster under uvicorn."""

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
SIDES: Final = (ORIGINAL, OURS, BARE, NOTHING)
HEADS: Final = (
    *("request", ORIGINAL, OURS, "ratio", "rounds", "in CPU time"),
    *("bare hops", "ceiling"),
)


def main() -> None:
    """Measure and print."""
    options = _options()
    with tempfile.TemporaryDirectory() as folder:
        stage = Stage(
            Path(folder) / "db.sqlite3",
            options.seconds,
            not options.free and len(os.sched_getaffinity(0)) > 1,
            (f"--http={options.http}", f"--loop={options.loop}"),
        )
        stage.prepare()
        names = ("Django", ORIGINAL, "uvicorn")
        versions = ", ".join(f"{name} {version(name)}" for name in names)
        pinned = "one CPU" if stage.is_pinned else "any CPU"
        print(f"CPython {platform.python_version()}, {versions}, {pinned}.")
        for at_once in options.at_once:
            print(f"\nIn process, {at_once} at a time, requests per second:\n")
            _report(options, stage.in_process(at_once))
        if shutil.which("wrk") is None:
            print("\nwrk is not here: nothing is measured under uvicorn")
            return
        print(f"\nUnder uvicorn ({options.http}, {options.loop}), wrk -c 32:\n")
        with ExitStack() as servers:
            _report(options, stage.served(servers), with_goals=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.django")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=int, default=2, help="of each slice")
    parser.add_argument(
        "--at-once", type=int, nargs="*", default=[1, 32], help="in process"
    )
    parser.add_argument("--free", action="store_true", help="do not pin to CPUs")
    parser.add_argument("--http", default="auto", help="uvicorn's")
    parser.add_argument("--loop", default="auto", help="uvicorn's")
    parser.add_argument("--only", default="", help="part of a request's name")
    return parser.parse_args()


def _report(
    options: argparse.Namespace, measure: Measure, *, with_goals: bool = False
) -> None:
    heads = (*HEADS, *(["goal"] if with_goals else []))
    print(f"| {' | '.join(heads)} |")
    print(f"|---|{'---:|' * (len(heads) - 1)}")
    yardstick: list[Slice] = []
    for scenario in SCENARIOS:
        if options.only not in scenario.name:
            continue
        slices: dict[str, list[Slice]] = {side: [] for side in SIDES}
        if with_goals and scenario is SCENARIOS[0]:
            slices[GUNICORN] = yardstick
        for _ in range(options.rounds):
            for side in random.sample(list(slices), len(slices)):
                found = measure(side, scenario.middleware, scenario.path)
                slices[side].append(found)
        cells = _cells(*(slices[side] for side in SIDES))
        goal = [f"{scenario.goal}×"] if with_goals else []
        print(f"| {' | '.join([scenario.name, *cells, *goal])} |", flush=True)
    if yardstick:
        rate = statistics.median(each.rate for each in yardstick)
        print(f"\nThe sync view under gunicorn with eight threads, WSGI: {rate:.0f}")


def _cells(
    theirs: Sequence[Slice],
    ours: Sequence[Slice],
    bare: Sequence[Slice],
    nothing: Sequence[Slice],
) -> list[str]:
    ratios = _rates(ours, theirs)
    cpu = _cpu_ratios(theirs, ours)
    return [
        f"{statistics.median(each.rate for each in theirs):.0f}",
        f"{statistics.median(each.rate for each in ours):.0f}",
        f"{statistics.median(ratios):.2f}×",
        f"{min(ratios):.2f}–{max(ratios):.2f}",
        f"{statistics.median(cpu):.2f}×" if cpu else "-",
        # Of CPU time where that is known: rates of single sides vary more.
        *(
            f"{statistics.median(_cpu_ratios(theirs, limit) or _rates(limit, theirs)):.2f}×"
            for limit in (bare, nothing)
        ),
    ]


def _rates(above: Sequence[Slice], below: Sequence[Slice]) -> list[float]:
    return _ratios([each.rate for each in above], [each.rate for each in below])


def _cpu_ratios(above: Sequence[Slice], below: Sequence[Slice]) -> list[float]:
    times = [[each.cpu for each in side if each.cpu] for side in (above, below)]
    return _ratios(*times)


def _ratios(above: Sequence[float], below: Sequence[float]) -> list[float]:
    return [first / second for first, second in zip(above, below, strict=True)]


if __name__ == "__main__":
    main()
