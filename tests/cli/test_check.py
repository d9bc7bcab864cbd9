"""``asgibridge check``: forms of the report, exit codes, wrong input."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from click.testing import CliRunner, Result

from asgibridge.cli._main import cli

_APPLICATIONS = """
async def right(scope, receive, send):
    if scope["type"] != "http":
        raise NotImplementedError
    await send({"type": "http.response.start", "status": 200})
    await send({"type": "http.response.body", "body": b"x"})

async def wrong(scope, receive, send):
    if scope["type"] != "http":
        raise NotImplementedError
    path = scope["path"]
    await send({"type": "http.response.start", "status": 200})
    if path != "/right":
        await send({"type": "http.response.start", "status": 200})
    await send({"type": "http.response.body", "body": b"x"})

async def slow(scope, receive, send):
    import asyncio
    if scope["type"] == "lifespan":
        await asyncio.Event().wait()
    await right(scope, receive, send)

def wsgi(environ, start_response):
    return []
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A current directory with applications in it, not imported yet."""
    (tmp_path / "checked_apps.py").write_text(_APPLICATIONS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    yield
    sys.modules.pop("checked_apps", None)


def check(*options: str) -> Result:
    """Run the command."""
    return CliRunner().invoke(cli, ["check", *options])


def test_right_application() -> None:
    """The exit code is 0 and each conversation has a line."""
    result = check("checked_apps:right")
    assert result.exit_code == 0, result.output
    assert "ok   http-get: " in result.output
    assert result.output.endswith(
        "checked_apps:right: no violations in 18 conversations\n"
    )


def test_wrong_application() -> None:
    """The exit code is 1; what is wrong is said, on the path that is asked for."""
    result = check("checked_apps:wrong")
    assert result.exit_code == 1
    assert "http.start_twice: application fault" in result.output
    assert check("checked_apps:wrong", "--path", "/right").exit_code == 0


def test_profile_is_used() -> None:
    """The strictest one finds more; the others do not mind a wrong case."""
    result = check("checked_apps:wrong", "--profile", "practice", "--path", "/right")
    assert result.exit_code == 0
    assert check("checked_apps:right", "--profile", "nothing").exit_code == 2


def test_json() -> None:
    """One JSON document on stdout."""
    result = check("checked_apps:wrong", "--json")
    document = json.loads(result.stdout)
    assert (result.exit_code, document["ok"]) == (1, False)
    assert document["target"] == "checked_apps:wrong"


def test_junit() -> None:
    """One XML document on stdout."""
    result = check("checked_apps:right", "--junit")
    suite = ET.fromstring(result.stdout)  # noqa: S314 - made here
    assert result.exit_code == 0
    assert (suite.tag, suite.get("failures"), suite.get("tests")) == (
        "testsuite",
        "0",
        "18",
    )


def test_timeout_is_used() -> None:
    """A lifespan that is never answered is ended, and is a violation."""
    result = check("checked_apps:slow", "--timeout", "0.05")
    assert result.exit_code == 1
    assert "lifespan.unanswered: application fault" in result.output
    assert check("checked_apps:right", "--timeout", "0").exit_code == 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("missing_module:app",), "no module named 'missing_module'"),
        (("checked_apps:missing",), "no attribute 'missing'"),
        (("checked_apps",), "not of the form module:attribute"),
        (("checked_apps:wsgi",), "is a WSGI application; only ASGI can be checked"),
        (("checked_apps:right", "--path", "x"), "does not start with a slash"),
    ],
)
def test_wrong_input(options: tuple[str, ...], message: str) -> None:
    """The exit code is 2, with one line that says what is wrong."""
    result = check(*options)
    assert result.exit_code == 2
    assert message in result.output
    assert "Traceback" not in result.output
