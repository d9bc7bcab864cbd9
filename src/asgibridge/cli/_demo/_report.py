"""What a person sees of the demonstration."""

from collections.abc import Sequence
from typing import Final, TextIO

from rich.console import Console
from rich.table import Table

from ._client import Outcome
from ._steps import STEPS

__all__ = ("make_console", "show_progress", "show_table", "show_verdict")

_PIPE_COLUMNS: Final = 120  # where nobody can say how wide the terminal is


def make_console(file: TextIO | None = None) -> Console:
    """Return a console on *file*, that is stdout if it is None.

    It prints text as it is: square brackets in answers are no markup.
    """
    console = Console(file=file, highlight=False, markup=False)
    if not console.is_terminal:
        console.width = _PIPE_COLUMNS
    return console


def show_progress(console: Console, outcome: Outcome) -> None:
    """Say in a line what came of a step."""
    verdict = "ok" if outcome.problem is None else f"WRONG: {outcome.problem}"
    console.print(
        f"{outcome.number}/{len(STEPS)} {outcome.step.request}: {verdict} "
        f"({outcome.seconds * 1000:.0f} ms)"
    )


def show_table(
    console: Console, outcomes: Sequence[Outcome], *, loop: int | None
) -> None:
    """Show every request with the thread and loop that ran each part."""
    table = Table(title="Which thread and which loop ran what", title_justify="left")
    for column in ("Request", "Answer", "Part", "Thread", "Loop"):
        table.add_column(column, overflow="fold")
    for outcome in outcomes:
        first = f"{outcome.step.request}\n{outcome.step.shows}"
        table.add_row(
            first,
            outcome.answer if outcome.problem is None else f"WRONG: {outcome.problem}",
            "\n".join(part.name for part in outcome.parts),
            "\n".join(part.thread for part in outcome.parts),
            "\n".join(_loop_name(part.loop, loop) for part in outcome.parts),
            end_section=True,
        )
    console.print(table)


def _loop_name(loop: int | None, servers: int | None) -> str:
    if loop is None:
        return "none"
    return "the server's" if loop == servers else f"another ({loop:#x})"


def show_verdict(console: Console, outcomes: Sequence[Outcome]) -> bool:
    """Say whether all is right, and return it."""
    wrong = [outcome for outcome in outcomes if outcome.problem is not None]
    if wrong:
        console.print(f"{len(wrong)} of {len(outcomes)} answers were wrong.")
        return False
    console.print(
        f"All {len(outcomes)} answers were right, and every part ran where it should."
    )
    return True
