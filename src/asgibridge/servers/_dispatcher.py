"""Which conversation has an application instance, and which waits for one."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import final

import attrs

from ..types import Clock, CloseReason, Envelope
from ._deadlines import Deadlines
from ._limits import Limits
from ._records import Conversation, Delivery, Instance
from ._reporter import Reporter, logger

__all__ = ("Dispatcher",)


@final
@attrs.define(eq=False)
class Dispatcher:
    """Gives conversations with messages an application instance, within limits.

    It decides and keeps the books; it awaits nothing.  Every operation is O(1)
    in the number of conversations.  Not thread-safe: for one event loop.

    A conversation is here as long as it has a message, an instance or a wish
    for one.  It is in one of these states:

    - no instance, in `_waiting`: wants a place
    - no instance, ``pause`` set: its first message failed and waits
    - an instance that works, or that ends
    - an instance in `_idle`: parked in ``receive()``, nothing in hand or inbox

    Args:
        limits: The limits.
        clock: Tells the time.
        loop: Runs the timers.
        reporter: Told about instances that do not end.
        start: Starts the task of a new instance.
    """

    limits: Limits
    clock: Clock
    loop: asyncio.AbstractEventLoop
    reporter: Reporter
    _start: Callable[[Instance], asyncio.Task[None]] = attrs.field(alias="start")

    _conversations: dict[str, Conversation] = attrs.field(
        factory=dict[str, Conversation], init=False
    )
    _waiting: OrderedDict[Conversation, None] = attrs.field(
        factory=OrderedDict[Conversation, None], init=False
    )
    _idle: Deadlines[Instance] = attrs.field(init=False)
    _busy: Deadlines[Instance] = attrs.field(init=False)
    _ending: Deadlines[Instance] = attrs.field(init=False)
    _deaf: Deadlines[Instance] = attrs.field(init=False)
    running: int = attrs.field(default=0, init=False)  # instances not yet ended
    _closing: int = attrs.field(default=0, init=False)  # those of them asked to end
    is_draining: bool = attrs.field(default=False, init=False)
    gives_back: bool = attrs.field(default=False, init=False)
    is_halted: bool = attrs.field(default=False, init=False)
    # Of instances that were cancelled while they settled, and of the pull.
    leftover: list[Delivery] = attrs.field(factory=list[Delivery], init=False)
    _changed: asyncio.Future[None] | None = attrs.field(default=None, init=False)

    def __attrs_post_init__(self) -> None:
        limits, clock, loop = self.limits, self.clock, self.loop
        self._idle = Deadlines(limits.idle_timeout, self._idled, clock, loop)
        self._busy = Deadlines(limits.message_timeout, self._overran, clock, loop)
        self._ending = Deadlines(limits.close_grace, self._lingered, clock, loop)
        self._deaf = Deadlines(limits.close_grace, self._ignored_cancel, clock, loop)

    # What comes from outside

    def find(self, scope_id: str) -> Conversation | None:
        """Return the conversation, if it is here."""
        return self._conversations.get(scope_id)

    def get(self, envelope: Envelope) -> Conversation:
        """Return the conversation of *envelope*, a new one if it is not here."""
        conversation = self._conversations.get(envelope.scope_id)
        if conversation is None:
            conversation = Conversation(envelope.scope_id, envelope, envelope.term)
            self._conversations[envelope.scope_id] = conversation
        return conversation

    def want(self, envelope: Envelope) -> Conversation:
        """Return the conversation of *envelope*, and see that it has an instance.

        The envelope's event is not delivered.
        """
        conversation = self.get(envelope)
        if conversation.instance is None:
            conversation.is_wanted = True
            self._advance(conversation)
        return conversation

    def offer(self, delivery: Delivery) -> bool:
        """Put a message into its conversation's inbox; return False if that is full."""
        conversation = self.get(delivery.envelope)
        if len(conversation.inbox) >= self.limits.inbox_size:
            return False
        conversation.inbox.append(delivery)
        self._advance(conversation)
        return True

    def supersede(self, envelope: Envelope) -> list[Delivery]:
        """Make room for a message of a new term; return what it makes void."""
        conversation = self._conversations.get(envelope.scope_id)
        if conversation is None or conversation.term == envelope.term:
            return []
        conversation.term = envelope.term
        conversation.envelope = envelope
        self.resume(conversation)
        if conversation.instance is not None:
            self.close(conversation.instance, "revoked")
        return self.empty(conversation)

    # What instances do

    def park(self, instance: Instance) -> asyncio.Future[None]:
        """Note that an instance waits for a message; return what ends the wait."""
        instance.waiter = self.loop.create_future()
        self._idle.add(instance)
        if self.is_draining:
            self.close(instance, "drain")
        else:
            self._make_room()
        return instance.waiter

    def unpark(self, instance: Instance) -> None:
        """Note that an instance waits no longer."""
        instance.waiter = None
        self._idle.discard(instance)

    def take(self, instance: Instance) -> Delivery:
        """Hand the next message of a non-empty inbox to an instance."""
        conversation = instance.conversation
        delivery = conversation.inbox.popleft()
        if conversation.room is not None:
            self.make_known_room(conversation)
        instance.in_hand = delivery
        instance.has_received = True
        instance.envelope = delivery.envelope
        if self.limits.message_timeout is not None:
            self._busy.add(instance)
        return delivery

    def relax(self, instance: Instance) -> None:
        """Note that an instance is done with the message in its hand."""
        if self.limits.message_timeout is not None:
            self._busy.discard(instance)

    def ended(self, instance: Instance) -> None:
        """Note that an instance is gone, and use its place."""
        conversation = instance.conversation
        conversation.instance = None
        self.running -= 1
        # It is not idle, for it does not wait, and not busy: see relax().
        if instance.closing is not None:
            self._ending.discard(instance)
            self._deaf.discard(instance)
            if not instance.is_deaf:
                self._closing -= 1
        self._advance(conversation)
        while self._waiting and self.running < self.limits.max_applications:
            self._open(self._waiting.popitem(last=False)[0])
        self._notify()

    # Ending instances

    def close(self, instance: Instance, reason: CloseReason) -> None:
        """Ask an instance to end; cancel it if it has not after the grace."""
        if instance.closing is None:
            instance.closing = reason
            self._closing += 1
            self._idle.discard(instance)
            self._ending.add(instance)
            instance.wake()

    def cancel(self, instance: Instance, reason: CloseReason) -> None:
        """End an instance without asking."""
        self.close(instance, reason)
        self._ending.discard(instance)
        if not instance.was_cancelled:
            self._deaf.add(instance)
            instance.cancel()

    def postpone(self, conversation: Conversation, seconds: float) -> None:
        """Start no instance for a conversation for some time."""
        conversation.pause = self.loop.call_later(seconds, self._resumed, conversation)

    def resume(self, conversation: Conversation) -> None:
        """Forget that a conversation was postponed."""
        if conversation.pause is not None:
            conversation.pause.cancel()
            conversation.pause = None

    # Shutting down

    def drain(self) -> None:
        """Let inboxes run empty, and end each instance when its own is."""
        self.is_draining = True
        for instance in self._idle.drain():
            self.close(instance, "drain")

    def drop_postponed(self) -> list[Delivery]:
        """Forget the conversations that are postponed; return their messages.

        From here on, a message that fails goes back to the source.
        """
        self.gives_back = True
        left, self.leftover = self.leftover, []
        for conversation in list(self._conversations.values()):
            if conversation.pause is not None:
                self.resume(conversation)
                left += self.empty(conversation)
                del self._conversations[conversation.scope_id]
        return left

    def halt(self) -> None:
        """Deliver nothing more, and end all instances."""
        self.is_draining = self.gives_back = self.is_halted = True
        self._waiting.clear()
        for conversation in list(self._conversations.values()):
            self.resume(conversation)
            self.make_known_room(conversation)
            if conversation.instance is not None:
                self.close(conversation.instance, "drain")
            elif not conversation.inbox:
                del self._conversations[conversation.scope_id]

    def abandon(self) -> list[Delivery]:
        """Forget everything, and return what was not settled."""
        left, self.leftover = self.leftover, []
        for conversation in self._conversations.values():
            instance = conversation.instance
            if instance is not None and instance.in_hand is not None:
                left.append(instance.in_hand)
                instance.in_hand = None
            left += self.empty(conversation)
        self._conversations.clear()
        for deadlines in (self._idle, self._busy, self._ending, self._deaf):
            deadlines.close()
        return left

    def instances(self) -> Iterator[Instance]:
        """Return the instances that have not ended."""
        for conversation in self._conversations.values():
            if conversation.instance is not None:
                yield conversation.instance

    @property
    def is_quiet(self) -> bool:
        """Whether no instance runs, and none will without a new message."""
        return self.running == 0 and not self._conversations

    async def wait_until(self, condition: Callable[[], bool]) -> None:
        """Wait until *condition* holds; looked at when an instance has ended."""
        while not condition():
            if self._changed is None:
                self._changed = self.loop.create_future()
            # Shielded: others wait for it, too.
            await asyncio.shield(self._changed)

    # Inside

    def empty(self, conversation: Conversation) -> list[Delivery]:
        """Take everything out of an inbox, and return it."""
        left = list(conversation.inbox)
        conversation.inbox.clear()
        self.make_known_room(conversation)
        return left

    def make_known_room(self, conversation: Conversation) -> None:
        """Wake who waits for room in an inbox."""
        if conversation.room is not None and not conversation.room.done():
            conversation.room.set_result(None)
        conversation.room = None

    def _advance(self, conversation: Conversation) -> None:
        """Bring a conversation's instance about, as far as possible now."""
        instance = conversation.instance
        if instance is not None:
            self._idle.discard(instance)
            instance.wake()
        elif conversation.pause is not None or conversation in self._waiting:
            return
        elif not (conversation.inbox or conversation.is_wanted):
            # It may be gone: an instance can outlive abandon().
            self._conversations.pop(conversation.scope_id, None)
        elif self.is_halted:
            return  # its messages are about to be given back
        elif self.running < self.limits.max_applications and not self._waiting:
            self._open(conversation)
        else:
            self._waiting[conversation] = None
            self._make_room()

    def _open(self, conversation: Conversation) -> None:
        if conversation.inbox:
            conversation.envelope = conversation.inbox[0].envelope
        instance = Instance(conversation, conversation.envelope, self.clock())
        conversation.instance = instance
        conversation.is_wanted = False
        self.running += 1
        instance.task = self._start(instance)

    def _make_room(self) -> None:
        """End an idle instance for each conversation that waits for a place.

        The one that has been idle longest first.
        """
        while len(self._waiting) > self._closing and len(self._idle):
            self.close(self._idle.pop_oldest(), "evicted")

    def _notify(self) -> None:
        if self._changed is not None:
            self._changed.set_result(None)
            self._changed = None

    # Deadlines

    def _idled(self, instance: Instance) -> None:
        self.close(instance, "idle")

    def _overran(self, instance: Instance) -> None:
        self.cancel(instance, "timeout")

    def _lingered(self, instance: Instance) -> None:
        self.cancel(instance, instance.closing or "drain")

    def _ignored_cancel(self, instance: Instance) -> None:
        scope_id, grace = instance.conversation.scope_id, self.limits.close_grace
        logger.error(
            "The application instance of %r still runs %.1f s after it was"
            " cancelled, and keeps its place",
            scope_id,
            grace,
        )
        # Nobody can count on its place any longer.
        instance.is_deaf = True
        # Libraries lose cancellations; this one may get through.
        instance.cancel()
        self._closing -= 1
        self._make_room()

    def _resumed(self, conversation: Conversation) -> None:
        conversation.pause = None
        self._advance(conversation)
