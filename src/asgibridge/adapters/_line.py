"""The two ends of one request: the loop's task, and the worker thread."""

import asyncio
from collections.abc import Callable, Generator
from contextvars import Context
from typing import Any, final

import attrs

from ..loops import Mailbox
from ._gate import Gate

__all__ = ("Line",)


@final
@attrs.define(eq=False)
class Line:
    """Lets a task and a thread sleep until the other has something for them.

    Each end changes its data first and calls the other second; the other
    announces its sleep first and looks at the data second.  So no call is lost,
    and a call while the other is awake costs one look at a flag.

    The task parks on this object itself, which speaks asyncio's future protocol
    (`_asyncio_future_blocking`, `get_loop`, `add_done_callback`, `result`,
    `cancel`).  So no future is made for each sleep, and the mailbox runs the
    task's next step directly, without one more turn of the loop.

    Args:
        loop: The task's.
        mailbox: That of the loop: many requests share one wake-up.
    """

    loop: asyncio.AbstractEventLoop
    _mailbox: Mailbox
    gone: bool = attrs.field(default=False, init=False)
    """Whether nobody waits for the response any more.  Set by the task only."""
    is_idle: bool = attrs.field(default=False, init=False)
    """Whether the task sleeps, or is about to.  It begins awake."""
    _asyncio_future_blocking: bool = attrs.field(default=False, init=False)
    _wakeup: Callable[[object], object] | None = attrs.field(default=None, init=False)
    _wakeup_context: Context = attrs.field(init=False)
    _cancel_args: tuple[object, ...] | None = attrs.field(default=None, init=False)
    _gate: Gate | None = attrs.field(default=None, init=False)

    # The thread's end.

    def ring(self) -> None:
        """Let the task look at what the thread has for it."""
        if self.is_idle:
            self.is_idle = False
            try:  # not suppress(), which costs as much as the rest
                self._mailbox.post(self)
            except RuntimeError:  # the loop is closed: nobody waits there
                return

    def wait(self, ready: Callable[[], object]) -> None:
        """Sleep until *ready* returns something true, or the client is gone."""
        gate = self._gate
        if gate is None:
            # The task reads it after its change, *ready* is asked after this:
            # one of them sees the other.
            gate = self._gate = Gate()
        gate.wait(lambda: self.gone or ready())

    # The task's end.

    def __await__(self) -> Generator[Any, None, None]:
        """Sleep until the thread rings.

        Set `is_idle` first, and see that there is nothing to do after it.  May
        end without a ring.
        """
        self._asyncio_future_blocking = True
        yield self

    goes_on = False  # as a letter: the thread that posts it waits

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

    @property
    def has_sleeper(self) -> bool:
        """Whether the thread has slept, and may do so again."""
        return self._gate is not None

    def wake(self) -> None:
        """Let the thread look at what the task has for it."""
        if self._gate is not None:
            self._gate.wake()

    def hang_up(self) -> None:
        """Tell the thread to come to an end."""
        self.gone = True
        self.wake()
