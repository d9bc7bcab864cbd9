"""The vocabulary: scenarios, contenders, and what they should reach."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Literal, TypeAlias

import attrs

__all__ = (
    "Batch",
    "Contender",
    "Kind",
    "Limit",
    "LoopName",
    "Mode",
    "Scenario",
    "Setting",
    "Target",
)

Kind = Literal["ours", "asgiref", "peer", "floor"]
"""A *floor* does the bare hand-off without semantics; it is no competitor."""

LoopName = Literal["asyncio", "uvloop"]
Mode = Literal["pin", "split", "free"]

Batch: TypeAlias = Callable[[int], float]
"""Does *count* operations and returns what they took together, in seconds.

Scenarios that do not measure time say so in their unit.
"""


@attrs.frozen
class Setting:
    """What a contender needs to know about the run.

    Args:
        loop: The event loop that everybody uses who lets one choose.
    """

    loop: LoopName = "asyncio"

    def new_loop(self) -> asyncio.AbstractEventLoop:
        """Return a new event loop of the chosen sort; the caller closes it."""
        if self.loop == "asyncio":
            return asyncio.new_event_loop()
        import uvloop  # noqa: PLC0415 - not there on Windows, and only then needed

        return uvloop.new_event_loop()


@attrs.frozen
class Contender:
    """One way to do the job of a scenario."""

    name: str
    kind: Kind
    open: Callable[[Setting], AbstractContextManager[Batch]]


@attrs.frozen
class Target:
    """A ratio to reach: *contender* is so many times faster than *than*.

    Args:
        contender: The name of one of ours.
        at_least: The ratio.
        than: A contender's name, or ``best peer``.
        modes: The CPU modes for which it was set.
    """

    contender: str
    at_least: float
    than: str = "asgiref"
    modes: tuple[Mode, ...] = ("pin",)


@attrs.frozen
class Limit:
    """A figure in the scenario's unit that *contender* must not exceed."""

    contender: str
    at_most: float


@attrs.frozen
class Scenario:
    """One job, and everybody who can do it.

    Args:
        name: What ``--only`` takes, for example ``b-pool``.
        title: What is done, in one line.
        contenders: Ours first; then the others.
        goals: What was promised.
        width: Operations are counted in multiples of this (callers at once).
        unit: What a figure is: ``µs``, ``B`` or ``objects``, for one operation.
        count: Operations per round, where the figure does not depend on it.
    """

    name: str
    title: str
    contenders: tuple[Contender, ...]
    goals: tuple[Target | Limit, ...] = ()
    width: int = 1
    unit: Literal["µs", "B", "objects"] = "µs"
    count: int | None = None

    @property
    def scale(self) -> float:
        """What a batch's figure is multiplied with to be in `unit`."""
        return 1e6 if self.unit == "µs" else 1.0
