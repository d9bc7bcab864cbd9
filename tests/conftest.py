"""What holds for every test: nothing is left over.

`nothing_left_by_module` looks for threads after each test module, so that a
leak is reported near its cause.  `nothing_left_at_the_end` looks for threads,
event loops, tasks and file descriptors once, after the last test.  Both report
as an error at the teardown of a test.

Nothing here waits in vain: threads that are about to end are joined, and only
one that has not ended by `PATIENCE_SECONDS` counts as left over.
"""

import asyncio
import gc
import importlib.util
import signal
import sys
import threading
import time
from collections.abc import Generator, Iterable
from pathlib import Path
from typing import Final

import pytest

# As everywhere in the tests: a machine may stand still for a while.
PATIENCE_SECONDS: Final = 60.0
_DESCRIPTORS: Final = Path("/proc/self/fd")


def pytest_configure() -> None:
    """Heed Ctrl-C, and have what tests start heed it, whoever started the tests.

    A shell lets what it starts in the background ignore it, and that is inherited.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def describe_leaks(kind: str, leaks: Iterable[object]) -> list[str]:
    """Return a line for each of *leaks*."""
    return [f"{kind} left over: {leak!r}" for leak in leaks]


def threads_kept_for_good() -> set[threading.Thread]:
    """Return the thread that asgiref, where tests compare with it, never ends."""
    executor = getattr(
        getattr(sys.modules.get("asgiref.sync"), "SyncToAsync", None),
        "single_thread_executor",
        None,
    )
    return set(getattr(executor, "_threads", ()))


def leftover_threads(before: set[threading.Thread]) -> list[threading.Thread]:
    """Return the threads that were not there before and do not end by themselves."""
    before = before | threads_kept_for_good()
    if not set(threading.enumerate()) - before:
        return []
    # What is only referenced by a cycle gives up its threads when collected.
    gc.collect()
    deadline = time.monotonic() + PATIENCE_SECONDS
    for thread in set(threading.enumerate()) - before:
        # Not a thread of Python: it has no end that could be waited for.
        if not isinstance(thread, threading._DummyThread):
            thread.join(max(0.0, deadline - time.monotonic()))
    return [thread for thread in threading.enumerate() if thread not in before]


def open_loops_and_tasks() -> tuple[
    list[asyncio.AbstractEventLoop], list[asyncio.Task[object]]
]:
    """Return every event loop that is not closed and every task not done.

    They are looked for among all objects, because a loop that nobody runs and
    its tasks are in no list of asyncio's.  By type, not with isinstance():
    that would ask proxies, such as Flask's, for the class of their target.
    """
    loops: list[asyncio.AbstractEventLoop] = []
    tasks: list[asyncio.Task[object]] = []
    for candidate in gc.get_objects():
        kind = type(candidate)
        if issubclass(kind, asyncio.AbstractEventLoop) and not candidate.is_closed():
            loops.append(candidate)
        elif issubclass(kind, asyncio.Task) and not candidate.done():
            tasks.append(candidate)
    return loops, tasks


def open_descriptors() -> dict[str, str]:
    """Return number and target of each open file; nothing where there is no /proc.

    Without the files of installed packages: matplotlib, for one, keeps its fonts
    open.
    """
    if not _DESCRIPTORS.is_dir():
        return {}
    found: dict[str, str] = {}
    for entry in list(_DESCRIPTORS.iterdir()):
        try:
            target = str(entry.readlink())
        except FileNotFoundError:
            continue  # the descriptor that listed the folder
        if "/site-packages/" not in target:
            found[entry.name] = target
    return found


def open_what_stays_open() -> None:
    """Let libraries open, before anything is counted, what they keep for good."""
    # libuv has one pipe per process for signals, from its first loop on.
    if importlib.util.find_spec("uvloop") is not None:
        importlib.import_module("uvloop").new_event_loop().close()


@pytest.fixture(scope="session", autouse=True)
def nothing_left_at_the_end() -> Generator[None]:
    """Fail the last test if the whole run left anything behind."""
    open_what_stays_open()
    threads = set(threading.enumerate())
    descriptors = open_descriptors()
    yield
    leaks = describe_leaks("thread", leftover_threads(threads))
    # Twice: what is given back by something that is collected may be collected
    # itself only then.
    gc.collect()
    gc.collect()
    loops, tasks = open_loops_and_tasks()
    leaks += describe_leaks("event loop", loops) + describe_leaks("task", tasks)
    leaks += describe_leaks(
        "file descriptor",
        (
            f"{number} -> {target}"
            for number, target in open_descriptors().items()
            if number not in descriptors
        ),
    )
    assert not leaks, "\n".join(leaks)


@pytest.fixture(scope="module", autouse=True)
def nothing_left_by_module() -> Generator[None]:
    """Fail the last test of a module that left threads behind."""
    threads = set(threading.enumerate())
    yield
    leaks = describe_leaks("thread", leftover_threads(threads))
    assert not leaks, "\n".join(leaks)
