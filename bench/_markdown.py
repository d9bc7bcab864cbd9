"""The same tables for the documentation."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from ._machine import Machine
from ._rounds import Outcome
from ._table import goal_lines, rows

__all__ = ("write_markdown",)


_HOW: Final = (
    "Medians over interleaved rounds in one process, for one operation. The columns",
    'with "÷" say how many times longer a row took than ours: the median of the',
    "ratios of each round. Written by `python -m bench`.",
)


def write_markdown(
    path: Path,
    machine: Machine,
    outcomes: Sequence[Outcome],
    how: Sequence[str] = _HOW,
    subject: str = "Measured",
) -> None:
    """Write all tables to *path*, with what they were measured on, and *how*."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(_page(machine, outcomes, how, subject)), encoding="utf-8")


def _page(
    machine: Machine, outcomes: Sequence[Outcome], how: Sequence[str], subject: str
) -> list[str]:
    title = f"{machine.python}, {machine.loop}, {machine.mode}"
    lines = [f"# {subject}: {title}", ""]
    lines += [f"- {line}" for line in machine.lines()]
    lines += ["", *how, ""]
    for outcome in outcomes:
        lines += _section(machine, outcome)
    return lines


def _section(machine: Machine, outcome: Outcome) -> list[str]:
    scenario = outcome.scenario
    ours, table = rows(outcome)
    heads = ["", scenario.unit, "spread", *(f"÷ {name}" for name in ours)]
    lines = [f"## {scenario.name}: {scenario.title}", "", _line(heads)]
    lines.append(_line(["---", *("---:" for _ in heads[1:])]))
    lines += [_line([row.name, row.median, row.spread, *row.ratios]) for row in table]
    lines.append("")
    goals = goal_lines(outcome, machine.mode)
    lines += [f"- {'reached' if met else '**missed**'}: {text}" for met, text in goals]
    return [*lines, ""] if goals else lines


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
