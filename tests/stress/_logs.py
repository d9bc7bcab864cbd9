"""What happened, or should have: the same form for both."""

from typing import Any

import attrs

__all__ = ("Entry", "Log", "difference")


@attrs.define
class Entry:
    """One operation.

    Args:
        kind: Which one.
        detail: What it saw: a value, or the outcome in words.
        thread: Where it ran: a number, or in a model any object that stands for
            one thread.  None if that is of no interest.
        inner: The logs of its bodies.
    """

    kind: str
    detail: object = None
    thread: Any = None
    inner: "list[Log]" = attrs.field(factory=list)


Log = list[Entry]


def difference(
    expected: Log, actual: Log, threads: dict[object, int], path: str = "body"
) -> str | None:
    """Return where *actual* is not as expected; None if it is.

    Args:
        expected: By the model, with objects for threads.
        actual: By the interpreter, with threads' numbers.
        threads: Which thread an object of the model stands for; completed here.
        path: Where we are, for the answer.
    """
    for number, (wanted, got) in enumerate(zip(expected, actual, strict=False)):
        here = f"{path}.{number} {wanted.kind}"
        if found := _entry_difference(wanted, got, threads, here):
            return found
    if len(expected) != len(actual):
        return f"{path}: {len(expected)} entries expected, {len(actual)} written"
    return None


def _entry_difference(
    wanted: Entry, got: Entry, threads: dict[object, int], here: str
) -> str | None:
    if (wanted.kind, wanted.detail) != (got.kind, got.detail):
        return f"{here}: expected {wanted.detail!r}, got {got.kind} {got.detail!r}"
    if wanted.thread is not None:
        known = threads.setdefault(wanted.thread, got.thread)
        if known != got.thread:
            return f"{here}: expected on thread {known} ({wanted.thread}), ran on {got.thread}"
    if len(wanted.inner) != len(got.inner):
        return f"{here}: {len(wanted.inner)} bodies expected, {len(got.inner)} run"
    for branch, (theirs, ours) in enumerate(zip(wanted.inner, got.inner, strict=True)):
        if found := difference(theirs, ours, threads, f"{here}/{branch}"):
            return found
    return None
