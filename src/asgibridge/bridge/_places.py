"""Where thread-sensitive code may run: what waits above it, what encloses it."""

from collections.abc import Callable
from contextvars import ContextVar
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Protocol, final

import attrs

from ..executors import CurrentThreadExecutor
from ..types import BlockingExecutor, LoopRunner, Runnable

if TYPE_CHECKING:
    from ._call import BlockingCall

__all__ = ("Frame", "Place", "SharedPlace", "nearest_alive")


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
    def thread(self) -> int | None:
        """The thread that calls run on, as far as that is known."""
        ...

    @property
    def current(self) -> Runnable | None:
        """What is running there, and so in the way of others."""
        ...

    @property
    def post(self) -> "Callable[[BlockingCall[Any]], None]":
        """Runs a call here; `ExecutorClosedError` if the place has just died."""
        ...


@final
class Frame:
    """A thread that waits for async code, further up in the logical call stack."""

    __slots__ = ("executor", "parent", "post", "runner", "thread")

    is_final = True
    current = None  # it waits for work, so nothing is in the way

    def __init__(self, inbox: SimpleQueue[Runnable], parent: Place | None) -> None:
        self.executor = CurrentThreadExecutor(inbox)
        self.parent = parent
        self.post = self.executor.post
        self.thread = self.executor.thread
        # What runs the async code, if it has only one thread for all of it.
        self.runner: LoopRunner | None = None

    @property
    def is_alive(self) -> bool:
        """Whether the wait goes on."""
        return not self.executor.is_closed

    def close(self) -> None:
        """End the wait."""
        self.executor.close()


@final
@attrs.frozen(eq=False)
class SharedPlace:
    """The one shared thread: where code runs that is inside of nothing else."""

    _executor: BlockingExecutor
    post: Callable[["BlockingCall[Any]"], None]

    parent = None
    is_alive = True
    is_final = True

    @property
    def thread(self) -> int | None:
        """The shared thread, if the executor tells."""
        thread: int | None = getattr(self._executor, "thread", None)
        return thread

    @property
    def current(self) -> Runnable | None:
        """What the shared thread is running, if the executor tells."""
        current: Runnable | None = getattr(self._executor, "current", None)
        return current


def nearest_alive(affinity: ContextVar[Place | None]) -> Place | None:
    """Return the innermost place around the current code that is alive.

    The parent of a new place: dead ones are dropped, so that a chain of tasks
    that start one another for ever does not grow.
    """
    place = affinity.get()
    while place is not None and not place.is_alive:
        place = place.parent
    return place
