"""Waking one thread that waits, through a descriptor or a lock."""

import gc
import os
import sys
import threading
from collections.abc import Callable

import pytest

from asgibridge.loops import LockBell, _bells, _eventfd, open_bell
from asgibridge.loops._bells import Bell, EventFdBell
from asgibridge.loops._eventfd import HAS_EVENTFD, open_eventfd, signal_and_go_on
from tests.staging import PATIENCE, in_thread

needs_eventfd = pytest.mark.skipif(not HAS_EVENTFD, reason="a feature of Linux")


@pytest.fixture(params=[pytest.param(EventFdBell, marks=needs_eventfd), LockBell])
def bell(request: pytest.FixtureRequest) -> Bell:
    """Every kind of bell."""
    make: Callable[[], Bell] = request.param
    return make()


@pytest.mark.parametrize("goes_on", [False, True])
def test_a_ring_ends_the_wait(bell: Bell, goes_on: bool) -> None:  # noqa: FBT001  # a parameter of the test
    """Of a thread that waits, and of one that waits later."""
    waiting = threading.Event()
    ended: list[bool] = []

    def wait() -> None:
        for _ in range(2):
            waiting.set()
            ended.append(bell.wait(PATIENCE))

    thread = threading.Thread(target=wait)
    thread.start()
    assert waiting.wait(PATIENCE)
    bell.ring(goes_on=goes_on)
    while len(ended) < 1:
        pass
    bell.ring(goes_on=goes_on)
    thread.join(PATIENCE)
    assert ended == [True, True]
    bell.ring(goes_on=goes_on)
    assert bell.wait(None)


def test_rings_are_not_counted(bell: Bell) -> None:
    """Two before a wait are one, and the next wait takes its time."""
    bell.ring()
    bell.ring(goes_on=True)
    assert bell.wait(PATIENCE)
    assert not bell.wait(0.001)


@needs_eventfd
def test_descriptors_go_with_the_object() -> None:
    """Both of them."""
    gc.collect()  # of whatever was before
    before = set(os.listdir("/proc/self/fd"))
    bell = EventFdBell()
    assert len(set(os.listdir("/proc/self/fd")) - before) == 2
    del bell
    gc.collect()
    assert set(os.listdir("/proc/self/fd")) == before


@needs_eventfd
def test_no_descriptors_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """Then a lock does it, which needs none."""

    def fail() -> int:
        raise OSError(24, "Too many open files")

    assert type(open_bell()) is EventFdBell
    monkeypatch.setattr(_bells, "open_eventfd", fail)
    assert type(open_bell()) is LockBell
    with pytest.raises(OSError, match="Too many"):
        EventFdBell()


def test_other_systems(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without eventfd it is a lock."""
    monkeypatch.setattr(_bells, "HAS_EVENTFD", False)
    assert type(open_bell()) is LockBell


@needs_eventfd
def test_signals_are_the_same_for_the_waiting() -> None:
    """Whether the GIL is held or not."""
    fd = open_eventfd()
    try:
        signal_and_go_on(fd)
        assert os.eventfd_read(fd) == 1
        in_thread(lambda: _eventfd.signal(fd))
        assert os.eventfd_read(fd) == 1
    finally:
        os.close(fd)


def test_an_interpreter_without_ctypes(monkeypatch: pytest.MonkeyPatch) -> None:
    """There the GIL is always released."""
    monkeypatch.setitem(sys.modules, "ctypes", None)
    assert _eventfd._with_gil() is _eventfd.signal
