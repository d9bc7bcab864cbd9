"""Loops that are used again where no call can tell, and retired elsewhere."""

import asyncio
import sys
from asyncio import AbstractEventLoop
from collections.abc import Callable
from typing import TypeVar, final

from ._internals import drop_cancelled_timers, fingerprint, references

__all__ = ("LoopCache", "RecyclableLoop", "retire")

T = TypeVar("T")


def retire(loop: AbstractEventLoop) -> None:
    """End a loop as `asyncio.run` does: tasks, generators, executor, close."""
    try:
        _cancel_tasks(loop)
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.run_until_complete(loop.shutdown_default_executor())
    finally:
        loop.close()


def _cancel_tasks(loop: AbstractEventLoop) -> None:
    tasks = asyncio.all_tasks(loop)
    if not tasks:
        return
    for task in tasks:
        task.cancel()
    loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
    for task in tasks:
        if not task.cancelled() and (exception := task.exception()) is not None:
            loop.call_exception_handler(
                {
                    "message": "unhandled exception while a loop was retired",
                    "exception": exception,
                    "task": task,
                }
            )


class RecyclableLoop(asyncio.SelectorEventLoop):
    """A loop that can tell whether anything of a call is left in it.

    Tasks, futures, handles, transports and asynchronous generators hold their
    loop; locks and caches keyed by loop hold it or refer to it weakly.  So a
    loop that nobody refers to more than before, and that has nothing scheduled,
    watched or configured, looks to the next call like a new one.
    """

    _before: tuple[object, ...] | None = None

    def note(self) -> None:
        """Remember how the idle loop is before a call."""
        self._before = ()  # so that the attribute itself counts both times
        self._before = self._look()

    def is_clean(self) -> bool:
        """Whether the loop is as it was; asked from the frame that noted it."""
        drop_cancelled_timers(self)
        return self._before is not None and self._look() == self._before

    def tolerate(self, function: Callable[[AbstractEventLoop], T]) -> T:
        """Do something to the loop that is to stay from call to call."""
        before = self._look()
        result = function(self)
        after = self._look()
        if self._before and before and after:
            self._before = tuple(
                noted + new - old
                if isinstance(noted, int)
                and isinstance(old, int)
                and isinstance(new, int)
                else noted
                for noted, old, new in zip(self._before, before, after, strict=True)
            )
        return result

    def _look(self) -> tuple[object, ...] | None:
        state = fingerprint(self)
        return None if state is None else (*state, *references(self))


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

    __slots__ = ("_factory", "_idle", "_max_idle", "_of_parent")

    def __init__(
        self, factory: Callable[[], AbstractEventLoop] | None, max_idle: int = 8
    ) -> None:
        if factory is None:
            factory = RecyclableLoop if _recycles() else asyncio.new_event_loop
        self._factory = factory
        self._max_idle = max_idle
        # The last one in is the first one out: it is the warmest.
        self._idle: list[RecyclableLoop] = []
        self._of_parent: list[RecyclableLoop] = []

    def take(self) -> AbstractEventLoop:
        """Return a loop that looks new."""
        try:
            return self._idle.pop()
        except IndexError:
            return self._factory()

    def keep(self, loop: RecyclableLoop) -> bool:
        """Take back a clean loop; False if there are enough."""
        if len(self._idle) >= self._max_idle:
            return False
        self._idle.append(loop)
        return True

    def close(self) -> None:
        """Close the idle loops."""
        while self._idle:
            retire(self._idle.pop())

    def forget(self) -> None:
        """Leave the idle loops to the parent process; call it in a forked child.

        They are kept, unused: closing one would unregister descriptors from the
        poller that the child shares with its parent.
        """
        self._of_parent.extend(self._idle)
        self._idle.clear()
