"""Every scenario runs, with every contender.  Nothing is timed here."""

import random

import pytest

from bench._cpus import FreeCpus
from bench._model import Contender, Scenario, Setting
from bench._rounds import Plan, measure
from bench.scenarios import ALL

_PAIRS = [
    pytest.param(scenario, contender, id=f"{scenario.name}-{contender.name}")
    for scenario in ALL
    for contender in scenario.contenders
]


@pytest.mark.parametrize(("scenario", "contender"), _PAIRS)
def test_contender_does_the_job(scenario: Scenario, contender: Contender) -> None:
    """One round of as few operations as there can be yields one figure."""
    plan = Plan(rounds=1, seconds=0, cpus=FreeCpus(), random=random.Random(0))
    outcome = measure(scenario, Setting(), plan, [contender])
    (figure,) = outcome.samples[contender.name]
    assert figure >= 0


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
