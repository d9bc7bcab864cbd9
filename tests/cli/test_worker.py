"""``asgibridge worker``, from the command line's side."""

import logging
import os
import signal
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path

import pytest
from click.testing import CliRunner

from asgibridge.cli._worker import worker

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def own_logging() -> Generator[None, None, None]:
    """Let the command set up logging as if it were alone."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    root.handlers.clear()
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in a directory with an application."""
    (tmp_path / "worker_app.py").write_text(
        "number = 5\n"
        "async def app(scope, receive, send):\n"
        "    assert scope['type'] == 'message'\n"
        "    while (event := await receive())['type'] == 'message.receive':\n"
        "        await send({'type': 'message.send', 'text': event['text'] * 2})\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", sys.path[:])
    monkeypatch.delitem(sys.modules, "worker_app", raising=False)
    return tmp_path


def run(*options: str, text: str = "") -> "subprocess.CompletedProcess[str]":
    """Run the command in a process of its own."""
    command = [sys.executable, "-c"]
    command += ["from asgibridge.cli._worker import worker; worker()", *options]
    # S603: this package's own command.
    return subprocess.run(  # noqa: S603
        command, input=text, capture_output=True, text=True, timeout=60, check=False
    )


def test_standard_input_to_standard_output(here: Path) -> None:
    """Lines in, lines out; the log goes elsewhere."""
    done = run("worker_app:app", "--source", "-", text="a: x\nb: y\na: z\n")
    assert done.returncode == 0, done.stderr
    assert sorted(done.stdout.splitlines()) == ["a: xx", "a: zz", "b: yy"]
    assert "INFO worker_app:app works on -" in done.stderr
    assert "3 done, 0 given back, 0 dead" in done.stderr


def test_json_lines(here: Path) -> None:
    """For programs."""
    done = run("worker_app:app", "--source", "-", "--json", text="a: x\n")
    assert done.stdout == (
        '{"scope_id":"a","event":{"type":"message.send","text":"xx"}}\n'
    )


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (["worker_app:number", "--source", "-"], "is 5, which cannot be called"),
        (["worker_app:nothing", "--source", "-"], "no attribute 'nothing'"),
        (["worker_app:app", "--source", "what"], "'what' names no source"),
        (
            ["worker_app:app", "--source", "redis://h", "--name", "a b"],
            "name of RedisLayout is a text without braces and blanks, got 'a b'",
        ),
    ],
)
def test_one_line_for_each_mistake(
    here: Path, options: list[str], problem: str
) -> None:
    """On stderr, with exit code 2."""
    result = CliRunner().invoke(worker, options)
    assert result.exit_code == 2
    assert problem in result.stderr
    assert "Traceback" not in result.stderr


def test_a_server_that_is_not_there(here: Path) -> None:
    """It is asked for again and again, the log says so, and SIGTERM ends it."""
    command = [sys.executable, "-c"]
    command += ["from asgibridge.cli._worker import worker; worker()"]
    command += ["worker_app:app", "--source", "redis://:secret@127.0.0.1:1"]
    command += ["--health-seconds", "0.05"]
    # S603: this package's own command.
    process = subprocess.Popen(  # noqa: S603
        command, stderr=subprocess.PIPE, text=True, env={**os.environ}
    )
    assert process.stderr is not None
    lines: list[str] = []
    for line in process.stderr:
        lines.append(line)
        if sum("is not reachable" in one for one in lines) == 2 and "health" in line:
            break
    process.send_signal(signal.SIGTERM)
    lines += process.stderr.readlines()
    assert process.wait(timeout=60) == 0
    process.stderr.close()
    text = "".join(lines)
    assert "Redis at redis://127.0.0.1:1 is not reachable" in text
    assert "secret" not in text
    assert "Traceback" not in text


ENDING = """
import asyncio, logging, os, signal

class Listener(logging.Handler):
    def __init__(self):
        super().__init__()
        self.has_heard = asyncio.Event()

    def emit(self, record):
        if "health:" in record.getMessage():
            self.has_heard.set()

async def app(scope, receive, send):
    await receive()
    await send({"type": "lifespan.startup.complete"})
    if WAITS:
        listener = Listener()
        logging.getLogger("asgibridge.servers").addHandler(listener)
        await listener.has_heard.wait()
        logging.getLogger("asgibridge.servers").removeHandler(listener)
    os.kill(os.getpid(), signal.SIGTERM)
    await receive()
    await send({"type": "lifespan.shutdown.complete"})
"""


@pytest.mark.parametrize(("every", "is_reported"), [("0", False), ("0.01", True)])
def test_sigterm(
    here: Path, caplog: pytest.LogCaptureFixture, every: str, *, is_reported: bool
) -> None:
    """The command drains, and ends with code 0; its health is told before, too."""
    (here / "ending_app.py").write_text(f"WAITS = {is_reported}\n{ENDING}")
    options = ["ending_app:app", "--source", "tcp://127.0.0.1:0"]
    with caplog.at_level(logging.INFO, "asgibridge.servers"):
        result = CliRunner().invoke(worker, [*options, "--health-seconds", every])
    sys.modules.pop("ending_app", None)
    assert result.exit_code == 0, result.output
    assert "works on tcp://127.0.0.1:0" in caplog.text
    assert (caplog.text.count("health: 0 instances") > 1) is is_reported
    assert caplog.records[-1].getMessage().startswith("health: 0 instances")


def test_the_chat_example() -> None:
    """What the documentation walks through."""
    options = ["examples.chat.bot:app", "--source", "-", "--health-seconds", "0"]
    command = [sys.executable, "-c"]
    command += ["from asgibridge.cli._worker import worker; worker()", *options]
    lines = "alice: hello\nalice: /help\nalice: /history\nalice: /quit\n"
    # S603: this package's own command.
    done = subprocess.run(  # noqa: S603
        command,
        input=lines,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "alice: I heard 'hello', number 1 from you (/help)",
        "alice: say anything, or: /join ROOM, /leave, /who, /history, /quit",
        "alice: hello",
        "alice: bye",
    ]
