"""Every scenario runs, with every contender.  Nothing is timed here."""

import subprocess
import sys
from pathlib import Path

import pytest

from bench._model import Scenario
from bench.scenarios import ALL

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the tables of one round of everything.

    In a process of its own: asgiref and trio keep threads until theirs ends.
    """
    file = tmp_path_factory.mktemp("bench") / "tables.md"
    command = [sys.executable, "-m", "bench", "--cpus", "free", "--quick"]
    command += ["--rounds", "1", "--markdown", str(file)]
    done = subprocess.run(  # noqa: S603 - our own module, our own words
        command, cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return file.read_text(encoding="utf-8")


@pytest.mark.parametrize("scenario", ALL, ids=lambda it: it.name)
def test_every_contender_does_the_job(scenario: Scenario, tables: str) -> None:
    """Each has a row with a figure, in the section of the scenario."""
    _, _, rest = tables.partition(f"## {scenario.name}: {scenario.title}\n")
    section, _, _ = rest.partition("\n## ")
    for contender in scenario.contenders:
        (row,) = (
            line for line in section.splitlines() if f"| {contender.name} |" in line
        )
        figure = row.split("|")[2].strip().replace(",", "")
        assert float(figure) >= 0


def test_names_are_unique() -> None:
    """``--only`` chooses one scenario with a name, goals name contenders."""
    names = [scenario.name for scenario in ALL]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("scenario", ALL, ids=lambda it: it.name)
def test_goals_are_about_contenders(scenario: Scenario) -> None:
    """A goal with a name nobody has would never be judged."""
    names = {contender.name for contender in scenario.contenders}
    assert len(names) == len(scenario.contenders)
    for goal in scenario.goals:
        assert goal.contender in names
        than = getattr(goal, "than", "best peer")
        assert than in names | {"best peer"}
