"""What the figures were measured on."""

import os
import platform
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Final

import attrs

from ._model import LoopName, Mode

__all__ = ("Machine", "describe_machine")

_PACKAGES: Final = ("asgibridge", "asgiref", "anyio", "trio", "uvloop")


@attrs.frozen
class Machine:
    """Everything that has an influence on the figures."""

    processor: str
    cpus: int
    system: str
    python: str
    packages: str
    loop: LoopName
    mode: Mode
    placement: str = ""  # in place of what the mode says about CPUs

    def lines(self) -> list[str]:
        """Return the description, one subject in a line."""
        return [
            f"{self.processor}, {self.cpus} CPUs, {self.system}",
            f"{self.python}; {self.packages}",
            f"event loop: {self.loop}; CPUs: {self.placement or _MODES[self.mode]}",
        ]


_MODES: Final = {
    "pin": "the whole process on one (pin)",
    "split": "the main thread on one, all others on a second (split)",
    "free": "as the system likes (free), not to be quoted",
}


def describe_machine(
    loop: LoopName, mode: Mode, packages: Sequence[str] = _PACKAGES
) -> Machine:
    """Return the description of this machine and this run, with *packages*."""
    return Machine(
        processor=_processor(),
        cpus=os.cpu_count() or 1,
        system=f"{platform.system()} {platform.release()}",
        python=f"{platform.python_implementation()} {sys.version.split()[0]}",
        packages=", ".join(f"{name} {version(name)}" for name in packages),
        loop=loop,
        mode=mode,
    )


def _processor() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.processor() or platform.machine()
    for line in text.splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
