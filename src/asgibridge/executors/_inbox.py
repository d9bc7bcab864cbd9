"""What a waiting thread is asked to do."""

from asyncio import AbstractEventLoop
from threading import get_ident
from typing import Protocol, final

from ..types import Outcome, Runnable
from ._queue import WorkQueue

__all__ = ("Inbox", "LoopDriver")


class LoopDriver(Protocol):
    """Runs an event loop on a waiting thread, in turns with its work."""

    @property
    def loop(self) -> AbstractEventLoop:
        """The loop that is driven."""
        ...

    def ring(self) -> None:
        """Look into the inbox soon; from any thread."""
        ...

    def drive(self, outcome: Outcome, /) -> None:
        """Run the loop and the work of the inbox until *outcome* is done."""
        ...


@final
class Inbox:
    """The work of one thread, for all its waits, nested in one another."""

    __slots__ = ("__weakref__", "driver", "queue", "thread")

    def __init__(self) -> None:
        # Its identifier: that of the current one.
        self.thread: int = get_ident()
        self.queue: WorkQueue[Runnable] = WorkQueue()
        # Whoever runs a loop on this thread at the moment.
        self.driver: LoopDriver | None = None

    def put(self, work: Runnable) -> None:
        """Ask for *work*; from any thread."""
        self.queue.put(work)
        if self.driver is not None:
            self.driver.ring()
