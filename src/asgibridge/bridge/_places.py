"""Where thread-sensitive code may run: what waits above it, what encloses it."""

from collections.abc import Callable
from contextlib import suppress
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final, Protocol, final

import attrs

from ..errors import ExecutorClosedError
from ..executors import CurrentThreadExecutor
from ..types import BlockingExecutor, LoopRunner, Runnable

if TYPE_CHECKING:
    from ._call import BlockingCall
    from ._threads import ThreadState
    from ._watch import Watch

__all__ = ("ExecutorPlace", "Frame", "Place", "nearest_alive")


class Place(Protocol):
    """One of the places that a piece of code is logically inside of.

    Places are linked outwards.  They live in a context variable, so tasks
    inherit them; a task may outlive them, and then passes them over.
    """

    @property
    def parent(self) -> "Place | None":
        """The place around this one."""
        ...

    @property
    def is_alive(self) -> bool:
        """Whether calls can run here."""
        ...

    @property
    def is_final(self) -> bool:
        """Whether this place, being alive, goes before all those around it."""
        ...

    @property
    def executor(self) -> BlockingExecutor:
        """What runs the calls."""
        ...

    @property
    def thread(self) -> int | None:
        """The thread that calls run on, as far as that is known."""
        ...

    @property
    def current(self) -> Runnable | None:
        """What is running there, and so in the way of others."""
        ...

    @property
    def is_free(self) -> bool:
        """Whether nothing is in the way of the call that was queued last."""
        ...

    @property
    def has_more(self) -> bool:
        """Whether more is to run there next, as far as that is known."""
        ...

    @property
    def post(self) -> "Callable[[BlockingCall[Any]], None]":
        """Runs a call here; `ExecutorClosedError` if the place has just died."""
        ...


@final
class Frame:
    """A thread that waits for async code, further up in the logical call stack."""

    __slots__ = (
        "_below",
        "_state",
        "call",
        "executor",
        "is_alive",
        "parent",
        "post",
        "runner",
        "watch",
    )

    is_final = True

    def __init__(self, state: "ThreadState", parent: Place | None) -> None:
        self.executor: CurrentThreadExecutor = CurrentThreadExecutor(state.inbox)
        self._state = state
        # What the thread is in while it only waits.
        self._below = state.call
        # Whether the wait goes on.
        self.is_alive: bool = True
        self.parent: Place | None = parent
        self.post: Final = self.executor.post
        # The blocking call that this thread is in while it waits.
        self.call: BlockingCall[Any] | None = None
        # What runs the async code, if it has only one thread for all of it.
        self.runner: LoopRunner | None = None
        # What looks after calls of the loop that is there for this wait only.
        self.watch: Watch | None = None

    def __str__(self) -> str:
        return f"thread {self.thread}, which waits for async code"

    @property
    def thread(self) -> int | None:
        return self.executor.thread

    @property
    def current(self) -> "BlockingCall[Any] | None":
        call = self._state.call
        return None if call is self._below else call

    @property
    def is_free(self) -> bool:
        inbox = self._state.inbox
        # A loop that takes turns with calls stands still while they run: there
        # is nothing to look after.  Else one call may be there, the last one.
        return inbox.driver is not None or (
            self._state.call is self._below and len(inbox.queue.items) <= 1
        )

    @property
    def has_more(self) -> bool:
        return self.executor.has_more

    def lend(self, call: "BlockingCall[Any]") -> None:
        """Run *call* here too, if it has not been started elsewhere by then."""
        with suppress(ExecutorClosedError):  # the wait has just ended
            self.post(call)

    def close(self) -> None:
        """End the wait."""
        self.is_alive = False
        self._below = None  # tasks that outlive the wait keep the frame
        self.executor.close()


@final
@attrs.frozen(eq=False)
class ExecutorPlace:
    """An executor: where code runs that is inside of nothing else."""

    executor: BlockingExecutor
    post: Callable[["BlockingCall[Any]"], None]

    def __str__(self) -> str:
        return str(self.executor)

    parent = None
    is_alive = True
    is_final = True

    @property
    def thread(self) -> int | None:
        """Its one thread, if it has only one and tells."""
        thread: int | None = getattr(self.executor, "thread", None)
        return thread

    @property
    def current(self) -> Runnable | None:
        """What its one thread is running, if it tells."""
        current: Runnable | None = getattr(self.executor, "current", None)
        return current

    @property
    def is_free(self) -> bool:
        """Whether its one thread runs nothing, if it tells."""
        return self.current is None

    @property
    def has_more(self) -> bool:
        """Whether more waits for it, if it tells."""
        has_more: bool = getattr(self.executor, "has_more", False)
        return has_more


def nearest_alive(affinity: ContextVar[Place | None]) -> Place | None:
    """Return the innermost place around the current code that is alive.

    The parent of a new place: dead ones are dropped, so that a chain of tasks
    that start one another for ever does not grow.
    """
    place = affinity.get()
    while place is not None and not place.is_alive:
        place = place.parent
    return place
