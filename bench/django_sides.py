"""Processes that serve Django, one for each of those that are compared."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

import attrs

__all__ = (
    "BARE",
    "GUNICORN",
    "NOTHING",
    "ORIGINAL",
    "OURS",
    "Measure",
    "Slice",
    "Stage",
)

OURS: Final = "asgibridge"
ORIGINAL: Final = "asgiref"
BARE: Final = "bare"  # see django_bare
NOTHING: Final = "nothing"  # see django_app
GUNICORN: Final = "gunicorn"
CONNECTIONS: Final = 32
ROOT: Final = Path(__file__).parents[1]
PROJECT: Final = ROOT / "examples" / "django"
_ADDRESS: Final = re.compile(r"http://127\.0\.0\.1:\d+")
_DONE: Final = re.compile(r"(\d+) requests in ([\d.]+)s,")
_ATTEMPTS: Final = 5


@attrs.frozen
class Slice:
    """What one side did in one slice of time.

    Attributes:
        rate: Requests per second.
        cpu: Seconds of CPU time for each request; None where it is not known.
    """

    rate: float
    cpu: float | None


Measure = Callable[[str, str, str], Slice]
"""Measures a side with some middleware and a path."""


@attrs.frozen
class Stage:
    """Where and for how long to measure.

    Attributes:
        database: A file with the tables of the project.
        seconds: For each slice; whole ones under a server.
        is_pinned: Keep what is measured on one CPU, and wrk on another.
        uvicorn: More arguments for uvicorn.
    """

    database: Path
    seconds: int
    is_pinned: bool
    uvicorn: tuple[str, ...] = ()

    def prepare(self) -> None:
        """Make the tables."""
        command = [sys.executable, "manage.py", "migrate", "--run-syncdb", "-v", "0"]
        environment = os.environ | self.variables(OURS, "none")
        subprocess.run(command, cwd=PROJECT, env=environment, check=True)  # noqa: S603  # our own arguments

    def in_process(self, at_once: int) -> Measure:
        """Return what measures requests in a fresh process, *at_once* at a time."""

        def measure(side: str, middleware: str, path: str) -> Slice:
            command = [sys.executable, "-m", "bench.django_client"]
            output = subprocess.run(  # noqa: S603  # our own arguments
                [*self.on_cpu(0), *command, path, str(self.seconds), str(at_once)],
                cwd=ROOT,
                env=os.environ | self.variables(side, middleware),
                check=True,
                text=True,
                stdout=subprocess.PIPE,
            ).stdout
            rate, cpu = map(float, output.split())
            return Slice(rate, cpu)

        return measure

    def served(self, servers: ExitStack) -> Measure:
        """Return what measures requests to servers, which live as long as *servers*."""
        running: dict[tuple[str, str], tuple[str, int]] = {}

        def measure(side: str, middleware: str, path: str) -> Slice:
            key = (side, middleware)
            if key not in running:
                running[key] = servers.enter_context(self._server(side, middleware))
                self._wrk(running[key][0] + path, 1)  # until it is warm
            address, process = running[key]
            before = _cpu_seconds(process)
            count, seconds = self._wrk(address + path, self.seconds)
            after = _cpu_seconds(process)
            if before is None or after is None or side == GUNICORN:
                return Slice(count / seconds, None)
            return Slice(count / seconds, (after - before) / count)

        return measure

    @contextmanager
    def _server(self, side: str, middleware: str) -> Iterator[tuple[str, int]]:
        """Serve the project; yield address and process."""
        module = [sys.executable, "-u", "-m"]
        uvicorn = ["uvicorn", "bench.django_app:application", "--no-access-log"]
        uvicorn += ["--app-dir", str(ROOT), "--port=0", *self.uvicorn]
        gunicorn = ["gunicorn", "shop.wsgi", "--threads=8", "-b", "127.0.0.1:0"]
        command = [*module, *(gunicorn if side == GUNICORN else uvicorn)]
        process = subprocess.Popen(  # noqa: S603  # our own arguments
            [*self.on_cpu(0), *command],
            cwd=PROJECT,
            env=os.environ | self.variables(side, middleware),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            for line in process.stderr or ():
                if found := _ADDRESS.search(line):
                    break
            else:
                msg = f"{command} did not start"
                raise RuntimeError(msg)
            yield found.group(), process.pid
        finally:
            process.terminate()
            process.communicate(timeout=60)

    def variables(self, side: str, middleware: str) -> Mapping[str, str]:
        return {
            "ASGIBRIDGE_BENCH_SIDE": side,
            "ASGIBRIDGE_EXAMPLE_DATABASE": str(self.database),
            "ASGIBRIDGE_EXAMPLE_MIDDLEWARE": middleware,
        }

    def _wrk(self, address: str, seconds: int) -> tuple[int, float]:
        """Return the number of requests, and the seconds they took."""
        wrk = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", address]
        output = ""
        for _ in range(_ATTEMPTS):
            output = subprocess.run(  # noqa: S603  # our own arguments
                [*self.on_cpu(1), *wrk], check=True, text=True, stdout=subprocess.PIPE
            ).stdout
            found = _DONE.search(output)
            if found is None or "Non-2xx" in output:
                break
            count, taken = int(found.group(1)), float(found.group(2))
            # wrk ends in time whatever the server does.  If not, the machine
            # stood still, and the slice says nothing.
            if taken < seconds + 0.5:
                if "Socket errors" in output:
                    break
                return count, taken
        raise RuntimeError(output)

    def on_cpu(self, number: int) -> list[str]:
        """Return what starts a command on one of the CPUs."""
        if not self.is_pinned or shutil.which("taskset") is None:
            return []
        cpus = sorted(os.sched_getaffinity(0))
        return ["taskset", "-c", str(cpus[number % len(cpus)])]


def _cpu_seconds(process: int) -> float | None:
    """Return the CPU time that *process* has had, as far as the system says."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text(encoding="utf-8")
    except OSError:
        return None
    # The name of the program is in parentheses and may hold anything.
    user, system = fields.rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")
