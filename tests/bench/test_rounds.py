"""Statistics and verdicts, on figures that are known."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench._cpus import FreeCpus
from bench._machine import describe_machine
from bench._markdown import write_markdown
from bench._model import Batch, Contender, Kind, Limit, Scenario, Setting, Target
from bench._plot import write_plot
from bench._rounds import Outcome, Plan, best_peer, judge, measure
from bench._table import goal_lines, rows


def _contender(name: str, kind: Kind, seconds: float) -> Contender:
    @contextmanager
    def fake(setting: Setting) -> Iterator[Batch]:
        del setting
        yield lambda count: count * seconds

    return Contender(name, kind, fake)


_SCENARIO = Scenario(
    "x",
    "a known job",
    (
        _contender("asgibridge", "ours", 10e-6),
        _contender("asgiref", "asgiref", 40e-6),
        _contender("slow peer", "peer", 30e-6),
        _contender("quick peer", "peer", 20e-6),
        _contender("floor", "floor", 1e-6),
    ),
    (
        Target("asgibridge", 3.5),
        Target("asgibridge", 2.5, than="best peer"),
        Target("asgibridge", 1.0, modes=("split",)),
        Limit("asgibridge", 5),
    ),
    width=5,
)


def _measured() -> Outcome:
    plan = Plan(rounds=4, seconds=0.001, cpus=FreeCpus(), random=random.Random(0))
    return measure(_SCENARIO, Setting(), plan)


def test_figures_are_for_one_operation() -> None:
    """However many operations a round has, a figure is one's."""
    outcome = _measured()
    assert round(outcome.median("asgibridge"), 6) == 10
    assert len(outcome.samples["asgiref"]) == 4
    assert outcome.spread("asgiref") < 1e-6


def test_ratios_are_taken_within_rounds() -> None:
    """A round in which everything was slow does not change a ratio."""
    outcome = Outcome(_SCENARIO, {"asgibridge": [1, 100, 2], "asgiref": [4, 400, 8]})
    assert outcome.ratio("asgibridge", "asgiref") == 4


def test_nothing_has_no_ratio() -> None:
    """What left no garbage at all is not infinitely better."""
    outcome = Outcome(_SCENARIO, {"asgibridge": [0, 0], "asgiref": [4, 4]})
    assert outcome.ratio("asgibridge", "asgiref") is None


def test_the_best_peer_is_no_floor() -> None:
    """Floors and asgiref are no peers."""
    assert best_peer(_measured()) == "quick peer"


def test_goals_are_judged_in_their_mode() -> None:
    """Each goal set for the mode has a verdict, and only those."""
    verdicts = judge(_measured(), "pin")
    assert [it.is_met for it in verdicts] == [True, False, False]
    assert [it.than for it in verdicts] == ["asgiref", "quick peer", ""]
    assert [it.is_met for it in judge(_measured(), "split")] == [True, False]


def test_missing_contenders_are_not_judged() -> None:
    """``--contenders`` may leave out whom a goal is about."""
    assert judge(Outcome(_SCENARIO, {"asgiref": [1]}), "pin") == []
    alone = judge(Outcome(_SCENARIO, {"asgibridge": [1]}), "pin")
    assert [type(it.goal) for it in alone] == [Limit]


def test_tables_show_every_contender() -> None:
    """One row each, and a column of ratios for ours."""
    ours, table = rows(_measured())
    assert ours == ["asgibridge"]
    assert [row.name for row in table] == [it.name for it in _SCENARIO.contenders]
    assert [row.ratios for row in table][:2] == [("",), ("4.00×",)]
    assert table[0].median == "10.0"
    assert goal_lines(_measured(), "pin")[0][0]


def test_files_for_the_documentation(tmp_path: Path) -> None:
    """Tables and plot are written where they are asked for."""
    machine = describe_machine("asyncio", "pin")
    tables, plot = tmp_path / "new" / "x.md", tmp_path / "x.svg"
    write_markdown(tables, machine, [_measured()])
    write_plot(plot, machine, [_measured()])
    assert "| asgiref | 40.0 |" in tables.read_text(encoding="utf-8")
    assert "**missed**: asgibridge: 2.00× as fast as quick peer" in tables.read_text(
        encoding="utf-8"
    )
    assert "a known job" in plot.read_text(encoding="utf-8")
