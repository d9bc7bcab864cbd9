"""The parts of a server, put together for one run on one event loop."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, final

import attrs

from ..errors import LeaseLostError
from ..types import (
    ASGIApp,
    Clock,
    CloseReason,
    Envelope,
    MessageEvent,
    MessageScope,
    MessageSource,
    ServerObserver,
    Settlement,
)
from ._dispatcher import Dispatcher
from ._ledger import Ledger
from ._limits import FullPolicy, Limits
from ._records import Conversation, Delivery, Instance
from ._reporter import Reporter, logger
from ._runner import InstanceRunner

__all__ = ("Engine",)


@final
@attrs.frozen(eq=False)
class Engine:
    """Takes messages in, and sees each of them settled.

    Made by `create`, on the event loop that it works on.
    """

    limits: Limits
    reporter: Reporter
    ledger: Ledger
    dispatcher: Dispatcher

    @classmethod
    def create(
        cls,
        application: ASGIApp,
        source: MessageSource,
        send: Callable[[Envelope, MessageEvent], Awaitable[None]],
        *,
        limits: Limits,
        observers: Iterable[ServerObserver],
        clock: Clock | None,
        make_scope: Callable[[Envelope], MessageScope],
        disconnect: Callable[[Mapping[str, Any], CloseReason], MessageEvent],
        failed: Callable[[Instance, BaseException], Awaitable[None]] | None = None,
    ) -> "Engine":
        """Put the parts together on the running loop."""
        loop = asyncio.get_running_loop()
        clock = clock or loop.time
        reporter = Reporter(tuple(observers), clock)
        ledger = Ledger(source, limits.max_in_flight, limits.backoff, clock, reporter)

        async def report(instance: Instance, error: BaseException) -> None:
            scope_id = instance.conversation.scope_id
            reporter.failed(f"The application instance of {scope_id!r}", error)
            if failed is not None:
                try:
                    await failed(instance, error)
                except Exception as exc:  # noqa: BLE001 - one hook's, reported
                    reporter.failed("application_exception()", exc)

        runner = InstanceRunner(
            application, send, make_scope, disconnect, report, ledger
        )
        dispatcher = Dispatcher(limits, clock, loop, reporter, runner.start)
        runner.dispatcher = dispatcher
        return cls(limits, reporter, ledger, dispatcher)

    async def accept(self, envelope: Envelope) -> None:
        """Take a message in; wait for room if that is the policy.

        If the wait is cancelled, the message was not taken in.
        """
        void = self.dispatcher.supersede(envelope)
        for delivery in void:
            self.ledger.forget(delivery)
        delivery = self.ledger.open(envelope)
        try:
            await self._place(delivery)
        except asyncio.CancelledError:
            self.ledger.forget(delivery)
            raise

    async def _place(self, delivery: Delivery) -> None:
        envelope = delivery.envelope
        if envelope.delivery_count > self.limits.max_deliveries:
            count = envelope.delivery_count - 1
            reason = f"delivered {count} times and never settled"
            await self._settle(delivery, Settlement.DEAD, reason=reason)
        elif not self.dispatcher.offer(delivery):
            await self._accept_full(delivery)

    async def _accept_full(self, delivery: Delivery) -> None:
        """Deal with a message whose conversation's inbox is full."""
        policy = self.limits.full
        if policy is FullPolicy.BLOCK:
            await self._offer_again(delivery)
        elif policy is FullPolicy.RETRY:
            delay = self.limits.backoff.delay(delivery.attempts)
            await self._settle(delivery, Settlement.RETRY, delay=delay)
        else:
            scope_id = delivery.envelope.scope_id
            logger.warning("Dropped a message: the inbox of %r is full", scope_id)
            await self._settle(delivery, Settlement.DEAD, reason="inbox full")

    async def _offer_again(self, delivery: Delivery) -> None:
        while not self.dispatcher.offer(delivery):
            await self._wait_room(self.dispatcher.get(delivery.envelope))

    async def _wait_room(self, conversation: Conversation) -> None:
        """Wait until something was taken out of an inbox."""
        if conversation.room is None:
            conversation.room = asyncio.get_running_loop().create_future()
        # Shielded: others wait for it, too.
        await asyncio.shield(conversation.room)

    async def give_back(self, deliveries: Iterable[Delivery]) -> None:
        """Let the source deliver messages again, to whomever."""
        for delivery in deliveries:
            how = Settlement.DONE if delivery.handled else Settlement.RETRY
            await self._settle(delivery, how)

    async def finish(self) -> None:
        """Let all messages be handled that were taken in, however long it takes."""
        self.dispatcher.drain()
        await self.dispatcher.wait_until(lambda: self.dispatcher.is_quiet)

    async def shut_down(self, *, hurry: asyncio.Event) -> None:
        """Finish what can be finished in time, and give back the rest.

        Args:
            hurry: Set by somebody who cannot wait for that.
        """
        dispatcher, grace = self.dispatcher, self.limits.close_grace
        dispatcher.drain()
        try:
            await self._in_time(grace, self.give_back(dispatcher.drop_postponed()))
            quiet = dispatcher.wait_until(lambda: dispatcher.is_quiet)
            await self._in_time(self.limits.drain_timeout, quiet, unless=hurry)
            dispatcher.halt()
            ended = dispatcher.wait_until(lambda: dispatcher.running == 0)
            # A grace to end by itself, and another one once cancelled.
            await self._in_time(2 * grace, ended)
        finally:
            for instance in dispatcher.instances():
                instance.cancel()
            await self._in_time(grace, self.give_back(dispatcher.abandon()))

    async def _in_time(
        self,
        seconds: float,
        work: Awaitable[None],
        *,
        unless: asyncio.Event | None = None,
    ) -> None:
        """Await *work* for that many seconds, or until *unless* is set."""
        task = asyncio.ensure_future(work)
        tasks: set[asyncio.Future[Any]] = {task}
        if unless is not None:
            tasks.add(asyncio.ensure_future(unless.wait()))
        try:
            await asyncio.wait(
                tasks, timeout=seconds, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            for one in tasks:
                one.cancel()
            await asyncio.wait(tasks)
        if not task.cancelled():
            task.result()

    async def _settle(
        self,
        delivery: Delivery,
        settlement: Settlement,
        *,
        delay: float = 0.0,
        reason: str = "",
    ) -> None:
        try:
            await self.ledger.settle(delivery, settlement, delay=delay, reason=reason)
        except LeaseLostError:
            return  # somebody else's now, and nothing is left to do
