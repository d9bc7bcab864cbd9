"""Application adapters, side by side: ``python -m bench.wsgi``.

`WsgiToAsgi` beside asgiref, a2wsgi, Starlette, uvicorn and hypercorn, and
`AsgiToWsgi` beside a2wsgi: in one process, pinned to one CPU, in rounds that are
interleaved.  A figure is the median of the ratios within each round.
`bench.wsgi_wrk` does the same with real servers.
"""

import argparse
import asyncio
import gc
import random
import sys
import tracemalloc
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final, get_args

from rich.console import Console

from asgibridge.adapters import WsgiToAsgi
from asgibridge.bridge import Bridge

from . import wsgi_apps as apps
from ._console import print_machine, print_outcome
from ._cpus import choose_cpus
from ._machine import describe_machine
from ._markdown import write_markdown
from ._model import LoopName, Scenario, Setting
from ._rounds import Outcome, Plan, measure
from .wsgi_adapters import PACKAGES
from .wsgi_plot import write_speeds
from .wsgi_scenarios import ALL, request

__all__ = ("main",)

_MIB: Final = 1024 * 1024
_HOW: Final = (
    "Medians over interleaved rounds in one process on one CPU, for one request or for",
    'the part of it that the title names. The columns with "÷" say how many times longer',
    "a row took than ours: the median of the ratios of each round. Written by",
    "`python -m bench.wsgi`.",
)


def main(arguments: Sequence[str]) -> int:
    """Run what was asked for and print tables; return the status for the shell."""
    options = _options(arguments)
    chosen = [it for it in ALL if fnmatchcase(it.name, options.only)]
    console = Console() if sys.stdout.isatty() else Console(width=110)
    cpus = choose_cpus(options.cpus)
    machine = describe_machine(options.loop, options.cpus, PACKAGES)
    print_machine(console, machine)
    plan = Plan(options.rounds, options.seconds, cpus, random.Random())
    # What was imported is no garbage of anybody's: keep collections short.
    gc.freeze()
    outcomes: list[Outcome] = []
    for scenario in chosen:
        outcomes.append(_measure(scenario, options, plan))
        print_outcome(console, outcomes[-1], options.cpus)
    with asyncio.Runner(loop_factory=Setting(options.loop).new_loop) as runner:
        peak = runner.run(_peak_of_an_upload())
    memory = f"A 64 MiB upload takes {peak:.2f} MiB above idle, at its peak (goal: 1)."
    console.print(memory, highlight=False)
    if options.markdown is not None:
        how = (*_HOW, "", memory)
        write_markdown(options.markdown, machine, outcomes, how, "Adapters")
    if options.plot is not None:
        write_speeds(options.plot, machine, outcomes, "asgiref")
    return 0


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.wsgi", description=__doc__)
    add = parser.add_argument
    add("--rounds", type=int, default=9)
    add("--seconds", type=float, default=0.05, help="how long one turn takes")
    add("--loop", choices=get_args(LoopName), default="asyncio")
    add("--cpus", choices=["pin", "free"], default="pin")
    add("--only", default="*", help="a pattern; one of: " + _names())
    add("--contenders", default="*", help="a pattern; ours is always there")
    add("--markdown", type=Path, metavar="FILE", help="write the tables there, too")
    add("--plot", type=Path, metavar="FILE", help="write the ratios there, as SVG")
    return parser.parse_args(arguments)


def _names() -> str:
    return " ".join(scenario.name for scenario in ALL)


def _measure(scenario: Scenario, options: argparse.Namespace, plan: Plan) -> Outcome:
    contenders = [
        it
        for it in scenario.contenders
        if it.kind == "ours" or fnmatchcase(it.name, options.contenders)
    ]
    return measure(scenario, Setting(options.loop), plan, contenders)


async def _peak_of_an_upload() -> float:
    """Return how much memory 64 MiB take on their way through, in MiB."""
    with Bridge() as bridge:
        app = WsgiToAsgi(apps.count, bridge=bridge)
        chunk = bytes(64 * 1024)
        await request(app, chunk, 16, "POST")
        tracemalloc.start()
        before = tracemalloc.get_traced_memory()[0]
        await request(app, chunk, 1024, "POST")
        peak = tracemalloc.get_traced_memory()[1] - before
        tracemalloc.stop()
    return peak / _MIB


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
