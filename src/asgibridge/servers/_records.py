"""What a server remembers of conversations, messages and instances."""

import asyncio
from collections import deque
from collections.abc import Hashable
from typing import final

import attrs

from ..types import CloseReason, Envelope

__all__ = ("Conversation", "Delivery", "Instance")


@final
@attrs.define(eq=False)
class Delivery:
    """One message between its pull and its settlement."""

    envelope: Envelope
    pulled_at: float  # seconds of the server's clock
    failures: int = 0  # here; those of other processes are in delivery_count
    unnoted: int = 0  # how often the source could not note that it is delivered
    # The application has asked for the next one, or returned: whatever goes
    # wrong from here on, this one is done.
    handled: bool = False

    @property
    def attempts(self) -> int:
        """How often it was delivered, this time included."""
        return self.envelope.delivery_count + self.failures


@final
@attrs.define(eq=False)
class Instance:
    """One running call of the application."""

    conversation: "Conversation"
    envelope: Envelope  # the latest it received, or was started for
    opened_at: float  # seconds of the server's clock
    task: asyncio.Task[None] = attrs.field(init=False)  # set by who makes it
    in_hand: Delivery | None = None
    has_received: bool = False
    is_receiving: bool = False
    waiter: asyncio.Future[None] | None = None  # parked in receive()
    closing: CloseReason | None = None  # was asked to end, and why
    was_told: bool = False  # has received its disconnect event
    was_cancelled: bool = False
    is_deaf: bool = False  # goes on in spite of that
    lease_lost: bool = False  # an operation of its failed for that

    def wake(self) -> None:
        """Let a parked ``receive()`` look again."""
        if self.waiter is not None and not self.waiter.done():
            self.waiter.set_result(None)

    def cancel(self) -> None:
        """Cancel the application's task."""
        self.was_cancelled = True
        self.task.cancel()


@final
@attrs.define(eq=False)
class Conversation:
    """Everything with one scope id: its messages, and its instance if it has one."""

    scope_id: str
    envelope: Envelope  # what the next instance is started for
    term: Hashable
    inbox: deque[Delivery] = attrs.field(factory=deque[Delivery])
    instance: Instance | None = None
    # An instance is wanted even without a message.
    is_wanted: bool = False
    # Runs while a failed message waits for its next delivery.
    pause: asyncio.TimerHandle | None = None
    room: asyncio.Future[None] | None = None  # somebody waits for the inbox
