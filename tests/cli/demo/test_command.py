"""``asgibridge demo``, over real HTTP."""

import os
import signal
import threading
from collections.abc import Generator
from contextlib import contextmanager

import httpx
import pytest
from click.testing import CliRunner

from asgibridge.cli._demo import _command, _steps
from asgibridge.cli._main import cli
from asgibridge.cli._uvicorn import listen, sigterm_interrupts


def test_demo() -> None:
    """All answers are right; every part is shown with its thread and loop."""
    result = CliRunner().invoke(cli, ["demo"])
    assert result.exit_code == 0, result.output
    assert "All 10 answers were right" in result.output
    assert "WRONG" not in result.output
    for step in _steps.STEPS:
        assert f"{step.request}: ok" in result.output
        for part in step.places:
            assert part in result.output
    assert "uvicorn" in result.output
    assert "the server's" in result.output


def test_demo_with_wrong_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong answer is shown, counted, and in the exit code."""
    monkeypatch.setattr(_steps, "payload_digest", lambda: "0")
    result = CliRunner().invoke(cli, ["demo"])
    assert result.exit_code == 1
    assert "GET /flask/download: WRONG: " in result.output
    assert "2 of 10 answers were wrong" in result.output


def test_demo_on_a_port_in_use() -> None:
    """A port in use is one line and exit code 2."""
    with listen("127.0.0.1", 0) as listener:
        port = str(listener.getsockname()[1])
        result = CliRunner().invoke(cli, ["demo", "--port", port])
    assert result.exit_code == 2
    assert result.output.count("\n") == 1
    assert f"port {port}: Address already in use" in result.output


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_demo_that_stays(
    monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    """With --serve it goes on serving, without waiting for its client."""
    with listen("127.0.0.1", 0) as probe:
        port = probe.getsockname()[1]
    answers: list[httpx.Response] = []

    def visit() -> None:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as http:
            answers.extend(
                http.get(path)
                for path in (
                    "/",
                    "/flask/meet",
                    "/notes/slow",
                    "/nowhere",
                    "/timeline/",
                    *(action.path for action in _command._ACTIONS),
                    "/timeline/calls.json",
                )
            )
        os.kill(os.getpid(), number)

    @contextmanager
    def visited() -> Generator[None]:
        with sigterm_interrupts():
            visitor = threading.Thread(target=visit)
            visitor.start()
            try:
                yield
            finally:
                visitor.join()

    monkeypatch.setattr(_command, "sigterm_interrupts", visited)
    result = CliRunner().invoke(cli, ["demo", "--serve", "--port", str(port)])
    assert result.exit_code == 0, result.output
    assert f"Serving on http://127.0.0.1:{port} until Ctrl-C" in result.output
    assert result.output.endswith("Stopping.\n")
    assert [answer.status_code for answer in answers] == [
        *(200, 200, 200, 404, 200),
        *(200 for _ in _command._ACTIONS),
        200,
    ]
    assert f"requests to fire: http://127.0.0.1:{port}/timeline/" in result.output
    for action in _command._ACTIONS:
        assert action.label in answers[4].text
    assert "NoteStore.summary" in answers[-1].text
    assert "/flask/hello?name=you" in answers[0].text
