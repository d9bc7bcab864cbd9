"""The command line of ``python -m bench``."""

import argparse
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final, get_args

import attrs

from ._model import LoopName, Mode, Scenario
from .scenarios import ALL

__all__ = ("Options", "parse")

_ROUNDS: Final = 25
_SECONDS: Final = 0.02
_QUICK_ROUNDS: Final = 5
_QUICK_SECONDS: Final = 0.004


@attrs.frozen
class Options:
    """What was asked for."""

    mode: Mode
    loop: LoopName
    scenarios: tuple[Scenario, ...]
    contenders: tuple[str, ...]
    rounds: int
    seconds: float
    seed: int | None
    markdown: Path | None
    plot: Path | None
    is_listing: bool


def parse(arguments: Sequence[str]) -> Options:
    """Read the command line; ends the program with a message if it is wrong."""
    parser = _parser()
    given = parser.parse_args(arguments)
    scenarios, unknown = _chosen(given.only)
    if unknown:
        names = " ".join(scenario.name for scenario in ALL)
        parser.error(f"--only: no scenario is called {unknown!r}; there are: {names}")
    contenders, stranger = _contenders(given.contenders, scenarios)
    if stranger:
        known = ", ".join(sorted(_names(scenarios)))
        parser.error(
            f"--contenders: nobody is called {stranger!r} there; there are: {known}"
        )
    rounds = given.rounds or (_QUICK_ROUNDS if given.quick else _ROUNDS)
    return Options(
        mode=given.cpus,
        loop=given.loop,
        scenarios=scenarios,
        contenders=contenders,
        rounds=rounds,
        seconds=_QUICK_SECONDS if given.quick else _SECONDS,
        seed=given.seed,
        markdown=given.markdown,
        plot=given.plot,
        is_listing=given.list,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description="Measure asgibridge beside asgiref, anyio, trio and the standard "
        "library, in interleaved rounds in one process.",
    )
    add = parser.add_argument
    add("--cpus", choices=get_args(Mode), default="pin", help="default: %(default)s")
    add(
        "--loop",
        choices=get_args(LoopName),
        default="asyncio",
        help="default: %(default)s",
    )
    add(
        "--only",
        action="append",
        metavar="NAMES",
        help="scenarios, separated by commas; patterns such as 'e*' are allowed",
    )
    add(
        "--contenders",
        action="append",
        metavar="NAMES",
        help="contenders, separated by semicolons; patterns are allowed",
    )
    add("--rounds", type=_positive, help=f"default: {_ROUNDS}")
    add("--quick", action="store_true", help="short rounds, and few: a first look")
    add("--seed", type=int, help="makes the order of turns repeatable")
    add("--markdown", type=Path, metavar="FILE", help="write the tables there, too")
    add("--plot", type=Path, metavar="FILE", help="write the ratios there, as SVG")
    add("--list", action="store_true", help="print the scenarios' names and end")
    return parser


def _positive(text: str) -> int:
    if not text.isdecimal() or not int(text):
        msg = f"{text!r} is not a whole number above 0"
        raise argparse.ArgumentTypeError(msg)
    return int(text)


def _chosen(only: list[str] | None) -> tuple[tuple[Scenario, ...], str]:
    """Return the chosen scenarios, and the first pattern that chose none."""
    if only is None:
        return ALL, ""
    patterns = _split(only, ",")
    for pattern in patterns:
        if not any(fnmatchcase(scenario.name, pattern) for scenario in ALL):
            return (), pattern
    return tuple(it for it in ALL if _matches(it.name, patterns)), ""


def _contenders(
    given: list[str] | None, scenarios: Sequence[Scenario]
) -> tuple[tuple[str, ...], str]:
    """Return the chosen names, and the first pattern that chose none."""
    names = _names(scenarios)
    if given is None:
        return tuple(names), ""
    patterns = _split(given, ";")
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in names):
            return (), pattern
    return tuple(name for name in names if _matches(name, patterns)), ""


def _names(scenarios: Sequence[Scenario]) -> set[str]:
    return {it.name for scenario in scenarios for it in scenario.contenders}


def _split(given: Sequence[str], separator: str) -> list[str]:
    parts = [part.strip() for text in given for part in text.split(separator)]
    return [part for part in parts if part]


def _matches(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)
