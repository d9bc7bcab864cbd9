"""A soak: a million crossings of every sort, and nothing that grows.

``python -m bench.soak --crossings 1000000`` prints memory, objects, threads and
descriptors on the way; its status is 1 if any of them grew.
"""

import argparse
import asyncio
import gc
import random
import resource
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from time import perf_counter
from typing import Final

import attrs

from asgibridge import Bridge

from ._soak_work import all_work

__all__ = ("Sample", "growth", "main", "soak")

# What a soak may end with more than it had after its first tenth: caches and
# free lists fill late.  A leak of one object in a hundred crossings is seen in
# a run of a million.
MOST_BYTES: Final = 2 * 1024 * 1024
MOST_OBJECTS: Final = 1000
MOST_THREADS: Final = 10
MOST_DESCRIPTORS: Final = 4


@attrs.frozen
class Sample:
    """What there was at one moment."""

    crossings: int
    bytes: int
    objects: int
    threads: int
    descriptors: int


def soak(crossings: int, told: Callable[[Sample], object], seed: int = 0) -> Sample:
    """Make at least so many crossings, and return what there was at the end.

    Args:
        crossings: How many.
        told: Is given a sample after each tenth.
        seed: Decides the order of the work.
    """
    chance = random.Random(seed)
    done, next_look = 0, crossings // 10
    with Bridge(name="soak") as bridge, asyncio.Runner() as runner:
        work = all_work(bridge, runner)
        while done < crossings:
            done += chance.choice(work)()
            if done >= next_look:
                told(_sample(done))
                next_look += crossings // 10
        return _sample(done)


def growth(first: Sample, last: Sample) -> list[str]:
    """Return what has grown beyond what may."""
    # A thread that waits has two.
    more_threads = min(max(last.threads - first.threads, 0), MOST_THREADS)
    most_descriptors = MOST_DESCRIPTORS + 2 * more_threads
    return [
        f"{name}: {before} at the beginning, {after} at the end"
        for name, before, after, most in (
            ("bytes", first.bytes, last.bytes, MOST_BYTES),
            ("objects", first.objects, last.objects, MOST_OBJECTS),
            # Idle threads end, and come again: what counts is that few do.
            ("threads", first.threads, last.threads, MOST_THREADS),
            ("descriptors", first.descriptors, last.descriptors, most_descriptors),
        )
        if after - before > most
    ]


def main(arguments: Sequence[str]) -> int:
    """Soak, print, and return the status for the shell."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.soak",
        description="Make crossings of every sort, and look for anything that grows.",
    )
    parser.add_argument("--crossings", type=_positive, default=1_000_000)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(arguments)
    samples: list[Sample] = []

    def told(sample: Sample) -> None:
        samples.append(sample)
        sys.stdout.write(f"{_line(sample)}\n")

    start = perf_counter()
    last = soak(given.crossings, told, given.seed)
    sys.stdout.write(
        f"{last.crossings:,} crossings in {perf_counter() - start:.0f} s\n"
    )
    found = growth(samples[0], last)
    for line in found:
        sys.stdout.write(f"GROWN {line}\n")
    return 1 if found else 0


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 10:
        msg = f"{text!r} is not a whole number of at least 10"
        raise argparse.ArgumentTypeError(msg)
    return int(text)


def _sample(crossings: int) -> Sample:
    gc.collect()
    return Sample(
        crossings,
        bytes=_resident(),
        objects=len(gc.get_objects()),
        threads=threading.active_count(),
        descriptors=len(list(_entries("/proc/self/fd"))),
    )


def _resident() -> int:
    """Return the resident memory; where there is no /proc, the highest so far."""
    for line in _lines("/proc/self/statm"):
        return int(line.split()[1]) * resource.getpagesize()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text(encoding="ascii").splitlines()
    except OSError:
        return []


def _entries(path: str) -> Iterator[Path]:
    return Path(path).iterdir() if Path(path).is_dir() else iter(())


def _line(sample: Sample) -> str:
    return (
        f"{sample.crossings:>10,} crossings: {sample.bytes / 1e6:7.1f} MB, "
        f"{sample.objects:,} objects, {sample.threads} threads, "
        f"{sample.descriptors} descriptors"
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
