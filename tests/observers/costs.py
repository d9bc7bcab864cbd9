"""``python -m tests.observers.costs``: what a step takes with each observer.

Writes the table of docs/observers.md.  The best of many short runs, since what
is added to it comes from other programs.
"""

import sys
import time
from collections.abc import Callable, Mapping
from typing import Final, final

from asgibridge.observers import LoggingObserver, TimelineObserver
from asgibridge.observers.otel import OpenTelemetryObserver
from asgibridge.testing import FakeCrossing
from asgibridge.types import Crossing, Observer

__all__ = ("costs",)

_RUNS: Final = 30
_CALLS: Final = 500
_STEPS: Final = ("queued", "started", "finished")


@final
class _Nothing:
    def queued(self, crossing: Crossing, /) -> None: ...
    def started(self, crossing: Crossing, /) -> None: ...
    def finished(self, crossing: Crossing, /) -> None: ...
    def stuck(self, crossing: Crossing, seconds: float, behind: str, /) -> None: ...


OBSERVERS: Final[Mapping[str, Callable[[], Observer]]] = {
    "one that does nothing": _Nothing,
    "`LoggingObserver`": LoggingObserver,
    "`TimelineObserver`": TimelineObserver,
    "`OpenTelemetryObserver`, without SDK": OpenTelemetryObserver,
}


def costs(observer: Observer, runs: int = _RUNS) -> dict[str, float]:
    """Return the seconds that each step takes, by its name."""
    best = dict.fromkeys(_STEPS, float("inf"))
    for _ in range(runs):
        crossings = [FakeCrossing(int) for _ in range(_CALLS)]
        for name in _STEPS:
            step: Callable[[Crossing], None] = getattr(observer, name)
            began = time.perf_counter()
            for crossing in crossings:
                step(crossing)
            best[name] = min(best[name], (time.perf_counter() - began) / _CALLS)
    return best


def main() -> None:
    """Write the table."""
    sys.stdout.write(f"| observer | {' | '.join(_STEPS)} |\n|---|---:|---:|---:|\n")
    for name, make in OBSERVERS.items():
        figures = " | ".join(f"{it * 1e6:.2f}" for it in costs(make()).values())
        sys.stdout.write(f"| {name} | {figures} |\n")


if __name__ == "__main__":
    main()
