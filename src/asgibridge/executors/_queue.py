"""Work for one thread."""

from asyncio import current_task
from collections import deque
from queue import Empty
from typing import Generic, TypeVar

from ..loops import Bell, has_more_ready, open_bell

__all__ = ("WorkQueue",)

T = TypeVar("T")


class WorkQueue(Generic[T]):
    """A queue that one thread takes from, and any may put into.

    What `queue.SimpleQueue` does, with fewer switches between threads: see
    `Bell`.  Descriptors are opened when the thread has to wait first, and given
    back with the object.

    Args:
        comes_alone: Whether an item is mostly the only one for some time, even
            if whoever puts it has more to do: for others, then.
    """

    __slots__ = (
        "__weakref__",
        "_bell",
        "_comes_alone",
        "_is_asleep",
        "_ringer",
        "items",
    )

    def __init__(self, *, comes_alone: bool = False) -> None:
        self._comes_alone = comes_alone
        # Which task rang last while its loop had more to do.
        self._ringer = 0
        # What waits.  The thread that takes may do so here, unless it is empty by
        # then: items are withdrawn as well.
        self.items: deque[T] = deque()
        self._bell: Bell | None = None
        # Whether the thread waits, or is about to.
        self._is_asleep = False

    def put(self, item: T) -> None:
        """Add *item*; from any thread, never waiting."""
        # First the item, then the look; get() does it the other way round, so
        # that one of the two always sees the other.
        self.items.append(item)
        if self._is_asleep:
            self._is_asleep = False
            bell = self._bell
            if bell is not None:
                bell.ring(goes_on=self._goes_on())

    def _goes_on(self) -> bool:
        """Whether more items may come before the thread has run this one.

        From a loop that has more to do, but not if they come from one task: that
        awaits each before the next.
        """
        if self._comes_alone or not has_more_ready():
            return False
        last, self._ringer = self._ringer, id(current_task())
        return last not in (0, self._ringer)

    def empty(self) -> bool:
        """Whether there is nothing at the moment."""
        return not self.items

    def withdraw(self, item: T) -> bool:
        """Take *item* out again; False if the thread has taken it."""
        try:
            self.items.remove(item)  # atomic, with a GIL and without
        except ValueError:
            return False
        return True

    def get_nowait(self) -> T:
        """Take the first item; `queue.Empty` if there is none."""
        try:
            return self.items.popleft()
        except IndexError:
            raise Empty from None

    def get(self, timeout: float | None = None) -> T:
        """Take the first item, waiting for one; for one thread at a time.

        Raises:
            Empty: If none came within *timeout* seconds.
        """
        items = self.items
        while True:
            if items:
                self._is_asleep = False
                try:
                    return items.popleft()
                except IndexError:  # somebody else has emptied it just now
                    continue
            self._is_asleep = True
            bell = self._bell
            if bell is None:
                bell = self._bell = open_bell()
            if not items and not bell.wait(timeout) and not items:
                self._is_asleep = False
                raise Empty

    def let_go(self) -> None:
        """Give back what the system holds; from any thread, at any time.

        The next wait takes it again.
        """
        bell, self._bell = self._bell, None
        if bell is not None:
            # Whoever waits on it, or is about to, looks again; so does one whose
            # item came when there was no bell.
            bell.ring()
