"""Which conversation has an application instance, and which waits for one."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import final

import attrs

from ..types import Clock, Envelope
from ._endings import Endings
from ._limits import Limits
from ._records import Conversation, Delivery, Instance
from ._reporter import Reporter

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
    - an idle instance: parked in ``receive()``, nothing in hand or inbox

    Args:
        limits: The limits.
        clock: Tells the time.
        loop: Runs the timers.
        reporter: Told about instances.
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
    endings: Endings = attrs.field(init=False)
    running: int = attrs.field(default=0, init=False)  # instances not yet ended
    is_draining: bool = attrs.field(default=False, init=False)
    gives_back: bool = attrs.field(default=False, init=False)
    is_halted: bool = attrs.field(default=False, init=False)
    # Of instances that were cancelled while they settled, and of the pull.
    leftover: list[Delivery] = attrs.field(factory=list[Delivery], init=False)
    _changed: asyncio.Future[None] | None = attrs.field(default=None, init=False)

    def __attrs_post_init__(self) -> None:
        self.endings = Endings(self.limits, self.clock, self.loop, self._make_room)

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

    def want(self, envelope: Envelope) -> None:
        """See that a conversation that has no instance gets one.

        The envelope's event is not delivered.
        """
        conversation = self.get(envelope)
        conversation.is_wanted = True
        self._advance(conversation)

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
            self.endings.close(conversation.instance, "revoked")
        return self.empty(conversation)

    # What instances do

    def park(self, instance: Instance) -> asyncio.Future[None] | None:
        """Note that an instance waits for a message; return what ends the wait.

        None if its place is needed: it is to end then.
        """
        if self.is_draining:
            self.endings.close(instance, "drain")
        elif len(self._waiting) > self.endings.expected:
            # It is the only idle one: others would have ended for it.
            self.endings.close(instance, "evicted")
        else:
            instance.waiter = self.loop.create_future()
            self.endings.idle.add(instance)
        return instance.waiter

    def unpark(self, instance: Instance) -> None:
        """Note that an instance waits no longer."""
        instance.waiter = None
        self.endings.idle.discard(instance)

    def take(self, instance: Instance) -> Delivery:
        """Hand the next message of a non-empty inbox to an instance."""
        conversation = instance.conversation
        delivery = conversation.inbox.popleft()
        if conversation.room is not None:
            self.make_known_room(conversation)
        instance.in_hand = delivery
        instance.has_received = True
        instance.envelope = delivery.envelope
        self.endings.works(instance)
        return delivery

    def ended(self, instance: Instance) -> None:
        """Note that an instance is gone, and use its place."""
        conversation = instance.conversation
        conversation.instance = None
        self.running -= 1
        self.endings.has_ended(instance)
        self._advance(conversation)
        while self._waiting and self.running < self.limits.max_applications:
            self._open(self._waiting.popitem(last=False)[0])
        self._notify()

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
        self.endings.close_idle()

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
                self.endings.close(conversation.instance, "drain")
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
        self.endings.stop()
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
            self.endings.idle.discard(instance)
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
        """Get a place for each conversation that waits for one, if there are any."""
        self.endings.close_oldest(len(self._waiting))

    def _notify(self) -> None:
        if self._changed is not None:
            self._changed.set_result(None)
            self._changed = None

    def _resumed(self, conversation: Conversation) -> None:
        conversation.pause = None
        self._advance(conversation)
