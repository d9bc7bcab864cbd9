"""Run Django's own tests with asgiref and with asgibridge, and compare.

``python tests/compat/run_django.py [--version VERSION] [LABEL ...]``.  The tests
are those of Django's sdist, taken from the package index now, and unmodified; the
Django that they test is the one beside them, whatever is installed.  Takes minutes.  Ends with 1 if any test has another result than with asgiref,
twice.
"""

import argparse
import os
import re
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path
from typing import Final

LABELS: Final = (
    "asgi",
    "async",
    "handlers",
    "middleware",
    "middleware_exceptions",
    "signals",
    "cache",
    "sessions_tests",
    "auth_tests",
    "test_client",
    "view_tests",
)
# "test_x (path.to.Case.test_x) ... ok", the docstring's first line may be between.
_RESULT: Final = re.compile(
    r"^(\w+ \([\w.]+\))(?:\n(?!\w+ \()[^\n]*?)?"
    r" \.\.\. (ok|FAIL|ERROR|skipped|expected failure|unexpected success)\b",
    re.MULTILINE,
)


def main() -> int:
    """Run both, print what is different; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--version", default="5.2.19")
    parser.add_argument("labels", nargs="*", default=list(LABELS))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        tests = _download(options.version, Path(folder))
        count, different = _compare(tests, options.labels)
        if different:
            # Some depend on the time; those may differ once.
            labels = [name.partition("(")[2].rstrip(")") for name in different]
            _, different = _compare(tests, sorted(labels))
    for name, (before, now) in sorted(different.items())[:50]:
        print(f"DIFFERENT {name}: {before} with asgiref, {now} with asgibridge")
    print(f"{count} tests, {len(different)} different")
    return 1 if different or not count else 0


def _compare(
    tests: Path, labels: list[str]
) -> tuple[int, dict[str, tuple[str | None, str | None]]]:
    """Run *labels* with both; return how many there are, and which differ."""
    original = _results(tests, labels, "asgiref", [])
    ours = _results(tests, labels, "asgibridge", ["-m", "asgibridge.compat"])
    different = {
        name: (original.get(name), ours.get(name))
        for name in original.keys() | ours.keys()
        if original.get(name) != ours.get(name)
    }
    return min(len(original), len(ours)), different


def _download(version: str, folder: Path) -> Path:
    pip = [sys.executable, "-m", "pip", "-q", "download", "--no-deps"]
    command = [*pip, "--no-binary", ":all:", "-d", str(folder), f"django=={version}"]
    subprocess.run(command, check=True)  # noqa: S603  # our own arguments
    (archive,) = folder.glob("*.tar.gz")
    with tarfile.open(archive) as tar:
        tar.extractall(folder, filter="data")
    return folder / archive.name.removesuffix(".tar.gz") / "tests"


def _results(
    tests: Path, labels: list[str], side: str, before: list[str]
) -> dict[str, str]:
    options = ["--settings=test_sqlite", "--parallel=1", "-v2", "--noinput"]
    paths = [str(tests.parent), *filter(None, [os.environ.get("PYTHONPATH")])]
    begin = time.monotonic()
    done = subprocess.run(  # noqa: S603  # our own arguments
        [sys.executable, *before, "runtests.py", *options, *labels],
        cwd=tests,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        capture_output=True,
        text=True,
        check=False,
    )
    output = done.stderr + done.stdout
    results = dict(_RESULT.findall(output))
    if not results:
        print(output[-5000:])
    counts = {kind: list(results.values()).count(kind) for kind in {*results.values()}}
    seconds = time.monotonic() - begin
    summary = [line for line in output.splitlines() if line.startswith("Ran ")]
    print(f"{side}: {summary} {counts} in {seconds:.0f} s", flush=True)
    return results


if __name__ == "__main__":
    sys.exit(main())
