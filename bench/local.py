"""Read and write an attribute of a `Local`, side by side with what else there is.

Run it pinned to one processor, with asgiref and Werkzeug installed::

    pip install -e '.[bench]'
    taskset -c 0 python -m bench.local

Every candidate is measured in each round, in a context of its own, in turn, so that what the machine
does meanwhile meets all of them.  Printed are the medians over the rounds, in
nanoseconds, and the median of the per-round ratios to asgiref (how many times
as fast).  The cost of an empty statement is not subtracted: it is below 10 ns.
"""

import argparse
import statistics
import sys
import threading
import timeit
from collections.abc import Callable
from contextvars import Context, ContextVar
from typing import Any, Final, cast

import asgiref.local
import werkzeug.local

from asgibridge.local import DeclaredLocal, Local

REFERENCE: Final = "asgiref.Local"

# What the release notes promise: (statement, candidate) -> 3.11, 3.13.
TARGETS: Final = {
    ("read", "Local"): (8.0, 3.2),
    ("write", "Local"): (2.0, 1.5),
    ("read", "DeclaredLocal"): (12.0, 4.0),
    ("write", "DeclaredLocal"): (7.0, 5.0),
}


class VariableAsAttribute:
    """A bare `ContextVar`, with the syntax of the others left out."""

    def __init__(self) -> None:
        self.variable: ContextVar[int] = ContextVar("x")


def declared(attributes: int) -> object:
    """Return a `DeclaredLocal` with so many attributes, the first one called x."""
    names = ["x", *(f"a{index}" for index in range(1, attributes))]
    body = {"__annotations__": dict.fromkeys(names, int), "__module__": __name__}
    make_class = cast("Callable[..., Callable[[], object]]", type(DeclaredLocal))
    return make_class("Declared", (DeclaredLocal,), body)()


def candidates(attributes: int) -> dict[str, Any]:
    """Return one object of each kind."""
    return {
        REFERENCE: asgiref.local.Local(),
        "asgiref.Local critical": asgiref.local.Local(thread_critical=True),
        "werkzeug.Local": werkzeug.local.Local(),
        "threading.local": threading.local(),
        "ContextVar": VariableAsAttribute(),
        "Local": Local(),
        "Local critical": Local(thread_critical=True),
        "DeclaredLocal": declared(attributes),
    }


def fill(candidate: Any, attributes: int) -> None:  # any of them
    """Set so many attributes."""
    if isinstance(candidate, VariableAsAttribute):
        candidate.variable.set(1)
        return
    candidate.x = 1
    for index in range(1, attributes):
        setattr(candidate, f"a{index}", index)


def nanoseconds(statement: str, candidate: Any, number: int) -> float:  # any of them
    """Return the time of one execution."""
    scope: dict[str, Any] = {"o": candidate, "v": 5}
    if isinstance(candidate, VariableAsAttribute):
        scope["o"] = candidate.variable
        statement = {"read": "o.get()", "write": "o.set(v)"}[statement]
    else:
        statement = {"read": "o.x", "write": "o.x = v"}[statement]
    return timeit.timeit(statement, globals=scope, number=number) / number * 1e9


def measure(attributes: int, rounds: int, number: int) -> None:
    """Measure all candidates and print a table."""
    found = candidates(attributes)
    # A context each: a write costs more in a context with more variables.
    contexts = {name: Context() for name in found}
    for name, candidate in found.items():
        contexts[name].run(fill, candidate, attributes)
    for statement in ("read", "write"):
        times: dict[str, list[float]] = {name: [] for name in found}
        for _ in range(rounds):
            for name, candidate in found.items():
                run = contexts[name].run
                times[name].append(run(nanoseconds, statement, candidate, number))
        print(
            f"{statement}, {attributes} attributes set, Python {sys.version.split()[0]}"
        )
        for name, values in times.items():
            ratio = statistics.median(
                reference / own
                for reference, own in zip(times[REFERENCE], values, strict=True)
            )
            line = f"  {name:23} {statistics.median(values):6.0f} ns {ratio:6.1f} x"
            targets = TARGETS.get((statement, name))
            if targets is not None and attributes == 1:
                target = targets[sys.version_info >= (3, 12)]
                line += (
                    f"  (target {target} x: {'met' if ratio >= target else 'MISSED'})"
                )
            print(line)


def main() -> None:
    """Measure with few and with many attributes."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--rounds", type=int, default=25)
    parser.add_argument("--number", type=int, default=20_000)
    options = parser.parse_args()
    for attributes in (1, 20):
        measure(attributes, options.rounds, options.number)


if __name__ == "__main__":
    main()
