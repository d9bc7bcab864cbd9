"""A pytest plugin: run the same tests under harder conditions.

Load it with ``-p tests.stress.conditions``; ``python -m tests.stress`` does.
Environment variables say what is harder:

``ASGIBRIDGE_SWITCH_INTERVAL``
    Seconds after which the interpreter lets another thread run; 1e-6 changes
    threads between nearly all instructions, where they are 5e-3 otherwise.
``ASGIBRIDGE_LOOP``
    ``uvloop`` makes it the loop of everything that does not ask for another.
"""

import asyncio
import os
import sys

import pytest

__all__ = ("pytest_configure", "pytest_report_header")


def pytest_configure(config: pytest.Config) -> None:
    """Make the conditions what the environment says."""
    del config
    interval = os.environ.get("ASGIBRIDGE_SWITCH_INTERVAL")
    if interval is not None:
        sys.setswitchinterval(float(interval))
    if os.environ.get("ASGIBRIDGE_LOOP") == "uvloop":
        import uvloop  # noqa: PLC0415 - not there on Windows, and only then needed

        asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())


def pytest_report_header() -> list[str]:
    """Say what the conditions are."""
    policy = type(asyncio.get_event_loop_policy()).__module__
    debug = os.environ.get("PYTHONASYNCIODEBUG", "0")
    return [
        f"switch interval: {sys.getswitchinterval()} s",
        f"loops: {policy}, asyncio debug: {debug}",
    ]
