"""Results as rows of text, whoever prints them."""

import attrs

from ._model import Limit, Mode
from ._rounds import Outcome, judge

__all__ = ("Row", "goal_lines", "rows")


@attrs.frozen
class Row:
    """One contender's line."""

    name: str
    median: str
    spread: str
    ratios: tuple[str, ...]


def rows(outcome: Outcome) -> tuple[list[str], list[Row]]:
    """Return the names of ours, which have a column of ratios, and all rows.

    A ratio says how many times longer the row's contender takes than ours.
    """
    kinds = {it.name: it.kind for it in outcome.scenario.contenders}
    ours = [name for name in outcome.samples if kinds[name] == "ours"]
    table = [
        Row(
            name,
            number(outcome.median(name)),
            f"±{outcome.spread(name):.0%}",
            tuple(_ratio(outcome, own, name) for own in ours),
        )
        for name in outcome.samples
    ]
    return ours, table


def goal_lines(outcome: Outcome, mode: Mode) -> list[tuple[bool, str]]:
    """Return for each goal whether it is met, and a line that says how."""
    lines: list[tuple[bool, str]] = []
    for verdict in judge(outcome, mode):
        goal = verdict.goal
        if isinstance(goal, Limit):
            unit = outcome.scenario.unit
            text = (
                f"{goal.contender}: {number(verdict.measured)} {unit}, "
                f"at most {number(goal.at_most)}"
            )
        else:
            text = (
                f"{goal.contender}: {verdict.measured:.2f}× as fast as "
                f"{verdict.than}, at least {goal.at_least:.3g}×"
            )
        lines.append((verdict.is_met, text))
    return lines


def number(value: float) -> str:
    """Return *value* with three significant digits, never in powers of ten."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.2f}" if value < 10 else f"{value:.1f}"


def _ratio(outcome: Outcome, own: str, name: str) -> str:
    if own == name:
        return ""
    ratio = outcome.ratio(own, name)
    return "" if ratio is None else f"{ratio:.2f}×"
