"""Messages that were taken from partitions, and the server has not yet."""

import asyncio
from collections import deque
from typing import Generic, TypeVar, final

import attrs

from ..types import Envelope
from ._lease import Lease, Token

__all__ = ("Arrivals",)

L = TypeVar("L", bound=Lease)


@final
@attrs.define(eq=False)
class Arrivals(Generic[L]):
    """Keeps messages in order until the server pulls them.

    What belongs to a lease that is not active any longer is left out: whoever
    owns the partition next brings it.

    Not thread-safe: for one event loop.
    """

    # Something may be there to pull or to fetch.
    changed: asyncio.Event = attrs.field(factory=asyncio.Event, init=False)
    _ready: deque[tuple[L, Token, Envelope]] = attrs.field(
        factory=deque[tuple[L, Token, Envelope]], init=False
    )

    def add(self, lease: L, token: Token, envelope: Envelope) -> None:
        """Add a message, as the last one."""
        self._ready.append((lease, token, envelope))

    def take(self, max_messages: int) -> list[Envelope]:
        """Hand up to so many messages to the server."""
        batch: list[Envelope] = []
        while self._ready and len(batch) < max_messages:
            lease, token, envelope = self._ready.popleft()
            if lease.is_active:
                lease.pulled.add(token.id)
                batch.append(envelope)
        return batch

    def settled(
        self, lease: L, token: Token, envelope: Envelope, again_in: float | None
    ) -> None:
        """Forget a message, or bring it again after so many seconds."""
        if again_in is not None and lease.is_active:
            lease.delayed[token.id] = asyncio.get_running_loop().call_later(
                again_in, self._again, lease, token, envelope
            )
        else:
            lease.known.pop(token.id, None)

    def _again(self, lease: L, token: Token, envelope: Envelope) -> None:
        del lease.delayed[token.id]
        self.add(lease, token, envelope)
        self.changed.set()
