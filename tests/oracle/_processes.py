"""Trying clauses in processes of their own, which may hang or die."""

import subprocess
import sys
from pathlib import Path
from typing import Final, Literal

import attrs

__all__ = ("Verdict", "VerdictKind", "try_in_process")

ROOT: Final = Path(__file__).parents[2]
NOT_OFFERED_STATUS: Final = 3
VerdictKind = Literal["kept", "broken", "hangs", "not offered"]


@attrs.frozen
class Verdict:
    """How a clause went.

    Args:
        kind: In a word.
        detail: The last line that it said.
    """

    kind: VerdictKind
    detail: str = ""


def try_in_process(subject: str, clause: str, timeout: float = 15.0) -> Verdict:
    """Try *clause* on *subject* in a new process.

    Args:
        subject: ``asgibridge`` or ``asgiref``.
        clause: The clause's name.
        timeout: When it counts as hanging, in seconds.
    """
    command = [sys.executable, "-m", "tests.oracle", subject, clause]
    try:
        done = subprocess.run(  # noqa: S603 - our own module, our own words
            command,
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Verdict("hangs")
    if done.returncode == 0:
        return Verdict("kept")
    lines = done.stderr.strip().splitlines()
    detail = lines[-1].strip() if lines else f"status {done.returncode}"
    kind: VerdictKind = (
        "not offered" if done.returncode == NOT_OFFERED_STATUS else "broken"
    )
    return Verdict(kind, detail)
