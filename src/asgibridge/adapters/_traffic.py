"""The requests that an adapter serves on one loop."""

import asyncio
from typing import final

import attrs

from ..loops import Mailbox
from ._wsgi_work import WsgiWork

__all__ = ("Traffic",)


@final
@attrs.define(eq=False)
class Traffic:
    """Counts the requests in flight, so that a shutdown can wait for them.

    Args:
        mailbox: That of the loop.
    """

    mailbox: Mailbox
    # Added on the loop, removed by the threads; both are atomic.
    _in_flight: set[WsgiWork] = attrs.field(factory=set[WsgiWork], init=False)
    _drained: asyncio.Future[None] | None = attrs.field(default=None, init=False)
    # Only tasks that somebody refers to are sure to live.
    _crossings: set[asyncio.Task[None]] = attrs.field(
        factory=set[asyncio.Task[None]], init=False
    )

    def __len__(self) -> int:
        """Return how many requests are in flight."""
        return len(self._in_flight)

    def begin(self, work: WsgiWork) -> None:
        """Count *work*; on the loop."""
        self._in_flight.add(work)

    def end(self, work: WsgiWork) -> None:
        """Count *work* no more; on any thread."""
        self._in_flight.discard(work)
        # Removed first, asked second; drain() does it the other way round.
        if self._drained is not None and not self._in_flight:
            self.mailbox.post(self)

    def keep(self, crossing: asyncio.Task[None]) -> None:
        """Keep *crossing* alive until it is done."""
        self._crossings.add(crossing)
        crossing.add_done_callback(self._crossings.discard)

    async def drain(self, seconds: float) -> bool:
        """Wait until no request is in flight; return whether that came to be.

        Args:
            seconds: Longest time to wait.
        """
        loop = asyncio.get_running_loop()
        self._drained = loop.create_future()
        try:
            if self._in_flight:
                await asyncio.wait([self._drained], timeout=seconds)
        finally:
            self._drained = None
        return not self._in_flight

    goes_on = False  # as a letter: the thread that posts it waits

    def deliver(self) -> None:
        """Let `drain` go on; called by the mailbox, on the loop."""
        if self._drained is not None and not self._drained.done():
            self._drained.set_result(None)
