"""Diagrams of the state machines, from their tables."""

from collections.abc import Iterable, Mapping
from typing import Final

from ._machines import HTTP_RECEIVE, HTTP_SEND, LIFESPAN, WEBSOCKET, Machine, Row
from ._profiles import Profile
from ._shapes import EVENTS, Shape

__all__ = ("protocol_diagrams",)

_MACHINES: Final[Mapping[str, Machine]] = {
    "http-send": HTTP_SEND,
    "http-receive": HTTP_RECEIVE,
    "websocket": WEBSOCKET,
    "lifespan": LIFESPAN,
}


def _shape_of(row: Row) -> Shape | None:
    return EVENTS.get(row.event.partition("[")[0])


def _common_part(rows: Iterable[Row]) -> str:
    """Return what the types of all events begin with, up to a full stop."""
    events = [row.event for row in rows if _shape_of(row) is not None]
    first, last = min(events), max(events)  # what these share, all between them do
    pairs = enumerate(zip(first, last, strict=False))
    end = next((number for number, (a, b) in pairs if a != b), len(first))
    return first[: first.rfind(".", 0, end) + 1]


def _diagram(machine: Machine) -> str:
    common = _common_part(machine.rows)
    ways = {shape.direction for row in machine.rows if (shape := _shape_of(row))}

    def label(row: Row) -> str:
        shape = _shape_of(row)
        way = f"{shape.direction} " if shape is not None and len(ways) > 1 else ""
        strict = row.profile is Profile.STRICT
        limit = "" if strict else f" (up to {row.profile.name})"
        return f"{way}{row.event.removeprefix(common)}{limit}"

    # One arrow for all that leads from one state to another: side by side they
    # make a picture too wide to be read.
    labels: dict[tuple[str, str], list[str]] = {}
    for row in machine.rows:
        labels.setdefault((row.source, row.target), []).append(label(row))
    lines = ["stateDiagram-v2", f"    [*] --> {machine.start}"]
    lines.extend(
        f"    {source} --> {target} : {'<br>'.join(texts)}"
        for (source, target), texts in labels.items()
    )
    lines.extend(f"    {state} --> [*]" for state in sorted(machine.ends))
    return "\n".join(lines) + "\n"


def protocol_diagrams() -> dict[str, str]:
    """Return the state diagrams of all protocols as Mermaid text, by name.

    The part that all types of a diagram begin with, such as ``http.response.``,
    is left out in it; so is the direction, if all go the same way.
    """
    return {name: _diagram(machine) for name, machine in _MACHINES.items()}
