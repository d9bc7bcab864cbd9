"""Portals that threads enter and leave in any order.

Hypothesis says which of three threads does what next.  Beside the portal runs a
model of it: a number of those who are inside, and the loop there is.
"""

import asyncio
import enum
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import TypeVar

import attrs
import pytest
from hypothesis import event as note, given, settings, strategies as st

from asgibridge.bridge import Bridge, Portal, PortalTask
from asgibridge.errors import NotEnteredError

T = TypeVar("T")
THREADS = 3


class Act(enum.Enum):
    """What a thread does with the portal."""

    ENTER = "enter"
    LEAVE = "leave"
    CALL = "call"
    START = "start"
    CANCEL = "cancel"


STEPS = st.lists(
    st.tuples(st.integers(0, THREADS - 1), st.sampled_from(Act)), max_size=25
)


async def get_loop() -> asyncio.AbstractEventLoop:
    """Return the loop, when what was asked of it before has been done."""
    for _ in range(3):
        await asyncio.sleep(0)
    return asyncio.get_running_loop()


@attrs.define(eq=False)
class Model:
    """A portal, and what it should be like."""

    portal: Portal
    inside: int = 0
    loop: asyncio.AbstractEventLoop | None = None
    gone: list[asyncio.AbstractEventLoop] = attrs.field(factory=list)
    tasks: list[PortalTask[None]] = attrs.field(factory=list)
    begun: int = 0
    ended: int = 0

    def enter(self) -> None:
        """Enter: nothing is started for that."""
        assert self.portal.__enter__() is self.portal
        self.inside += 1

    def leave(self) -> None:
        """Leave: the last one ends the loop, and all that runs there."""
        if not self.inside:
            with pytest.raises(NotEnteredError):
                self.portal.__exit__(None, None, None)
            return
        self.portal.__exit__(None, None, None)
        self.inside -= 1
        if self.inside or self.loop is None:
            return
        assert self.loop.is_closed()
        assert self.ended == self.begun
        for task in self.tasks:
            with pytest.raises(asyncio.CancelledError):
                task.result()
        self.gone.append(self.loop)
        self.loop = None
        self.tasks.clear()

    def call(self) -> None:
        """Call: always on the same loop, which is there from the first use on."""
        if not self.inside:
            with pytest.raises(NotEnteredError):
                self.portal.call(get_loop)
            return
        loop = self.portal.call(get_loop)
        assert loop is (self.loop or loop)
        assert loop not in self.gone
        assert loop.is_running()
        self.loop = loop

    def start(self) -> None:
        """Start a task that does not end by itself."""

        async def stay() -> None:
            self.begun += 1
            try:
                await asyncio.Event().wait()
            finally:
                self.ended += 1

        if not self.inside:
            with pytest.raises(NotEnteredError):
                self.portal.start_task(stay)
            return
        self.tasks.append(self.portal.start_task(stay))
        self.call()  # it runs by then

    def cancel(self) -> None:
        """Cancel the oldest task from outside."""
        if self.tasks:
            task = self.tasks.pop(0)
            assert task.cancel()
            assert task.done()
            with pytest.raises(asyncio.CancelledError):
                task.result()
            self.call()
            assert self.begun - self.ended == len(self.tasks)


@settings(max_examples=60, deadline=None)
@given(STEPS)
def test_threads_that_come_and_go(steps: list[tuple[int, Act]]) -> None:
    """There is one loop while somebody is inside, and none when nobody is."""
    with ExitStack() as stack:
        threads = [stack.enter_context(ThreadPoolExecutor(1)) for _ in range(THREADS)]
        model = Model(stack.enter_context(Bridge()).portal())

        def run(thread: int, fn: Callable[[], T]) -> T:
            return threads[thread].submit(fn).result(timeout=60)

        for thread, act in steps:
            note(act.value)
            run(thread, getattr(model, act.value))
        while model.inside:
            run(0, model.leave)
        run(1, model.call)  # refused, as nobody is inside
        assert model.loop is None
        assert all(loop.is_closed() for loop in model.gone)
