"""What the suites stage their situations with."""

import threading
from collections.abc import Callable, Generator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any, Final, NoReturn, final

import attrs
import pytest

from ...types import BlockingExecutor

__all__ = (
    "SAFETY_NET",
    "Blocker",
    "DropWatch",
    "call_close",
    "expect_no_new_threads",
    "fixture_missing",
)

SAFETY_NET: Final = 60.0
"""Seconds that nothing in a passing suite waits for, on however busy a machine."""


def fixture_missing(suite: type[object], name: str) -> NoReturn:
    """Fail with what the subclass of a suite has to provide."""
    msg = f"{suite.__name__} needs a method or fixture {name!r}: see its docstring"
    raise pytest.UsageError(msg)


@final
@attrs.define(eq=False)
class Blocker:
    """Occupies every worker of an executor until it is released."""

    _release: threading.Event = attrs.field(factory=threading.Event, init=False)
    _entered: threading.Semaphore = attrs.field(
        factory=lambda: threading.Semaphore(0), init=False
    )

    @contextmanager
    def occupying(
        self, executor: BlockingExecutor, workers: int
    ) -> Generator[list[Future[bool]]]:
        """Let *workers* calls run, and block, for as long as the block lasts."""
        futures = [executor.submit(self._block) for _ in range(workers)]
        try:
            for _ in futures:
                assert self._entered.acquire(timeout=SAFETY_NET), (
                    f"the executor does not run {workers} calls at once; "
                    "set `max_workers` of the suite to how many it does"
                )
            yield futures
        finally:
            self._release.set()
        for future in futures:
            assert future.result(SAFETY_NET)

    def _block(self) -> bool:
        self._entered.release()
        return self._release.wait(2 * SAFETY_NET)  # longer than those who watch


@final
class DropWatch:
    """Tells when it is dropped, through an event that outlives it."""

    def __init__(self, dropped: threading.Event) -> None:
        """Remember whom to tell."""
        self._dropped = dropped

    def __del__(self) -> None:
        """Tell."""
        self._dropped.set()


def call_close(resource: object) -> None:
    """Call ``close()``, or the standard library's ``shutdown()``."""
    close: Callable[[], Any] | None = getattr(resource, "close", None)
    if close is None:
        close = getattr(resource, "shutdown", None)
    if close is None:
        pytest.skip(f"{resource!r} has neither close() nor shutdown()")
    close()


@contextmanager
def expect_no_new_threads() -> Generator[None]:
    """Fail if threads started within the block do not end."""
    before = set(threading.enumerate())
    yield
    started = [thread for thread in threading.enumerate() if thread not in before]
    for thread in started:
        thread.join(SAFETY_NET)
    left = [thread.name for thread in started if thread.is_alive()]
    assert not left, f"these threads did not end after the close: {left}"
