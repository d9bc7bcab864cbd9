"""Nothing is found in correct applications of the common frameworks.

Each is checked in a process of its own: Django can be configured once per
process, and frameworks warn when imported, which would be an error here.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest

APPS: Final = Path(__file__).parent / "apps"
PROGRAM: Final = """
import asyncio, importlib, sys
from asgibridge.adapters import report_as_json, check_app
app = importlib.import_module(sys.argv[1]).app
report = asyncio.run(check_app(app, path=sys.argv[2], target=sys.argv[1]))
print(report_as_json(report))
"""


def check(module: str, path: str) -> dict[str, Any]:
    """Check the application in *module* in another process."""
    done = subprocess.run(  # noqa: S603 - what is run is above
        [sys.executable, "-c", PROGRAM, module, path],
        cwd=APPS,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    report: dict[str, Any] = json.loads(done.stdout)
    return report


@pytest.mark.parametrize(
    ("module", "path"),
    [
        ("starlette_app", "/"),
        ("starlette_app", "/stream"),
        ("fastapi_app", "/"),
        ("fastapi_app", "/stream"),
        ("litestar_app", "/"),
        ("litestar_app", "/stream"),
    ],
)
def test_nothing_is_found(module: str, path: str) -> None:
    """No conversation breaks a rule, none takes too long."""
    report = check(module, path)
    assert [x for x in report["conversations"] if x["violations"]] == []
    assert [x["name"] for x in report["conversations"] if x["timed_out"]] == []
    assert [x for x in report["conversations"] if x["excused"]] == []
    assert report["ok"]


@pytest.mark.parametrize("path", ["/", "/sync", "/stream"])
def test_django_is_excused(path: str) -> None:
    """Its capital letters in header names are noted, not counted; all else is right."""
    report = check("django_app", path)
    assert report["ok"]
    assert [x for x in report["conversations"] if x["violations"]] == []
    excused = {y["rule"] for x in report["conversations"] for y in x["excused"]}
    assert excused == {"resp.headers.lowercase"}
    assert [x["name"] for x in report["conversations"] if x["timed_out"]] == []
