"""Loops that are used again where no call can tell, and retired elsewhere."""

import asyncio
import sys
import weakref
from asyncio import AbstractEventLoop
from collections.abc import Callable
from contextvars import Context
from typing import Protocol, TypeVar, TypeVarTuple, final

from typing_extensions import override

from ._internals import (
    disown,
    drop_cancelled_timers,
    has_work,
    is_configured,
    is_known,
    references,
    stands_still,
    watched,
)

__all__ = ("Driver", "LoopCache", "RecyclableLoop", "end_tasks", "retire")

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


def retire(loop: AbstractEventLoop) -> None:
    """End a loop as `asyncio.run` does: tasks, generators, executor, close."""
    # A call that was interrupted may have left a callback that stops the loop.
    loop.call_soon(loop.stop)
    loop.run_forever()
    try:
        if asyncio.all_tasks(loop):
            loop.run_until_complete(end_tasks())
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.run_until_complete(loop.shutdown_default_executor())
    finally:
        loop.close()


async def end_tasks() -> None:
    """Cancel all other tasks of the running loop, and wait until they have ended."""
    loop = asyncio.get_running_loop()
    this = asyncio.current_task()
    tasks = [task for task in asyncio.all_tasks() if task is not this]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    for task in tasks:
        if not task.cancelled() and (exception := task.exception()) is not None:
            loop.call_exception_handler(
                {
                    "message": "unhandled exception while a loop was retired",
                    "exception": exception,
                    "task": task,
                }
            )


class Driver(Protocol):
    """Runs a loop in turns with blocking code, on one thread."""

    def call_soon(self, function: Callable[[], None], /) -> bool:
        """Schedule *function*, if the loop stands still on the current thread.

        False means that the loop is running, or is made to run: wake it.
        """
        ...

    def knock(self) -> None:
        """Have the loop run if it stands still: something waits for it."""
        ...


class Closer(Protocol):
    """Something of a loop that is of no use without it."""

    def close_before(self, loop: AbstractEventLoop, /) -> None:
        """End, on the thread that is about to close *loop*."""
        ...


class RecyclableLoop(asyncio.SelectorEventLoop):
    """A loop that can tell whether anything of a call is left in it.

    Tasks, futures, handles, transports and asynchronous generators hold their
    loop; locks and caches keyed by loop hold it or refer to it weakly.  So a
    loop that nobody refers to more than before, and that has nothing scheduled,
    watched or configured, looks to the next call like a new one.
    """

    # How the idle loop was before its first call; see _look.
    _noted: tuple[int, int, int, int, bool, float] | None = None
    # Whoever runs this loop in turns with other code of the same thread.
    driver: "Driver | None" = None

    def __init__(self) -> None:
        # What ends with the loop.  An idle one is closed without being run again,
        # which needs a thread without a loop: no generator of it is shut down.
        self.closers: weakref.WeakSet[Closer] = weakref.WeakSet()
        super().__init__()
        self.is_known: bool = is_known(self)

    def note(self) -> None:
        """Remember how the idle loop was before its first call."""
        if self._noted is None and self.is_known:
            # First the attributes, so that they count both times.
            self.driver = self.driver
            self._noted = (0, 0, 0, 0, False, 0.0)
            self._noted = self._look()

    def is_clean(self) -> bool:
        """Whether the loop is as it was; asked from the frame that noted it."""
        if self._noted is None:
            return False
        if has_work(self):
            drop_cancelled_timers(self)
            if has_work(self):
                return False
        return not is_configured(self) and self._look() == self._noted

    def is_quiet(self) -> bool:
        """Whether nothing can happen on the loop before somebody calls it."""
        noted = self._noted
        if noted is None:
            return False
        if stands_still(self, noted[1]):
            return True
        drop_cancelled_timers(self)
        return stands_still(self, noted[1])

    def can_be_turned(self) -> bool:
        """Whether the loop can be run by hand.

        Not in debug mode, where it looks at each of its callbacks itself.
        """
        return self.is_known and not self.get_debug()

    def tolerate(self, function: Callable[[AbstractEventLoop], T]) -> T:
        """Do something to the loop that is to stay from call to call."""
        if self._noted is None:
            return function(self)
        before = self._look()
        result = function(self)
        after = self._look()
        noted = self._noted
        self._noted = (
            noted[0] + after[0] - before[0],
            noted[1] + after[1] - before[1],
            noted[2] + after[2] - before[2],
            noted[3] + after[3] - before[3],
            *noted[4:],
        )
        return result

    def _look(self) -> tuple[int, int, int, int, bool, float]:
        strong, weak = references(self)
        return (
            len(vars(self)),
            watched(self),
            strong,
            weak,
            self.get_debug(),
            self.slow_callback_duration,
        )

    @override
    def close(self) -> None:
        """Close the loop, and what has to end before it."""
        while self.closers:
            self.closers.pop().close_before(self)
        super().close()

    @override
    def call_soon_threadsafe(
        self,
        callback: Callable[[*Ts], object],
        *args: *Ts,
        context: Context | None = None,
    ) -> asyncio.Handle:
        """Schedule a callback from any thread."""
        handle = super().call_soon_threadsafe(callback, *args, context=context)
        if self.driver is not None:
            self.driver.knock()
        return handle


def _recycles() -> bool:
    # Without a GIL reference counts are not exact.  On Windows a selector loop
    # is not what asyncio.run would use.
    gil_is_on: Callable[[], bool] | None = getattr(sys, "_is_gil_enabled", None)
    return sys.platform != "win32" and (gil_is_on is None or gil_is_on())


@final
class LoopCache:
    """Hands out loops for one call each, and keeps the clean ones.

    Thread-safe.  Loops of a user's own factory are used once.
    """

    __slots__ = (
        "__weakref__",
        "_factory",
        "_idle",
        "_is_closed",
        "_max_idle",
        "_of_parent",
    )

    def __init__(
        self, factory: Callable[[], AbstractEventLoop] | None, max_idle: int = 8
    ) -> None:
        if factory is None:
            factory = RecyclableLoop if _recycles() else asyncio.new_event_loop
        self._factory = factory
        self._max_idle = max_idle
        self._is_closed = False
        # The last one in is the first one out: it is the warmest.
        self._idle: list[RecyclableLoop] = []
        self._of_parent: list[RecyclableLoop] = []
        # Runners that live as long as the program are rarely closed.
        weakref.finalize(self, _close_all, self._idle)

    def take(self) -> AbstractEventLoop:
        """Return a loop that looks new."""
        try:
            return self._idle.pop()
        except IndexError:
            return self._factory()

    def keep(self, loop: RecyclableLoop) -> bool:
        """Take back a clean loop; False if there are enough, or it is over."""
        if self._is_closed or len(self._idle) >= self._max_idle:
            return False
        self._idle.append(loop)
        return True

    def close(self) -> None:
        """Close the idle loops, and keep none any more."""
        self._is_closed = True
        _close_all(self._idle)

    def forget(self) -> None:
        """Leave the idle loops to the parent process; call it in a forked child.

        They are kept, unused: closing one would unregister descriptors from the
        poller that the child shares with its parent.
        """
        self._is_closed = False
        while self._idle:
            loop = self._idle.pop()
            disown(loop)
            self._of_parent.append(loop)


def _close_all(idle: list[RecyclableLoop]) -> None:
    """Close loops that were clean when they were put there."""
    while idle:
        idle.pop().close()
