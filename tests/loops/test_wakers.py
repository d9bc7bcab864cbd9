"""Making a loop call a function, from other threads."""

import asyncio
import gc
import os
import weakref
from collections.abc import Callable

import pytest

from asgibridge.loops import RecyclableLoop
from asgibridge.loops._eventfd import HAS_EVENTFD
from asgibridge.loops._wakers import (
    DrivenWaker,
    EventFdWaker,
    ThreadsafeWaker,
)
from tests.staging import in_thread, run, settled

needs_eventfd = pytest.mark.skipif(not HAS_EVENTFD, reason="a feature of Linux")


def nothing() -> None:
    """Do nothing."""


def is_open(fd: int) -> bool:
    """Whether the descriptor belongs to something."""
    try:
        os.fstat(fd)
    except OSError:
        return False
    return True


def test_threadsafe_waker_calls() -> None:
    """The function is called on the loop, soon after each waking."""

    async def main() -> None:
        called = asyncio.Event()
        waker = ThreadsafeWaker(weakref.ref(asyncio.get_running_loop()), called.set)
        await asyncio.to_thread(waker.wake)
        await called.wait()
        waker.close()

    run(main)


def test_threadsafe_waker_of_a_loop_that_is_gone() -> None:
    """A loop that was collected was closed before."""
    loop = asyncio.new_event_loop()
    waker = ThreadsafeWaker(weakref.ref(loop), nothing)
    loop.close()
    with pytest.raises(RuntimeError, match="Event loop is closed"):
        waker.wake()
    del loop
    gc.collect()
    with pytest.raises(RuntimeError, match="Event loop is closed"):
        waker.wake()


@needs_eventfd
def test_eventfd_waker_calls_each_time() -> None:
    """Each waking calls the function; several before it is read call it once."""

    async def main() -> None:
        calls = asyncio.Queue[None]()
        waker = EventFdWaker.on_running_loop(
            asyncio.get_running_loop(), lambda: calls.put_nowait(None)
        )
        in_thread(waker.wake)
        in_thread(waker.wake)
        await calls.get()
        await settled()
        assert calls.empty()
        in_thread(waker.wake)
        await calls.get()

    run(main)


@needs_eventfd
def test_the_end_of_the_loop_closes_the_descriptor() -> None:
    """asyncio.run's end is enough, and does not need the waker to be known."""

    async def main() -> int:
        loop = asyncio.get_running_loop()
        waker = EventFdWaker.on_running_loop(loop, nothing)
        assert is_open(waker._fd)
        return waker._fd

    fd = run(main)
    assert not is_open(fd)


@needs_eventfd
@pytest.mark.parametrize("was_closed", [False, True])
def test_an_idle_loop_that_is_closed_closes_the_descriptor(*, was_closed: bool) -> None:
    """Though it does not run any more; the waker's own end may have come before."""
    loop = RecyclableLoop()

    async def main() -> EventFdWaker:
        waker = EventFdWaker.on_running_loop(loop, nothing)
        if was_closed:
            waker.close()
            await settled()
        return waker

    waker = loop.run_until_complete(main())
    assert is_open(waker._fd) is not was_closed
    loop.close()
    assert not is_open(waker._fd)
    with pytest.raises(RuntimeError, match="Event loop is closed"):
        waker.wake()


