"""Which CPU a thread may use, for figures that mean something.

Free-running on two CPUs the same code takes 15 or 60 microseconds, as the
scheduler likes it: that measures the scheduler.
"""

import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Protocol, final

import attrs

from ._model import Mode

__all__ = ("CpuError", "Cpus", "FreeCpus", "PinnedCpus", "SplitCpus", "choose_cpus")


class CpuError(RuntimeError):
    """Raised for a CPU mode that this machine does not offer."""


class Cpus(Protocol):
    """Places threads on CPUs."""

    def settle(self) -> None:
        """Place all threads there are; called before each round."""
        ...


@final
@attrs.frozen
class FreeCpus:
    """Leaves everything to the system's scheduler."""

    def settle(self) -> None:
        """Do nothing."""


@final
@attrs.frozen
class PinnedCpus:
    """Keeps every thread of the process on one CPU.

    Threads inherit the mask of their creator, so one call is enough for all
    that start later; the sweep catches those that were there before.
    """

    cpu: int

    def settle(self) -> None:
        """Pin all threads there are."""
        for thread in _threads():
            _place(thread, self.cpu)


@final
@attrs.frozen
class SplitCpus:
    """Keeps the main thread on one CPU and all others on a second one."""

    main: int
    others: int

    def settle(self) -> None:
        """Place all threads there are."""
        for thread in _threads():
            _place(thread, self.main if thread == os.getpid() else self.others)

    def install(self) -> None:
        """Have threads place themselves from now on, for the whole process.

        Some contenders start threads within the measured time, and a thread
        inherits the CPU of its creator.
        """
        original: Callable[[threading.Thread], None] = threading.Thread._bootstrap  # type: ignore[attr-defined] # noqa: SLF001 - the only place that every Thread passes
        cpus = {self.others}

        def bootstrap(thread: threading.Thread) -> None:
            os.sched_setaffinity(0, cpus)
            original(thread)

        threading.Thread._bootstrap = bootstrap  # type: ignore[attr-defined] # noqa: SLF001 - see above


def choose_cpus(mode: Mode) -> Cpus:
    """Return the placement for *mode*, made effective for this process.

    Raises:
        CpuError: If the system cannot do it.
    """
    if mode == "free":
        return FreeCpus()
    if not hasattr(os, "sched_setaffinity"):
        msg = f"--cpus {mode} needs os.sched_setaffinity, which {sys.platform} lacks; use --cpus free"
        raise CpuError(msg)
    available = sorted(os.sched_getaffinity(0))
    if mode == "pin":
        cpus: Cpus = PinnedCpus(available[-1])
    elif len(available) > 1:
        cpus = split = SplitCpus(available[-1], available[-2])
        split.install()
    else:
        msg = "--cpus split needs two CPUs, this process may use one; use --cpus pin"
        raise CpuError(msg)
    cpus.settle()
    return cpus


def _threads() -> list[int]:
    return [int(entry.name) for entry in Path("/proc/self/task").iterdir()]


def _place(thread: int, cpu: int) -> None:
    try:
        os.sched_setaffinity(thread, {cpu})
    except ProcessLookupError:  # it ended since we looked
        return
