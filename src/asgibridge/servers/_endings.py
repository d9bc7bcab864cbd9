"""Which instances are to end, and what becomes of those that do not."""

import asyncio
from collections.abc import Callable
from typing import final

import attrs

from ..types import Clock, CloseReason
from ._deadlines import Deadlines
from ._limits import Limits
from ._records import Instance
from ._reporter import logger

__all__ = ("Endings",)


@final
@attrs.define(eq=False)
class Endings:
    """Asks instances to end, and cancels those that have not after the grace.

    Because their place is needed, because they were idle or took too long, or
    because everything ends.  Not thread-safe: for one event loop.

    Args:
        limits: How long instances may take.
        clock: Tells the time.
        loop: Runs the timers.
        despaired: Called when a place that was counted on does not get free.
    """

    _limits: Limits = attrs.field(alias="limits")
    _clock: Clock = attrs.field(alias="clock")
    _loop: asyncio.AbstractEventLoop = attrs.field(alias="loop")
    _despaired: Callable[[], None] = attrs.field(alias="despaired")
    # Instances that were asked to end, and whose places will be free soon.
    expected: int = attrs.field(default=0, init=False)
    # Those that wait for a message, and may be ended for others.
    idle: Deadlines[Instance] = attrs.field(init=False)
    _busy: Deadlines[Instance] = attrs.field(init=False)
    _asked: Deadlines[Instance] = attrs.field(init=False)
    _cancelled: Deadlines[Instance] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        limits, clock, loop = self._limits, self._clock, self._loop
        self.idle = Deadlines(limits.idle_timeout, self._idled, clock, loop)
        self._busy = Deadlines(limits.message_timeout, self._overran, clock, loop)
        self._asked = Deadlines(limits.close_grace, self._lingered, clock, loop)
        self._cancelled = Deadlines(limits.close_grace, self._is_deaf, clock, loop)

    # What instances do

    def works(self, instance: Instance) -> None:
        """Note that an instance has got a message."""
        if self._limits.message_timeout is not None:
            self._busy.add(instance)

    def has_worked(self, instance: Instance) -> None:
        """Note that an instance is done with its message."""
        if self._limits.message_timeout is not None:
            self._busy.discard(instance)

    def has_ended(self, instance: Instance) -> None:
        """Note that an instance is gone; it is neither idle nor at work by then."""
        if instance.closing is not None:
            self._asked.discard(instance)
            if instance.was_cancelled:
                self._cancelled.discard(instance)
            if not instance.is_deaf:
                self.expected -= 1

    # What is done to them

    def close(self, instance: Instance, reason: CloseReason) -> None:
        """Ask an instance to end; cancel it if it has not after the grace."""
        if instance.closing is None:
            instance.closing = reason
            self.expected += 1
            self._asked.add(instance)
            if instance.waiter is not None:
                self.idle.discard(instance)
                instance.wake()

    def close_oldest(self, wanted: int) -> None:
        """Ask for so many places, of those that were idle longest."""
        while self.expected < wanted and len(self.idle):
            self.close(self.idle.pop_oldest(), "evicted")

    def close_idle(self) -> None:
        """Ask all that are idle to end."""
        for instance in self.idle.drain():
            self.close(instance, "drain")

    def cancel(self, instance: Instance, reason: CloseReason) -> None:
        """End an instance without asking."""
        self.close(instance, reason)
        self._asked.discard(instance)
        if not instance.was_cancelled:
            self._cancelled.add(instance)
            instance.cancel()

    def stop(self) -> None:
        """Ask and cancel nobody any more."""
        for deadlines in (self.idle, self._busy, self._asked, self._cancelled):
            deadlines.close()

    # Deadlines

    def _idled(self, instance: Instance) -> None:
        self.close(instance, "idle")

    def _overran(self, instance: Instance) -> None:
        self.cancel(instance, "timeout")

    def _lingered(self, instance: Instance) -> None:
        self.cancel(instance, instance.closing or "drain")

    def _is_deaf(self, instance: Instance) -> None:
        logger.error(
            "The application instance of %r still runs %.1f s after it was"
            " cancelled, and keeps its place",
            instance.conversation.scope_id,
            self._limits.close_grace,
        )
        # Nobody can count on its place any longer.
        instance.is_deaf = True
        # Libraries lose cancellations; this one may get through.
        instance.cancel()
        self.expected -= 1
        self._despaired()
