"""Threads that start in a copy of their creator's context, as 3.14 can."""

import asyncio
import contextvars
import threading
from collections.abc import Callable
from typing import Any, TypeVar, cast

import pytest

from asgibridge.local import (
    DeclaredLocal,
    Local,
    _declaring,
    _inherited,
    _stores,
    note_thread,
)

T = TypeVar("T")


class InheritingThread(threading.Thread):
    """A thread as Python 3.14 starts it with ``thread_inherit_context``."""

    def __init__(self, target: Callable[[], Any]) -> None:
        super().__init__()
        self._context: contextvars.Context | None = None
        self._call = target
        self.result: Any = None

    def start(self) -> None:
        """Take the creator's context, by a copy."""
        self._context = contextvars.copy_context()
        super().start()

    def run(self) -> None:
        """Run the target in the copy."""
        assert self._context is not None
        self._context.run(self._run)

    def _run(self) -> None:
        try:
            self.result = self._call()
        except BaseException as exc:  # noqa: BLE001  # raised again by `inherit`
            self.result = exc


def inherit(fn: Callable[[], T]) -> T:
    """Run *fn* on an inheriting thread and return its result."""
    thread = InheritingThread(fn)
    thread.start()
    thread.join(timeout=60)
    if isinstance(thread.result, BaseException):
        raise thread.result
    return cast("T", thread.result)


@pytest.fixture(autouse=True)
def _threads_inherit(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (_inherited, _stores, _declaring):
        monkeypatch.setattr(module, "THREADS_INHERIT", True)


class Declared(DeclaredLocal):
    """One declared attribute."""

    x: int


@pytest.fixture(params=[Local, Declared])
def local(request: pytest.FixtureRequest) -> Local:
    """Return an object with an attribute x, guarded against inheritance."""
    return cast("Local", request.param())  # used as one


def test_inherited_value_is_not_visible(local: Local) -> None:
    """A thread sees nothing of its creator's, and what it sets is its own."""
    local.x = 1

    def thread() -> tuple[bool, dict[str, int], int]:
        before = hasattr(local, "x")
        listed = dict(vars(local))
        local.x = 2
        return before, listed, local.x

    assert inherit(thread) == (False, {}, 2)
    assert local.x == 1


def test_inherited_value_cannot_be_deleted(local: Local) -> None:
    """What is not visible is not there to be deleted."""
    local.x = 1

    def thread() -> None:
        with pytest.raises(AttributeError, match="'x'"):
            del local.x

    inherit(thread)
    assert local.x == 1


def test_run_context_is_visible_on_an_inheriting_thread(local: Local) -> None:
    """What a context that is run there holds is visible, inherited as well or not."""
    local.x = 1
    same = contextvars.copy_context()
    local.x = 2
    other = contextvars.copy_context()

    def thread() -> list[object]:
        return [
            same.run(getattr, local, "x"),
            other.run(getattr, local, "x"),
            hasattr(local, "x"),
        ]

    local.x = 1
    assert inherit(thread) == [1, 2, False]


def test_value_set_on_the_thread_is_visible_in_its_tasks(local: Local) -> None:
    """A loop on the thread sees what the thread set, not what it inherited."""
    local.x = 1

    async def look() -> int | None:
        value: int | None = getattr(local, "x", None)
        return value

    def thread() -> list[int | None]:
        before = asyncio.run(look())
        local.x = 2
        return [before, asyncio.run(look())]

    assert inherit(thread) == [None, 2]


def test_value_sent_to_a_loop_is_visible(local: Local) -> None:
    """A task that is sent to the thread brings what was set since it started."""
    loop_ready = threading.Event()
    stop = threading.Event()
    loops: list[asyncio.AbstractEventLoop] = []

    async def main() -> None:
        loops.append(asyncio.get_running_loop())
        loop_ready.set()
        await asyncio.to_thread(stop.wait, 5)

    async def look() -> int:
        value: int = local.x
        return value

    local.x = 1
    thread = InheritingThread(lambda: asyncio.run(main()))
    thread.start()
    assert loop_ready.wait(timeout=60)
    try:
        local.x = 2
        future = asyncio.run_coroutine_threadsafe(look(), loops[0])
        assert future.result(timeout=60) == 2
    finally:
        stop.set()
        thread.join(timeout=60)


def test_thread_that_is_no_thread_object_inherits_nothing(local: Local) -> None:
    """On the main thread and on plain ones everything is visible as before."""
    local.x = 1
    assert local.x == 1
    with local.override(x=2):
        assert local.x == 2
    assert local.x == 1


def test_missing_value_on_a_plain_thread(local: Local) -> None:
    """The guard finds nothing where there is nothing."""
    with pytest.raises(AttributeError, match="'x'"):
        local.x  # noqa: B018  # the read is the test


def test_value_carried_into_a_noted_thread_is_visible(local: Local) -> None:
    """What a call brings back into the thread's own context is not inherited.

    Written as a bridge does it: variable by variable, from a context that ran
    elsewhere, after `note_thread`.
    """

    def thread() -> int:
        note_thread()
        elsewhere = contextvars.copy_context()
        elsewhere.run(setattr, local, "x", 2)
        for variable, value in elsewhere.items():
            if variable.get(None) is not value:
                variable.set(value)
        found: int = local.x
        return found

    local.x = 1
    assert inherit(thread) == 2


def test_init_runs_instead_of_inheriting() -> None:
    """A subclass is set up anew on a thread that inherited its values."""

    class Session(Local):
        def __init__(self) -> None:
            self.calls = [1]

    session = Session()
    session.calls.append(2)
    assert inherit(lambda: session.calls) == [1]
