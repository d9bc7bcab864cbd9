"""Tables for the terminal, plain where there is none."""

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from ._machine import Machine
from ._model import Mode
from ._rounds import Outcome
from ._table import goal_lines, rows

__all__ = ("print_machine", "print_outcome")


def print_machine(console: Console, machine: Machine) -> None:
    """Print what the figures are measured on."""
    for line in machine.lines():
        console.print(Text(line, style="dim"))


def print_outcome(console: Console, outcome: Outcome, mode: Mode) -> None:
    """Print one scenario's table and how it compares with the goals."""
    scenario = outcome.scenario
    ours, lines = rows(outcome)
    table = Table(
        title=escape(f"{scenario.name}  {scenario.title}"), title_justify="left"
    )
    table.add_column("", no_wrap=True)
    table.add_column(scenario.unit, justify="right")
    table.add_column("spread", justify="right")
    for name in ours:
        table.add_column(escape(f"÷ {name}"), justify="right")
    for row in lines:
        table.add_row(escape(row.name), row.median, row.spread, *row.ratios)
    console.print(table)
    for met, text in goal_lines(outcome, mode):
        mark = "[green]reached[/]" if met else "[red]MISSED [/]"
        console.print(f"  {mark} {escape(text)}", highlight=False)
    console.print()
