"""What a person sees of the demonstration."""

import io

import pytest
from rich.console import Console

from asgibridge.cli._demo._client import Outcome
from asgibridge.cli._demo._report import (
    make_console,
    show_progress,
    show_table,
    show_verdict,
)
from asgibridge.cli._demo._steps import STEPS
from asgibridge.cli._demo._trace import Part

_LOOP = 1


def _outcome(*, problem: str | None) -> Outcome:
    parts = [
        Part("handler", "uvicorn", _LOOP),
        Part("query", "worker-1", None),
        Part("stray", "worker-2", 0xABC),
    ]
    return Outcome(1, STEPS[0], "200 [yes]", problem, 0.0123, parts)


def _console() -> tuple[Console, io.StringIO]:
    text = io.StringIO()
    return make_console(text), text


def test_table_names_threads_and_loops() -> None:
    """Each part has its thread and its loop; brackets in answers are text."""
    console, text = _console()
    show_table(console, [_outcome(problem=None)], loop=_LOOP)
    lines = text.getvalue().splitlines()
    found = {
        name: line
        for line in lines
        for name in ("handler", "query", "stray")
        if name in line
    }
    assert "200 [yes]" in found["handler"]
    assert "uvicorn" in found["handler"]
    assert "the server's" in found["handler"]
    assert "worker-1" in found["query"]
    assert "none" in found["query"]
    assert "worker-2" in found["stray"]
    assert "another" in found["stray"]


def test_wrong_is_shown_everywhere() -> None:
    """A wrong answer is in the progress, in the table and in the verdict."""
    console, text = _console()
    outcomes = [_outcome(problem=None), _outcome(problem="[b] instead of [a]")]
    show_progress(console, outcomes[1])
    assert (
        f"1/{len(STEPS)} {STEPS[0].request}: WRONG: [b] instead of [a] (12 ms)\n"
        in (text.getvalue())
    )
    show_table(console, outcomes, loop=_LOOP)
    assert text.getvalue().count("[b] instead of [a]") == 2
    assert not show_verdict(console, outcomes)
    assert text.getvalue().endswith("1 of 2 answers were wrong.\n")


def test_right_is_said() -> None:
    """If nothing is wrong, that is said, too."""
    console, text = _console()
    assert show_verdict(console, [_outcome(problem=None)])
    assert "All 1 answers were right" in text.getvalue()


def test_console(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines in a pipe are long enough for the table; a terminal says how long."""
    monkeypatch.setenv("COLUMNS", "77")
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert make_console().width == 77
    monkeypatch.delenv("FORCE_COLOR")
    monkeypatch.setenv("TTY_COMPATIBLE", "0")
    assert make_console().width == 120
