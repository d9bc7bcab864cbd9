"""``python -m tests.stress``: repeat the suite under one condition after another.

``--python`` adds interpreters, each of an environment with the extra ``tests``;
``--only`` chooses conditions; what follows ``--`` goes to pytest, for example
``-- tests/oracle tests/stress``.  The status is 1 if any run failed.
"""

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter
from typing import Final

import attrs

ROOT: Final = Path(__file__).parents[2]


@attrs.frozen
class Condition:
    """How a run differs from an ordinary one."""

    name: str
    environment: tuple[tuple[str, str], ...] = ()
    interpreter: tuple[str, ...] = ()


CONDITIONS: Final = (
    Condition("plain"),
    Condition("asyncio debug", (("PYTHONASYNCIODEBUG", "1"),)),
    Condition("development mode", (), ("-X", "dev")),
    Condition("uvloop", (("ASGIBRIDGE_LOOP", "uvloop"),)),
    Condition("switch interval 1 µs", (("ASGIBRIDGE_SWITCH_INTERVAL", "1e-6"),)),
)


def main(arguments: Sequence[str]) -> int:
    """Run everything that was asked for; return the status for the shell."""
    given = _parser().parse_args(arguments)
    chosen = [it for it in CONDITIONS if not given.only or it.name in given.only]
    failed = 0
    for python in given.python or [sys.executable]:
        for condition in chosen:
            start = perf_counter()
            done = _run(python, condition, given.pytest)
            last = done.stdout.strip().splitlines()[-1:]
            seconds = perf_counter() - start
            sys.stdout.write(
                f"{'passed' if not done.returncode else 'FAILED'}  {seconds:5.0f} s  "
                f"{_version(python)}  {condition.name}: {' '.join(last)}\n"
            )
            sys.stdout.flush()
            if done.returncode:
                failed += 1
                sys.stdout.write(f"{done.stdout}\n{done.stderr}\n")
    return 1 if failed else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.stress",
        description="Repeat the suite under harder conditions.",
    )
    parser.add_argument("--python", action="append", metavar="EXECUTABLE")
    parser.add_argument(
        "--only",
        action="append",
        choices=[condition.name for condition in CONDITIONS],
    )
    parser.add_argument("pytest", nargs="*", help="arguments of pytest, after --")
    return parser


def _run(
    python: str, condition: Condition, arguments: Sequence[str]
) -> subprocess.CompletedProcess[str]:
    command = [
        python,
        *condition.interpreter,
        *("-m", "pytest", "-q", "-p", "tests.stress.conditions"),
        *arguments,
    ]
    environment = os.environ | dict(condition.environment)
    return subprocess.run(  # noqa: S603 - what the user asked for
        command,
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def _version(python: str) -> str:
    command = [python, "-c", "import platform; print(platform.python_version())"]
    done = subprocess.run(  # noqa: S603 - what the user asked for
        command, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
