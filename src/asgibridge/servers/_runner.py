"""Running one application instance: its scope, receive and send, and its end."""

import asyncio
import contextvars
import functools
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, final

import attrs

from ..errors import (
    LeaseLostError,
    MessageIgnoredError,
    MessageTimeoutError,
    ReceiveError,
)
from ..types import (
    ASGIApp,
    CloseReason,
    Envelope,
    MessageEvent,
    MessageScope,
    Settlement,
)
from ._dispatcher import Dispatcher
from ._ledger import Ledger
from ._records import Delivery, Instance

__all__ = ("InstanceRunner", "disconnect_event")


def disconnect_event(scope: Mapping[str, Any], reason: CloseReason, /) -> MessageEvent:
    """Return the event that tells an application instance to end.

    Its type is that of the scope with ``.disconnect`` behind it, as in ASGI's
    own protocols.
    """
    return {"type": f"{scope['type']}.disconnect", "reason": reason}


@final
@attrs.define(eq=False)
class InstanceRunner:
    """Runs application instances for a `Dispatcher`.

    Args:
        application: Called once for each instance.
        send: Takes what instances send.
        make_scope: Makes the scope of an instance.
        disconnect: Makes the event that tells an instance to end.
        failed: Told when an instance raised, before its message is settled.
    """

    application: ASGIApp
    send: Callable[[Envelope, MessageEvent], Awaitable[None]]
    make_scope: Callable[[Envelope], MessageScope]
    disconnect: Callable[[Mapping[str, Any], CloseReason], MessageEvent]
    failed: Callable[[Instance, BaseException], Awaitable[None]]
    ledger: Ledger
    dispatcher: Dispatcher = attrs.field(init=False)  # set by who makes both
    # Each instance starts from the server's context, not from that of the
    # instance whose end made room for it.
    _context: contextvars.Context = attrs.field(
        factory=contextvars.copy_context, init=False
    )

    def start(self, instance: Instance) -> asyncio.Task[None]:
        """Start the task of an instance."""
        return asyncio.get_running_loop().create_task(
            self._run(instance), context=self._context.copy()
        )

    async def _run(self, instance: Instance) -> None:
        dispatcher = self.dispatcher
        dispatcher.reporter.opened(instance.conversation.scope_id)
        reason: CloseReason = "failed"
        error: BaseException | None = None
        try:
            try:
                # A partial each: cheaper than a closure that Python code would make.
                await self.application(
                    self.make_scope(instance.envelope),
                    functools.partial(self._receive, instance),
                    functools.partial(self._send, instance),
                )
            except (asyncio.CancelledError, Exception) as exc:  # noqa: BLE001 - handed to _conclude
                error = exc
            dispatcher.endings.has_worked(instance)
            reason = instance.closing or ("returned" if error is None else "failed")
            # Most end at their disconnect event, and leave nothing behind.
            if error is not None or instance.in_hand or not instance.was_told:
                await self._conclude(instance, error)
        finally:
            del error  # it refers to this frame, which would refer to it
            # Cancelled while it settled.
            if instance.in_hand is not None:
                dispatcher.leftover.append(instance.in_hand)
                instance.in_hand = None
            dispatcher.ended(instance)
            dispatcher.reporter.closed(
                instance.conversation.scope_id, instance.opened_at, reason
            )

    # What the application calls

    async def _receive(self, instance: Instance) -> MessageEvent:
        _refuse_another(instance)
        instance.is_receiving = True
        try:
            # Whoever was cancelled for a message has not handled it.
            if instance.in_hand is not None and instance.closing != "timeout":
                await self._finish(instance, instance.in_hand)
            inbox, dispatcher = instance.conversation.inbox, self.dispatcher
            while instance.closing is None:
                if inbox:
                    noting = self.ledger.begin(inbox[0])
                    if noting is None:
                        return dispatcher.take(instance).envelope.event
                    await noting
                    continue  # with what is there by now
                waiter = dispatcher.park(instance)
                if waiter is not None:
                    try:
                        await waiter
                    finally:
                        dispatcher.unpark(instance)
            return await self._tell(instance, instance.closing)
        except LeaseLostError:
            instance.lease_lost = True
            raise
        finally:
            instance.is_receiving = False

    async def _tell(self, instance: Instance, reason: CloseReason) -> MessageEvent:
        """Return the event that tells an instance to end; once."""
        if instance.was_told:
            # It does not care for its end, and nothing will come any more.
            self.dispatcher.endings.cancel(instance, reason)
            await asyncio.get_running_loop().create_future()
        instance.was_told = True
        return self.disconnect(instance.envelope.scope, reason)

    async def _finish(self, instance: Instance, delivery: Delivery) -> None:
        delivery.handled = True
        self.dispatcher.endings.has_worked(instance)
        try:
            await self.ledger.settle(delivery, Settlement.DONE)
        except LeaseLostError:
            instance.in_hand = None
            raise
        instance.in_hand = None

    async def _send(self, instance: Instance, event: MessageEvent) -> None:
        try:
            await self.send(instance.envelope, event)
        except LeaseLostError:
            instance.lease_lost = True
            raise

    # How it ends

    async def _conclude(self, instance: Instance, error: BaseException | None) -> None:
        """Settle what an instance leaves behind."""
        delivery = instance.in_hand
        if instance.lease_lost:
            self._forget(instance)
        elif delivery is not None and (delivery.handled or error is None):
            await self._settle(instance, delivery, Settlement.DONE)
        elif instance.was_cancelled and instance.closing != "timeout":
            if delivery is not None:
                await self._settle(instance, delivery, Settlement.RETRY)
        else:
            await self._judge(instance, error)

    async def _judge(self, instance: Instance, error: BaseException | None) -> None:
        """Deal with an instance that failed, or that took no message at all."""
        conversation, limits = instance.conversation, self.dispatcher.limits
        if instance.closing == "timeout":
            msg = f"took longer than {limits.message_timeout} s over one message"
            error = MessageTimeoutError(msg)
        blamed = instance.in_hand
        if blamed is None and _ignores_messages(instance):
            blamed = conversation.inbox.popleft()
            if error is None:
                msg = "the application returned without asking for its first message"
                error = MessageIgnoredError(msg)
        if error is not None:
            await self.failed(instance, error)
        if blamed is not None:
            await self._retry(instance, blamed, error)

    async def _retry(
        self, instance: Instance, delivery: Delivery, error: BaseException | None
    ) -> None:
        dispatcher, conversation = self.dispatcher, instance.conversation
        attempts, limits = delivery.attempts, dispatcher.limits
        delivery.failures += 1
        if attempts >= limits.max_deliveries:
            reason = f"failed {attempts} times, at last with {error!r}"
            await self._settle(instance, delivery, Settlement.DEAD, reason=reason)
        elif dispatcher.gives_back:
            delay = limits.backoff.delay(attempts)
            await self._settle(instance, delivery, Settlement.RETRY, delay=delay)
        else:
            # At the head again: what came later waits for it.
            instance.in_hand = None
            conversation.inbox.appendleft(delivery)
            dispatcher.postpone(conversation, limits.backoff.delay(attempts))

    async def _settle(
        self,
        instance: Instance,
        delivery: Delivery,
        settlement: Settlement,
        *,
        delay: float = 0.0,
        reason: str = "",
    ) -> None:
        # In hand until it is settled: a cancellation may come between.
        instance.in_hand = delivery
        try:
            await self.ledger.settle(delivery, settlement, delay=delay, reason=reason)
        except LeaseLostError:
            instance.in_hand = None
            self._forget(instance)
        instance.in_hand = None

    def _forget(self, instance: Instance) -> None:
        """Drop what belongs to the new owner of a conversation."""
        conversation = instance.conversation
        if instance.in_hand is not None:
            self.ledger.forget(instance.in_hand)
            instance.in_hand = None
        if conversation.term == instance.envelope.term:
            for delivery in self.dispatcher.empty(conversation):
                self.ledger.forget(delivery)


def _refuse_another(instance: Instance) -> None:
    """Raise if an instance already waits for a message."""
    if instance.is_receiving:
        msg = (
            f"the application instance of {instance.conversation.scope_id!r}"
            " already waits in receive(); call it from one task at a time"
        )
        raise ReceiveError(msg)


def _ignores_messages(instance: Instance) -> bool:
    """Whether a fresh instance would do the same to the same message, for ever."""
    return (
        not instance.has_received
        and instance.closing is None
        and bool(instance.conversation.inbox)
    )
