"""Diagrams of the state machines, from their tables."""

from collections.abc import Mapping
from typing import Final

from ._machines import HTTP_RECEIVE, HTTP_SEND, LIFESPAN, WEBSOCKET, Machine, Row
from ._profiles import Profile
from ._shapes import EVENTS

__all__ = ("protocol_diagrams",)

_MACHINES: Final[Mapping[str, Machine]] = {
    "http-send": HTTP_SEND,
    "http-receive": HTTP_RECEIVE,
    "websocket": WEBSOCKET,
    "lifespan": LIFESPAN,
}


def _arrow(row: Row) -> str:
    shape = EVENTS.get(row.event.partition("[")[0])
    way = {"send": "send ", "receive": "receive "}.get(
        shape.direction if shape is not None else "", ""
    )
    limited = "" if row.profile is Profile.STRICT else f" (up to {row.profile.name})"
    return f"    {row.source} --> {row.target} : {way}{row.event}{limited}"


def _diagram(machine: Machine) -> str:
    lines = ["stateDiagram-v2", f"    [*] --> {machine.start}"]
    lines.extend(_arrow(row) for row in machine.rows)
    lines.extend(f"    {state} --> [*]" for state in sorted(machine.ends))
    return "\n".join(lines) + "\n"


def protocol_diagrams() -> dict[str, str]:
    """Return the state diagrams of all protocols as Mermaid text, by name."""
    return {name: _diagram(machine) for name, machine in _MACHINES.items()}
