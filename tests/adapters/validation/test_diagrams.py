"""The diagrams in the documentation are those of the tables."""

import re
from pathlib import Path
from typing import Final

import pytest

from asgibridge.adapters import protocol_diagrams
from asgibridge.adapters._validation._machines import (
    HTTP_RECEIVE,
    HTTP_SEND,
    LIFESPAN,
    WEBSOCKET,
)

PAGE: Final = Path(__file__).parents[3] / "docs" / "validator.md"
COMMON: Final = {
    "http-send": "http.response.",
    "http-receive": "http.",
    "websocket": "websocket.",
    "lifespan": "lifespan.",
}
LABEL: Final = re.compile(r"^(send|receive) | \(up to \w+\)$")
"""What a label says beside the event."""


@pytest.mark.parametrize("name", sorted(protocol_diagrams()))
def test_diagram_is_in_the_documentation(name: str) -> None:
    """If this fails, copy what `asgibridge.adapters.protocol_diagrams()` returns."""
    block = f"```mermaid\n{protocol_diagrams()[name]}```"
    assert block in PAGE.read_text()


def test_every_row_has_an_arrow() -> None:
    """A diagram shows all transitions, and who accepts those of practice."""
    for name, machine in (
        ("http-send", HTTP_SEND),
        ("http-receive", HTTP_RECEIVE),
        ("websocket", WEBSOCKET),
        ("lifespan", LIFESPAN),
    ):
        text = protocol_diagrams()[name]
        assert text.startswith(f"stateDiagram-v2\n    [*] --> {machine.start}\n")
        arrows = {
            (source, target): set(events.split("<br>"))
            for source, target, events in re.findall(
                r"^    (\w+) --> (\w+) : (.+)$", text, re.MULTILINE
            )
        }
        assert {
            (source, target, LABEL.sub("", event))
            for (source, target), events in arrows.items()
            for event in events
        } == {
            (row.source, row.target, row.event.removeprefix(COMMON[name]))
            for row in machine.rows
        }
        assert sum(map(len, arrows.values())) == len(machine.rows)
        assert text.count(" --> ") == len(arrows) + len(machine.ends) + 1
    assert "(up to PRACTICE)" in protocol_diagrams()["http-receive"]
    assert "OPEN : send accept (up to SPEC)\n" in protocol_diagrams()["websocket"]
    assert "DISCONNECTED : receive disconnect\n" in protocol_diagrams()["websocket"]
    assert "NEW --> UNSUPPORTED : raise\n" in protocol_diagrams()["lifespan"]
