"""What a task sleeps on until a thread has something for it."""

import asyncio
from collections.abc import Callable, Generator
from contextvars import Context
from typing import Any

import attrs

from ..loops import Mailbox

__all__ = ("Bell",)


@attrs.define(eq=False)
class Bell:
    """Wakes one task from another thread.

    The thread changes its data first and rings second; the task announces its
    sleep first and looks at the data second.  So no ring is lost, and one while
    the task is awake costs one look at a flag.

    The task parks on this object itself, which speaks asyncio's future protocol
    (`_asyncio_future_blocking`, `get_loop`, `add_done_callback`, `result`,
    `cancel`).  So no future is made for each sleep, and the mailbox runs the
    task's next step directly, without one more turn of the loop.

    Args:
        loop: The task's.
        mailbox: That of the loop: many tasks share one wake-up.
    """

    loop: asyncio.AbstractEventLoop
    mailbox: Mailbox
    is_idle: bool = attrs.field(default=False, init=False)
    """Whether the task sleeps, or is about to.  It begins awake."""
    goes_on: bool = attrs.field(default=False, init=False)
    """As a letter: whether the thread that rang has more to do."""
    _asyncio_future_blocking: bool = attrs.field(default=False, init=False)
    _wakeup: Callable[[object], object] | None = attrs.field(default=None, init=False)
    _wakeup_context: Context = attrs.field(init=False)
    _cancel_args: tuple[object, ...] | None = attrs.field(default=None, init=False)

    # The thread's end.

    def ring(self, *, goes_on: bool = False) -> None:
        """Let the task look at what the thread has for it.

        Args:
            goes_on: Whether the thread has more to do at once.
        """
        if self.is_idle:
            self.is_idle = False
            self.goes_on = goes_on
            try:  # not suppress(), which costs as much as the rest
                self.mailbox.post(self)
            except RuntimeError:  # the loop is closed: nobody waits there
                return

    # The task's end.

    def __await__(self) -> Generator[Any, None, None]:
        """Sleep until the thread rings.

        Set `is_idle` first, and see that there is nothing to do after it.  May
        end without a ring.
        """
        self._asyncio_future_blocking = True
        yield self

    def deliver(self) -> None:
        """End the task's sleep; called by the mailbox, on the loop."""
        wakeup = self._wakeup
        if wakeup is not None:
            self._wakeup = None
            self._wakeup_context.run(wakeup, self)

    def get_loop(self) -> asyncio.AbstractEventLoop:
        """Return the loop; asked by the task."""
        return self.loop

    def add_done_callback(
        self, wakeup: Callable[[object], object], /, *, context: Context
    ) -> None:
        """Remember how to wake the task; called by it when it parks."""
        self._wakeup_context = context
        self._wakeup = wakeup

    def result(self) -> None:
        """Return nothing, or raise the cancellation; called by the task."""
        args, self._cancel_args = self._cancel_args, None
        if args is not None:
            raise asyncio.CancelledError(*args)

    def cancel(self, msg: object = None) -> bool:
        """Have the task woken to be cancelled; called by its `cancel`."""
        if self._wakeup is None:
            return False  # the task throws the cancellation in by itself
        self._cancel_args = () if msg is None else (msg,)
        self.loop.call_soon(self.deliver)
        return True
