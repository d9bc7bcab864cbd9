"""Being told about crossings."""

from collections.abc import Callable
from typing import Any, Literal, Protocol

__all__ = ("Crossing", "Direction", "Observer")

Direction = Literal["sync_to_async", "async_to_sync"]
"""Which wrapper made the crossing."""


class Crossing(Protocol):
    """One call on its way from sync to async or back, as observers see it.

    The same object is handed to every method of every observer, so it can be a
    key.  Times are seconds of the monotonic clock (`time.monotonic`); those of
    steps not reached yet are None.  Threads are `threading.get_ident` numbers,
    loops are `id(loop)`.
    """

    @property
    def direction(self) -> Direction:
        """``sync_to_async`` runs a blocking function, ``async_to_sync`` a coroutine."""
        ...

    @property
    def function(self) -> Callable[..., Any]:
        """The user's function."""
        ...

    @property
    def parent(self) -> "Crossing | None":
        """The crossing within which this one was made."""
        ...

    @property
    def caller_thread(self) -> int:
        """The thread that made the call."""
        ...

    @property
    def caller_loop(self) -> int | None:
        """The loop that made the call; None for blocking callers."""
        ...

    @property
    def thread(self) -> int | None:
        """The thread the function ran on, once started."""
        ...

    @property
    def loop(self) -> int | None:
        """The loop a coroutine ran on, once started; None for blocking functions."""
        ...

    @property
    def queued_at(self) -> float:
        """When the call was made, in seconds."""
        ...

    @property
    def started_at(self) -> float | None:
        """When the function was entered, in seconds."""
        ...

    @property
    def finished_at(self) -> float | None:
        """When the function returned or raised, in seconds."""
        ...

    @property
    def result(self) -> object:
        """What the function returned; only while `Observer.finished` runs."""
        ...

    @property
    def exception(self) -> BaseException | None:
        """What the function raised; only while `Observer.finished` runs."""
        ...


class Observer(Protocol):
    """Is told about crossings, and is never in their way.

    Methods are called on the thread where the step happens, while the call
    waits for them, so they must be quick, thread-safe and not cross.  What they
    raise is logged and has no further effect.
    """

    def queued(self, crossing: Crossing, /) -> None:
        """The call was made; the caller's thread or loop runs this."""
        ...

    def started(self, crossing: Crossing, /) -> None:
        """The function is about to be entered, on its own thread."""
        ...

    def finished(self, crossing: Crossing, /) -> None:
        """The function has returned or raised, on its own thread."""
        ...

    def stuck(self, crossing: Crossing, seconds: float, behind: str, /) -> None:
        """The call still waits to be started.

        Args:
            crossing: The waiting call.
            seconds: How long it has waited.
            behind: What is in the way: function, thread and how long it runs.
        """
        ...
