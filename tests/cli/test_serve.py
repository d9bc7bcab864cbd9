"""``asgibridge serve``: kinds, options and wrong input."""

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import click
import httpx
import pytest
from click.testing import CliRunner, Result

from asgibridge.cli import _serve
from asgibridge.cli._main import cli
from asgibridge.cli._uvicorn import listen

_APPLICATIONS = """
import asyncio, threading

from flask import Flask

number = 42
wsgi = Flask(__name__)

@wsgi.get("/")
def where():
    return threading.current_thread().name

async def asgi(scope, receive, send):
    assert scope["type"] == "http"  # uvicorn goes on without a lifespan
    body = threading.current_thread().name.encode()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})

async def broken(scope, receive, send):
    assert scope["type"] == "lifespan"
    await receive()
    await send({"type": "lifespan.startup.failed", "message": "no database"})

def both(*args):
    return wsgi(*args)
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A current directory with applications in it, not imported yet."""
    (tmp_path / "served_apps.py").write_text(_APPLICATIONS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", sys.path.copy())
    yield tmp_path
    sys.modules.pop("served_apps", None)


def _serve_and_get(
    monkeypatch: pytest.MonkeyPatch, *arguments: str
) -> tuple[Result, str]:
    """Run the command, make one request, interrupt; return result and answer."""
    answers: list[str] = []

    def visit(url: str) -> None:
        answers.append(httpx.get(url, trust_env=False).text)
        os.kill(os.getpid(), signal.SIGINT)

    visitors: list[threading.Thread] = []

    def announce(message: str) -> None:
        for url in re.findall(r"http://\S+", message):
            visitors.append(threading.Thread(target=visit, args=[url]))
            visitors[-1].start()
        announced(message)

    announced = click.echo
    monkeypatch.setattr(click, "echo", announce)
    result = CliRunner().invoke(cli, ["serve", *arguments, "--port", "0"])
    for visitor in visitors:
        visitor.join()
    return result, "".join(answers)


def test_serve_wsgi(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A WSGI application is recognised, and runs on a worker thread."""
    del folder
    result, answer = _serve_and_get(monkeypatch, "served_apps:wsgi", "--threads", "2")
    assert result.exit_code == 0, result.output
    assert "served_apps:wsgi is WSGI, served through WsgiToAsgi, on" in result.output
    assert answer.startswith("asgibridge-wsgi")


def test_serve_asgi(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An ASGI application is recognised, and runs on the server's loop."""
    del folder
    result, answer = _serve_and_get(
        monkeypatch, "served_apps:asgi", "--log-level", "error"
    )
    assert result.exit_code == 0, result.output
    assert "served_apps:asgi is ASGI, served as is, on http" in result.output
    assert answer == "MainThread"


def test_serve_what_the_user_says(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What cannot be recognised is served as what the user says it is."""
    del folder
    result, answer = _serve_and_get(monkeypatch, "served_apps:both", "--wsgi")
    assert result.exit_code == 0, result.output
    assert answer.startswith("asgibridge-wsgi")


def test_serve_with_a_timeline(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At the end there is a page that shows the request's call."""
    result, answer = _serve_and_get(
        monkeypatch, "served_apps:wsgi", "--timeline", "t.html"
    )
    assert result.exit_code == 0, result.output
    assert "The timeline is in t.html" in result.output
    page = (folder / "t.html").read_text()
    assert page.startswith("<!doctype html>")
    assert answer in page  # the name of the thread that ran it


def test_a_timeline_that_cannot_be_written_anymore(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What went wrong after the check is one line, too."""

    def vanish(*_args: object, **_options: object) -> bool:
        (folder / "there" / "t.html").unlink()
        (folder / "there").rmdir()
        return True

    (folder / "there").mkdir()
    monkeypatch.setattr(_serve, "serve_until_signalled", vanish)
    with listen("127.0.0.1", 0) as listener:
        monkeypatch.setattr(_serve, "listen", lambda *_: listener)
        result = CliRunner().invoke(
            cli, ["serve", "served_apps:wsgi", "--timeline", "there/t.html"]
        )
    assert result.exit_code == 2
    assert result.stderr == (
        "Error: cannot write the timeline to there/t.html: "
        "No such file or directory; choose another file\n"
    )


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["absent_shop:app"], "no module named 'absent_shop'"),
        (["served_apps"], "is not of the form module:attribute"),
        (["served_apps:absent"], "no attribute 'absent'"),
        (["served_apps:number"], "'served_apps:number' is neither a WSGI"),
        (["served_apps:both"], "say --wsgi or --asgi"),
        (["served_apps:both", "--wsgi", "--asgi"], "exclude each other"),
        (["served_apps:asgi", "--threads", "3"], "--threads is for WSGI"),
        (["served_apps:asgi", "--timeline", "t.html"], "--timeline is for WSGI"),
        (
            ["served_apps:wsgi", "--timeline", "absent/t.html"],
            "cannot write the timeline to absent/t.html: No such file or directory",
        ),
        (["served_apps:asgi", "--host", "host.invalid"], "cannot listen on host.inv"),
    ],
)
def test_wrong_input(folder: Path, arguments: list[str], why: str) -> None:
    """What cannot be served is one line and exit code 2."""
    del folder
    result = CliRunner().invoke(cli, ["serve", *arguments])
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.startswith("Error: ")
    assert result.stderr.count("\n") == 1
    assert why in result.stderr


def test_port_in_use(folder: Path) -> None:
    """A port in use is one line and exit code 2."""
    del folder
    with listen("127.0.0.1", 0) as listener:
        port = str(listener.getsockname()[1])
        result = CliRunner().invoke(cli, ["serve", "served_apps:asgi", "--port", port])
    assert result.exit_code == 2
    assert result.stderr == (
        f"Error: cannot listen on 127.0.0.1 port {port}: "
        "Address already in use; choose another\n"
    )


def test_failed_startup(folder: Path) -> None:
    """An application that fails at startup gives uvicorn's exit code for it."""
    del folder
    result = CliRunner().invoke(cli, ["serve", "served_apps:broken", "--port", "0"])
    assert result.exit_code == 3


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_as_a_process(folder: Path, number: signal.Signals) -> None:
    """The installed command serves a Flask application and ends on a signal."""
    command = [str(Path(sys.executable).with_name("asgibridge")), "serve"]
    with subprocess.Popen(  # noqa: S603 - our own command
        [*command, "served_apps:wsgi", "--port", "0"],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as server:
        assert server.stdout is not None
        try:
            (url,) = re.findall(r"http://\S+", server.stdout.readline())
            assert httpx.get(url, trust_env=False).status_code == 200
        finally:
            server.send_signal(number)
        requests, log = server.communicate(timeout=60)
    assert server.returncode == 0, log
    assert "Traceback" not in log
    assert '"GET / HTTP/1.1" 200 OK' in requests
