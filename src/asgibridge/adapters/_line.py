"""The two ends of one request: the loop's task, and the worker thread."""

import asyncio
from collections.abc import Callable
from typing import final

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

    Args:
        loop: The task's.
        mailbox: That of the loop: many requests share one wake-up.
    """

    loop: asyncio.AbstractEventLoop
    _mailbox: Mailbox
    gone: bool = attrs.field(default=False, init=False)
    """Whether nobody waits for the response any more.  Set by the task only."""
    # Whether the task sleeps, or is about to.  It begins awake.
    _idle: bool = attrs.field(default=False, init=False)
    _future: asyncio.Future[None] | None = attrs.field(default=None, init=False)
    _gate: Gate | None = attrs.field(default=None, init=False)

    # The thread's end.

    def ring(self) -> None:
        """Let the task look at what the thread has for it."""
        if self._idle:
            self._idle = False
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

    def sleep(self, ready: Callable[[], object]) -> asyncio.Future[None]:
        """Return what to await until the thread rings.

        It is done at once if *ready* returns something true.
        """
        future = self._future = self.loop.create_future()
        self._idle = True
        if ready():
            self._idle = False
            future.set_result(None)
        return future

    def deliver(self) -> None:
        """End the task's sleep; called by the mailbox, on the loop."""
        future = self._future
        if future is not None and not future.done():
            future.set_result(None)

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
