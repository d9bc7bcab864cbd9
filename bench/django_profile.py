"""What a request to Django costs besides Django, with asgiref and with asgibridge.

Run with ``python -m bench.django_profile [PATH ...]``.  The project in
``examples/django`` is asked in process, one request at a time, on asyncio's loop
and on one CPU.  Calls are counted in one run, times and switches in another.
"""

import argparse
import asyncio
import os
import resource
import subprocess
import sys
import sysconfig
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any, Final, final

import attrs

from .django_client import make_requests
from .django_sides import ORIGINAL, OURS, Stage

__all__ = ("main",)

REQUESTS: Final = 500
# What is counted of what is written in C.
_C_FUNCTIONS: Final = {
    "start_new_thread": "threads started",
    "start_joinable_thread": "threads started",  # since Python 3.13
    "poll": "turns of the event loop",
    "send": "wake-ups of the loop",  # through asyncio's pipe
    "eventfd_write": "wake-ups of the loop",
}
_DJANGO: Final = "functions of Django and the project"
# And of what is written in Python, by parts of the path.
_OWNERS: Final = {
    "/asgiref/": "functions of the bridge",
    "/asgibridge/": "functions of the bridge",
    "/concurrent/": "functions of concurrent.futures and threading",
    "/threading.py": "functions of concurrent.futures and threading",
    "/queue.py": "functions of concurrent.futures and threading",
    "/asyncio/": "functions of asyncio",
    "/django/": _DJANGO,
}
ROWS: Final = tuple(
    dict.fromkeys(
        [*_C_FUNCTIONS.values(), *_OWNERS.values(), "other functions of Python"]
    )
)
TIMES: Final = ("context switches", "CPU time, µs")


@final
@attrs.define(eq=False)
class Counting:
    """Counts calls on all threads that start after `begin`."""

    counts: Counter[str] = attrs.field(factory=Counter[str])
    is_on: bool = False
    _owners: dict[str, str] = attrs.field(factory=dict[str, str])

    def begin(self) -> None:
        """Have every call reported."""
        threading.setprofile(self._see)
        sys.setprofile(self._see)

    def end(self) -> None:
        """Have nothing reported on this thread and on new ones."""
        sys.setprofile(None)
        threading.setprofile(None)

    def _see(self, frame: FrameType, event: str, arg: Any) -> None:
        if not self.is_on:
            return
        if event == "c_call":
            names = _C_FUNCTIONS.get
            if row := names(arg.__name__) or names(arg.__qualname__):
                self.counts[row] += 1
        elif event == "call":
            path = frame.f_code.co_filename
            self.counts[self._owners.get(path) or self._owner(path)] += 1

    def _owner(self, path: str) -> str:
        is_standard = path.startswith((sysconfig.get_path("stdlib"), "<"))
        other = ROWS[-1] if is_standard else _DJANGO
        row = next((row for part, row in _OWNERS.items() if part in path), other)
        self._owners[path] = row
        return row


def main(paths: list[str]) -> None:
    """Measure each side in a process of its own and print a table for each path."""
    with tempfile.TemporaryDirectory() as folder:
        stage = Stage(Path(folder) / "db.sqlite3", 1, is_pinned=True)
        stage.prepare()
        for path in paths:
            found = {side: _run(stage, side, path) for side in (ORIGINAL, OURS)}
            print(f"\n| a request to {path} | {ORIGINAL} | {OURS} |\n|---|---:|---:|")
            for row in (*ROWS, *TIMES):
                cells = [f"{found[side].get(row, 0):.3g}" for side in found]
                print(f"| {row} | {' | '.join(cells)} |")


def _run(stage: Stage, side: str, path: str) -> dict[str, float]:
    command = [sys.executable, "-m", "bench.django_profile", "--side", path]
    output = subprocess.run(  # noqa: S603  # our own arguments
        [*stage.on_cpu(0), *command],
        cwd=Path(__file__).parents[1],
        env=os.environ | stage.variables(side, "none"),
        check=True,
        text=True,
        stdout=subprocess.PIPE,
    ).stdout
    lines = (line.rpartition("=") for line in output.splitlines())
    return {name: float(value) for name, _, value in lines}


def _measure(path: str) -> None:
    """Print what this side takes for a request."""
    counting = Counting()
    counting.begin()  # before there are threads
    application = __import__("bench.django_app", fromlist=["application"]).application

    async def ask(begin: Callable[[], None], end: Callable[[], None]) -> None:
        await make_requests(application, path, REQUESTS)  # until it is warm
        begin()
        await make_requests(application, path, REQUESTS)
        end()

    def turn_on() -> None:
        counting.is_on = True

    def turn_off() -> None:
        counting.is_on = False

    asyncio.run(ask(turn_on, turn_off))
    counting.end()
    for row, count in counting.counts.items():
        print(f"{row}={count / REQUESTS}")


def _time(path: str) -> None:
    """Print what the system counts."""
    application = __import__("bench.django_app", fromlist=["application"]).application
    seen: list[tuple[float, int]] = []

    def look() -> None:
        usage = resource.getrusage(resource.RUSAGE_SELF)
        seen.append((time.process_time(), usage.ru_nvcsw + usage.ru_nivcsw))

    async def ask() -> None:
        await make_requests(application, path, REQUESTS)
        look()
        await make_requests(application, path, REQUESTS)
        look()

    asyncio.run(ask())
    (cpu, switches), (cpu_after, switches_after) = seen
    print(f"{TIMES[0]}={(switches_after - switches) / REQUESTS}")
    print(f"{TIMES[1]}={(cpu_after - cpu) / REQUESTS * 1e6}")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--side"]:
        if os.fork() == 0:  # uncounted, before anything has been imported
            _time(sys.argv[2])
        else:
            os.wait()
            _measure(sys.argv[2])
    else:
        parser = argparse.ArgumentParser(
            prog="python -m bench.django_profile",
            description="What a request to Django costs besides Django.",
        )
        parser.add_argument(
            "paths", nargs="*", default=["/sync/", "/async/", "/queries/"]
        )
        main(parser.parse_args().paths)
