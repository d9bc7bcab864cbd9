"""The table of what asgibridge and asgiref keep, from running every clause."""

from collections.abc import Iterator
from importlib.metadata import version
from itertools import groupby
from platform import python_version

from tests.oracle._all import ALL
from tests.oracle._processes import Verdict, try_in_process

__all__ = ("table",)

_LONGEST = 90


def table() -> Iterator[str]:
    """Yield the lines of the table, trying clauses as it goes."""
    yield (
        f"asgibridge {version('asgibridge')} and asgiref {version('asgiref')} on "
        f"CPython {python_version()}, written by `python -m tests.oracle table`."
    )
    for group, members in groupby(ALL, key=lambda clause: clause.group):
        yield ""
        yield f"## {group}"
        yield ""
        yield "| promise | clause | asgibridge | asgiref |"
        yield "| --- | --- | --- | --- |"
        for clause in members:
            ours = _cell(try_in_process("asgibridge", clause.name))
            theirs = _cell(try_in_process("asgiref", clause.name))
            promise = clause.promise.replace("|", "\\|")
            yield f"| {promise} | `{clause.name}` | {ours} | {theirs} |"


def _cell(verdict: Verdict) -> str:
    if not verdict.detail:
        return verdict.kind
    detail = verdict.detail
    if len(detail) > _LONGEST:
        detail = f"{detail[:_LONGEST]}…"
    return f"{verdict.kind}: `{detail.replace('|', '/').replace('`', '')}`"
