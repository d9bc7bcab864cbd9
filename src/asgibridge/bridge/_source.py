"""The thread's side of an iteration."""

from asyncio import AbstractEventLoop, Future
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import suppress
from time import monotonic
from typing import Any, Final, Generic, TypeVar, cast, final

import attrs

__all__ = ("PATIENCE_SECONDS", "Ended", "Source")

T = TypeVar("T")
R = TypeVar("R")

# How long a thread goes on collecting, and how long the consumer waits for it
# before it takes what is there. About what a hundred crossings cost at most, so
# that a slow source costs one crossing per item and a fast one next to none.
PATIENCE_SECONDS: Final = 1e-3


@final
@attrs.frozen(eq=False)
class Ended:
    """How an iteration ended: with a value, or with an exception."""

    value: Any = None
    exception: BaseException | None = None
    is_return: bool = True


@final
class Source(Generic[T]):
    """Collects the items of an iterable, on its thread, into a buffer.

    One side appends to the buffer, the other takes from it, and neither does
    anything else to it; so there is no lock.
    """

    __slots__ = ("_is_ours", "_iterator", "_make", "_waiting", "buffer", "end")

    def __init__(self, make: Callable[[], Iterable[T]], *, is_ours: bool) -> None:
        """Prepare; nothing is made or iterated yet.

        Args:
            make: Returns the iterable; called on the thread.
            is_ours: Whether the iterable is made for this iteration, and so is
                to be closed with it.
        """
        self._make = make
        self._is_ours = is_ours
        self._iterator: Iterator[T] | None = None
        self._waiting: tuple[AbstractEventLoop, Future[None]] | None = None
        self.buffer: deque[T] = deque()
        # Set on the thread, when the source has nothing more.
        self.end: Ended | None = None

    # -- on the thread --

    def pull(self, limit: int) -> bool:
        """Append up to *limit* items, or set `end`.

        Returns:
            Whether the source was quick enough to be asked for more at once.
        """
        deadline = monotonic() + PATIENCE_SECONDS
        for _ in range(limit):
            if not self._take(self._next) or monotonic() > deadline:
                return False
        return True

    def throw(self, exception: BaseException) -> None:
        """Raise *exception* in the source, and go on with what it yields."""
        generator = self._iterator
        if not isinstance(generator, Generator):
            raise exception
        self._take(lambda: generator.throw(exception))

    def close(self) -> None:
        """Close the source, which `needs_closing`."""
        cast("Any", self._iterator).close()

    def _next(self) -> T:
        if self._iterator is None:
            source = self._make()
            self._iterator = iter(source)
            self._is_ours = self._is_ours or self._iterator is not source
        return next(self._iterator)

    def _take(self, step: Callable[[], T]) -> bool:
        try:
            item = step()
        except StopIteration as stop:
            self.end = Ended(stop.value)
            return False
        except BaseException as exc:  # noqa: BLE001  # the consumer gets it
            traceback = exc.__traceback__
            exc = exc.with_traceback(traceback and traceback.tb_next)
            self.end = Ended(exception=exc, is_return=False)
            del exc, traceback
            return False
        self.buffer.append(item)
        # First the item, then the look: the consumer does it the other way round.
        if (waiting := self._waiting) is not None:
            self._waiting = None
            loop, future = waiting
            with suppress(RuntimeError):  # the loop is closed: nobody waits
                loop.call_soon_threadsafe(_wake, future)
        return True

    # -- on the loop, while the thread does nothing --

    @property
    def needs_closing(self) -> bool:
        """Whether the source is begun, can be closed, and is ours to close."""
        iterator = self._iterator
        if isinstance(iterator, Generator):
            return self.end is None
        return self._is_ours and hasattr(iterator, "close")

    def take_exception(self) -> BaseException | None:
        """Return what the source raised, once, and let go of it."""
        end = self.end
        if end is None or end.exception is None:
            return None
        self.end = Ended(is_return=False)
        return end.exception

    # -- on the loop, at any time --

    def first_item(self, loop: AbstractEventLoop) -> "Future[None]":
        """Return a future that is done when there is an item."""
        future = loop.create_future()
        self._waiting = loop, future
        if self.buffer:
            _wake(future)
        return future


def _wake(future: "Future[None]") -> None:
    if not future.done():
        future.set_result(None)
