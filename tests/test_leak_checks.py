"""The checks of conftest.py find what they look for."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.staging import PATIENCE

_CONFTEST = Path(__file__).with_name("conftest.py")

_PATIENCE = "PATIENCE_SECONDS: Final = 60.0"

_CLEAN = """
import threading

def test_thread_that_ends():
    threading.Thread(target=int).start()
"""

_THREAD = """
import threading

def test_thread():
    threading.Thread(target=threading.Event().wait, name="forgotten", daemon=True).start()
"""

_LOOP_AND_TASK = """
import asyncio, sys

async def forever():
    await asyncio.get_running_loop().create_future()

def test_loop():
    sys.loop = asyncio.new_event_loop()
    sys.task = sys.loop.create_task(forever())
    sys.loop.run_until_complete(asyncio.sleep(0))
"""

_DESCRIPTOR = """
import os

def test_descriptor():
    os.open(os.devnull, os.O_RDONLY)
"""


def _run(
    folder: Path, *, test: str, patience: str = "60.0"
) -> subprocess.CompletedProcess[str]:
    """Run *test* in a suite of its own, with the checks of this one."""
    checks = _CONFTEST.read_text()
    assert checks.count(_PATIENCE) == 1
    (folder / "conftest.py").write_text(
        checks.replace(_PATIENCE, f"PATIENCE_SECONDS: Final = {patience}")
    )
    (folder / "test_it.py").write_text(test)
    return subprocess.run(  # noqa: S603 - our own interpreter and text
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(folder)],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
        env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
    )


def test_clean_suite_passes(tmp_path: Path) -> None:
    """A thread that ends by itself is not left over."""
    done = _run(tmp_path, test=_CLEAN)
    assert done.returncode == 0, done.stdout
    assert "1 passed" in done.stdout


@pytest.mark.parametrize(
    ("test", "found"),
    [
        (_THREAD, ["thread left over: <Thread(forgotten"]),
        (_LOOP_AND_TASK, ["event loop left over: <_Unix", "task left over: <Task"]),
        pytest.param(
            _DESCRIPTOR,
            ["file descriptor left over: '"],
            marks=pytest.mark.skipif(
                not Path("/proc/self/fd").is_dir(), reason="descriptors need /proc"
            ),
        ),
    ],
    ids=["thread", "loop and task", "descriptor"],
)
def test_leak_fails_the_suite(tmp_path: Path, test: str, found: list[str]) -> None:
    """What a test leaves over is an error that names it."""
    done = _run(tmp_path, test=test, patience="0.01")
    assert done.returncode == 1, done.stdout
    for text in found:
        assert text in done.stdout
