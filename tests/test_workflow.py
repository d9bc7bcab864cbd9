"""The workflow does what a developer does, on each Python that is promised."""

import os
import re
import tomllib
from pathlib import Path
from typing import Any, Final

import pytest

yaml = pytest.importorskip("yaml", reason="NOT TESTED: pip install pyyaml")

_ROOT: Final = Path(__file__).parents[1]


def job() -> dict[str, Any]:
    """Return the only job."""
    text = (_ROOT / ".github" / "workflows" / "ci.yml").read_text("utf-8")
    (found,) = yaml.safe_load(text)["jobs"].values()
    return dict(found)


def test_every_promised_python() -> None:
    """The matrix has the versions of the classifiers, and of .ci/run."""
    project = tomllib.loads((_ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    classifiers = "\n".join(project["classifiers"])
    promised = re.findall(r"Python :: (3\.\d+)$", classifiers, re.MULTILINE)
    assert job()["strategy"]["matrix"]["python"] == promised
    script = (_ROOT / ".ci" / "run").read_text("utf-8")
    (others,) = re.findall(r"^OTHER_PYTHONS=\((.*?)\)", script, re.MULTILINE)
    assert others.split() == promised[1:]


def test_it_runs_the_gates_and_nothing_else() -> None:
    """One command, which is there and may be run."""
    *_, last = job()["steps"]
    assert last == {"run": ".ci/run", "env": {"PYTHON": "python${{ matrix.python }}"}}
    assert os.access(_ROOT / last["run"], os.X_OK)
