"""Putting events into a server by hand, in the style of asgiref."""

import asyncio
from typing import final

import attrs

from ..types import MessageEvent, MessageScope
from ._engine import Engine
from ._envelope import Message

__all__ = ("InputQueue",)


@final
@attrs.define(eq=False)
class InputQueue:
    """Where a handler puts the events for one conversation.

    It belongs to the conversation, not to an application instance: it goes on
    to work when the instance has ended, and gets a fresh one started.  Not
    thread-safe: for the server's event loop.
    """

    _engine: Engine = attrs.field(alias="engine")
    _scope_id: str = attrs.field(alias="scope_id")
    _scope: MessageScope = attrs.field(alias="scope")

    async def put(self, event: MessageEvent) -> None:
        """Add an event; wait while too many are not yet handled."""
        try:
            self.put_nowait(event)
        except asyncio.QueueFull:
            await self._put_later(event)

    async def _put_later(self, event: MessageEvent) -> None:
        await self._engine.ledger.wait_credit()
        await self._engine.accept(Message(self._scope_id, event, self._scope))

    def put_nowait(self, event: MessageEvent) -> None:
        """Add an event at once.

        Raises:
            asyncio.QueueFull: If too many are not yet handled.
        """
        ledger, dispatcher = self._engine.ledger, self._engine.dispatcher
        if ledger.credit <= 0:
            raise asyncio.QueueFull
        delivery = ledger.open(Message(self._scope_id, event, self._scope))
        if not dispatcher.offer(delivery):
            ledger.forget(delivery)
            raise asyncio.QueueFull

    def qsize(self) -> int:
        """Return how many events wait."""
        conversation = self._engine.dispatcher.find(self._scope_id)
        return 0 if conversation is None else len(conversation.inbox)

    def empty(self) -> bool:
        """Return whether no event waits."""
        return self.qsize() == 0

    def full(self) -> bool:
        """Return whether `put_nowait` would raise."""
        engine = self._engine
        return engine.ledger.credit <= 0 or self.qsize() >= engine.limits.inbox_size