@needs_eventfd
@pytest.mark.parametrize("close", [lambda f: f(), in_thread])
def test_close_takes_the_descriptor_out_of_the_loop(
    close: Callable[[Callable[[], None]], None],
) -> None:
    """From any thread; the waker then uses the public way."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        called: list[int] = []
        waker = EventFdWaker.on_running_loop(loop, lambda: called.append(1))
        fd = waker._fd
        close(waker.close)
        await settled()
        assert called, "what may have been announced is looked at"
        assert not loop.remove_reader(fd)
        close(waker.close)
        await settled()
        called.clear()
        in_thread(waker.wake)
        await settled()
        assert called == [1]

    run(main)


@needs_eventfd
def test_close_after_the_loop() -> None:
    """A loop that was closed without its generators leaves a descriptor to close."""
    loop = asyncio.new_event_loop()

    async def main() -> EventFdWaker:
        return EventFdWaker.on_running_loop(loop, nothing)

    waker = loop.run_until_complete(main())
    fd = waker._fd
    loop.close()
    assert is_open(fd)
    waker.close()
    assert not is_open(fd)
    waker.close()
    with pytest.raises(RuntimeError, match="Event loop is closed"):
        waker.wake()


@needs_eventfd
def test_close_after_the_loop_was_collected() -> None:
    """The same when nothing of the loop is left."""
    loop = asyncio.new_event_loop()

    async def main() -> EventFdWaker:
        return EventFdWaker.on_running_loop(asyncio.get_running_loop(), nothing)

    waker = loop.run_until_complete(main())
    fd = waker._fd
    loop.close()
    reference = weakref.ref(loop)
    del loop
    gc.collect()
    assert reference() is None
    waker.close()
    assert not is_open(fd)


@needs_eventfd
def test_a_forgotten_waker_does_not_trouble_the_loop() -> None:
    """The generator that waits for the shutdown has no finalizer of the loop's."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        waker = EventFdWaker.on_running_loop(loop, nothing)
        waker.close()
        await settled()
        assert waker._keeper is None
        del waker
        gc.collect()
        await settled()
        assert not asyncio.all_tasks() - {asyncio.current_task()}

    run(main)


@needs_eventfd
def test_uvloop_can_be_woken() -> None:
    """Loops of other makers work the same way."""
    uvloop = pytest.importorskip("uvloop")

    async def main() -> int:
        called = asyncio.Event()
        waker = EventFdWaker.on_running_loop(asyncio.get_running_loop(), called.set)
        await asyncio.to_thread(waker.wake)
        await called.wait()
        return waker._fd

    assert run(main, uvloop.new_event_loop) >= 0


class Driver:
    """Runs a loop in turns, or says that it does not."""

    def __init__(self, is_here: bool) -> None:  # noqa: FBT001  # a fake
        self.is_here = is_here
        self.scheduled: list[Callable[[], None]] = []
        self.knocks = 0

    def call_soon(self, function: Callable[[], None]) -> bool:
        """Write it down."""
        if self.is_here:
            self.scheduled.append(function)
        return self.is_here

    def knock(self) -> None:
        """Count."""
        self.knocks += 1


@pytest.mark.parametrize("is_here", [True, False])
def test_a_driven_loop_is_told_directly(is_here: bool) -> None:  # noqa: FBT001  # a parameter
    """If it stands still on the waking thread; otherwise it is woken."""
    loop = RecyclableLoop()
    called: list[int] = []
    plain = ThreadsafeWaker(weakref.ref(loop), lambda: called.append(1))
    waker = DrivenWaker(weakref.ref(loop), nothing, plain)
    driver = Driver(is_here)
    loop.driver = driver
    waker.wake()
    loop.driver = None
    loop.run_until_complete(asyncio.sleep(0))
    assert driver.scheduled == ([nothing] if is_here else [])
    assert called == ([] if is_here else [1])
    assert driver.knocks == (0 if is_here else 1)
    waker.close()
    waker.wake()
    loop.run_until_complete(asyncio.sleep(0))
    assert len(called) == (1 if is_here else 2)
    loop.close()


def test_a_driven_loop_that_is_gone() -> None:
    """The same error as from any other waker."""
    loop = RecyclableLoop()
    plain = ThreadsafeWaker(weakref.ref(loop), nothing)
    waker = DrivenWaker(weakref.ref(loop), nothing, plain)
    loop.close()
    del loop
    gc.collect()
    with pytest.raises(RuntimeError, match="Event loop is closed"):
        waker.wake()
