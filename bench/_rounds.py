"""Interleaved rounds, and the statistics that survive a noisy machine."""

import gc
import random
import statistics
from collections.abc import Mapping, Sequence
from contextlib import ExitStack

import attrs

from ._cpus import Cpus
from ._model import Batch, Contender, Limit, Mode, Scenario, Setting, Target

__all__ = ("GoalOutcome", "Outcome", "Plan", "best_peer", "judge", "measure")


@attrs.frozen
class Plan:
    """How much to measure.

    Args:
        rounds: How often each contender has its turn.
        seconds: How long a turn should take.
        cpus: Places the threads.
        random: Decides who goes first.
    """

    rounds: int
    seconds: float
    cpus: Cpus
    random: random.Random


@attrs.frozen
class Outcome:
    """What was measured: for each contender one figure per round."""

    scenario: Scenario
    samples: Mapping[str, Sequence[float]]

    def median(self, name: str) -> float:
        """Return the median of *name*'s figures, in the scenario's unit."""
        return statistics.median(self.samples[name])

    def spread(self, name: str) -> float:
        """Return half the distance between the quartiles, as part of the median."""
        figures = self.samples[name]
        middle = statistics.median(figures)
        if len(figures) < 4 or not middle:
            return 0.0
        low, _, high = statistics.quantiles(figures, n=4)
        return (high - low) / 2 / middle

    def ratio(self, name: str, than: str) -> float | None:
        """Return how many times less *name* took than *than*.

        Returns:
            The median of the ratios of each round; None if *name* took nothing.
        """
        pairs = zip(self.samples[name], self.samples[than], strict=True)
        ratios = [other / own for own, other in pairs if own]
        return statistics.median(ratios) if ratios else None


@attrs.frozen
class GoalOutcome:
    """How a promise compares with what was measured."""

    goal: Target | Limit
    measured: float
    than: str

    @property
    def is_met(self) -> bool:
        """Whether the figure reaches the goal."""
        if isinstance(self.goal, Limit):
            return self.measured <= self.goal.at_most
        return self.measured >= self.goal.at_least


def measure(
    scenario: Scenario,
    setting: Setting,
    plan: Plan,
    contenders: Sequence[Contender] | None = None,
) -> Outcome:
    """Run *scenario* and return what each contender took per operation.

    Args:
        scenario: What to do.
        setting: What contenders need to know.
        plan: How much to measure.
        contenders: Only these; None for all of the scenario.
    """
    chosen = scenario.contenders if contenders is None else contenders
    with ExitStack() as stack:
        batches: dict[str, Batch] = {}
        counts: dict[str, int] = {}
        for contender in chosen:
            batch = stack.enter_context(contender.open(setting))
            plan.cpus.settle()
            batches[contender.name] = batch
            counts[contender.name] = scenario.count or _calibrate(
                batch, scenario.width, plan.seconds
            )
        samples: dict[str, list[float]] = {name: [] for name in batches}
        order = list(batches)
        for _ in range(plan.rounds):
            plan.random.shuffle(order)
            for name in order:
                gc.collect()  # the garbage of one is not the time of the next
                plan.cpus.settle()
                figure = batches[name](counts[name]) / counts[name]
                samples[name].append(figure * scenario.scale)
    return Outcome(scenario, samples)


def best_peer(outcome: Outcome) -> str | None:
    """Return the name of the fastest peer that took part; asgiref is not one."""
    names = [
        contender.name
        for contender in outcome.scenario.contenders
        if contender.kind == "peer" and contender.name in outcome.samples
    ]
    return min(names, key=outcome.median, default=None)


def judge(outcome: Outcome, mode: Mode) -> list[GoalOutcome]:
    """Compare *outcome* with the goals that were set for *mode*."""
    verdicts: list[GoalOutcome] = []
    for goal in outcome.scenario.goals:
        if goal.contender not in outcome.samples:
            continue
        if isinstance(goal, Limit):
            verdicts.append(GoalOutcome(goal, outcome.median(goal.contender), ""))
            continue
        than = best_peer(outcome) if goal.than == "best peer" else goal.than
        if mode not in goal.modes or than is None or than not in outcome.samples:
            continue
        ratio = outcome.ratio(goal.contender, than)
        if ratio is not None:
            verdicts.append(GoalOutcome(goal, ratio, than))
    return verdicts


def _calibrate(batch: Batch, width: int, seconds: float) -> int:
    """Return how many operations take about *seconds*, and warm up on the way."""
    count = width
    batch(count)
    if not seconds:
        return count
    while (taken := batch(count)) < seconds / 4:
        count *= 2
    return max(width, round(count * seconds / taken / width) * width)
