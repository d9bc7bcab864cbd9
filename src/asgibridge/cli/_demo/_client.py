"""Making the requests, and judging what came of them."""

import time
from collections.abc import Iterator, Sequence
from typing import Final, final

import attrs
import httpx

from ._gates import Gates
from ._site import REQUEST_HEADER
from ._steps import STEPS, Place, Step, Visit, WrongAnswerError
from ._trace import Part, Trace

__all__ = ("Outcome", "visit")

_REQUEST_SECONDS: Final = 15.0  # more than `Gates` wait, so that they report


@final
@attrs.frozen
class Outcome:
    """What came of one step.

    Args:
        number: From 1.
        step: What was done.
        answer: The answer in a few words, empty if it was wrong.
        problem: What was wrong; None if all was right.
        seconds: From the first byte sent to the last received.
        parts: What ran where.
    """

    number: int
    step: Step
    answer: str
    problem: str | None
    seconds: float
    parts: Sequence[Part]


def visit(
    url: str, *, trace: Trace, gates: Gates, loop: int | None
) -> Iterator[Outcome]:
    """Yield the outcome of each of the `STEPS`, made over HTTP.

    Args:
        url: Where the site is served.
        trace: What the site marks its parts in.
        gates: Shared with the site.
        loop: ``id()`` of the server's loop.
    """
    for number, step in enumerate(STEPS, start=1):
        name = str(number)
        headers = {REQUEST_HEADER: name}
        started = time.perf_counter()
        with httpx.Client(
            base_url=url, headers=headers, timeout=_REQUEST_SECONDS, trust_env=False
        ) as http:
            answer, problem = _ask(step, Visit(http=http, gates=gates))
        seconds = time.perf_counter() - started
        parts = trace.parts(name)
        yield Outcome(
            number=number,
            step=step,
            answer=answer,
            problem=problem or misplaced(step, parts, loop=loop),
            seconds=seconds,
            parts=parts,
        )


def _ask(step: Step, visit: Visit) -> tuple[str, str | None]:
    try:
        return step.ask(visit), None
    except (WrongAnswerError, TimeoutError, httpx.HTTPError) as exc:
        return "", f"{type(exc).__name__}: {exc}"


def misplaced(step: Step, parts: Sequence[Part], *, loop: int | None) -> str | None:
    """Return what ran where it should not, or did not run; None if all is right."""
    names = {part.name for part in parts}
    if names != set(step.places):
        ran, expected = ", ".join(sorted(names)), ", ".join(sorted(step.places))
        return f"ran {ran or 'nothing'} instead of {expected}"
    for part in parts:
        place = step.places[part.name]
        if not _is_in(part, place, loop):
            return f"{part.name} should run {place.value}"
    workers = {part.thread for part in parts if step.places[part.name] is Place.WORKER}
    if len(workers) != step.threads:
        return f"took {len(workers)} worker threads instead of {step.threads}"
    return None


def _is_in(part: Part, place: Place, loop: int | None) -> bool:
    return part.loop == (None if place is Place.WORKER else loop)
