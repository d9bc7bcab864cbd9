"""Doing what the command line asks for."""

import asyncio
import gc
import random
import sys
from collections.abc import Sequence

from rich.console import Console

from ._console import print_machine, print_outcome
from ._cpus import CpuError, choose_cpus
from ._machine import describe_machine
from ._markdown import write_markdown
from ._model import LoopName, Setting
from ._options import Options, parse
from ._plot import write_plot
from ._rounds import Outcome, Plan, measure

__all__ = ("main",)


def main(arguments: Sequence[str]) -> int:
    """Run the benchmarks; return the status for the shell."""
    options = parse(arguments)
    console = Console() if sys.stdout.isatty() else Console(width=110)
    if options.is_listing:
        for scenario in options.scenarios:
            console.print(f"{scenario.name:28}{scenario.title}", highlight=False)
        return 0
    try:
        cpus = choose_cpus(options.mode)
    except CpuError as exc:
        sys.stderr.write(f"python -m bench: error: {exc}\n")
        return 2
    _choose_loop(options.loop)
    plan = Plan(options.rounds, options.seconds, cpus, random.Random(options.seed))
    machine = describe_machine(options.loop, options.mode)
    print_machine(console, machine)
    outcomes = _measure_all(console, options, plan)
    if options.markdown is not None:
        write_markdown(options.markdown, machine, outcomes)
    if options.plot is not None:
        write_plot(options.plot, machine, outcomes)
    return 0


def _choose_loop(loop: LoopName) -> None:
    """Set the process's policy, which is what asgiref and asyncio.run go by."""
    if loop == "uvloop":
        import uvloop  # noqa: PLC0415 - not there on Windows, and only then needed

        asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())


def _measure_all(console: Console, options: Options, plan: Plan) -> list[Outcome]:
    setting = Setting(options.loop)
    # What was imported is no garbage of anybody's: keep collections short.
    gc.freeze()
    outcomes: list[Outcome] = []
    for scenario in options.scenarios:
        chosen = [it for it in scenario.contenders if it.name in options.contenders]
        with console.status(scenario.title):
            outcome = measure(scenario, setting, plan, chosen)
        print_outcome(console, outcome, options.mode)
        outcomes.append(outcome)
    return outcomes
