"""Which messages are pulled and not settled, and settling them."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import final

import attrs

from ..errors import LeaseLostError
from ..types import Clock, Envelope, MessageSource, Settlement, SupportsBegin
from ._limits import Backoff
from ._records import Delivery
from ._reporter import Reporter

__all__ = ("Ledger",)


@final
@attrs.define(eq=False)
class Ledger:
    """Counts what is in flight, so that no more is pulled than can be held.

    Not thread-safe: for one event loop.

    Args:
        source: Learns the settlements.
        limit: How many messages may be in flight.
        backoff: The waits between attempts to tell the source.
        clock: Tells the time.
        reporter: Told about settlements, and when the source raises.
    """

    _source: MessageSource = attrs.field(alias="source")
    _limit: int = attrs.field(alias="limit")
    _backoff: Backoff = attrs.field(alias="backoff")
    _clock: Clock = attrs.field(alias="clock")
    _reporter: Reporter = attrs.field(alias="reporter")
    in_flight: int = attrs.field(default=0, init=False)
    _freed: asyncio.Future[None] | None = attrs.field(default=None, init=False)
    _note: Callable[[Envelope], Awaitable[None] | None] | None = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        source = self._source
        self._note = source.begin if isinstance(source, SupportsBegin) else None

    @property
    def credit(self) -> int:
        """How many messages more may be in flight."""
        return self._limit - self.in_flight

    async def wait_credit(self) -> int:
        """Wait until something may be pulled; return how much."""
        while self.credit <= 0:
            if self._freed is None:
                self._freed = asyncio.get_running_loop().create_future()
            # Shielded: others wait for it, too.
            await asyncio.shield(self._freed)
        return self.credit

    def open(self, envelope: Envelope) -> Delivery:
        """Note that a message was pulled."""
        self.in_flight += 1
        return Delivery(envelope, self._clock())

    def forget(self, _delivery: Delivery) -> None:
        """Note that a message is not this process's concern any longer."""
        self.in_flight -= 1
        if self._freed is not None:
            self._freed.set_result(None)
            self._freed = None

    def begin(self, delivery: Delivery) -> Awaitable[None] | None:
        """Return what to await before an application gets a message, if anything.

        Raises:
            LeaseLostError: Here or there, if it is not this process's concern
                any longer; it is in flight all the same.
        """
        if self._note is None or (noting := self._note(delivery.envelope)) is None:
            return None
        return self._outlast(delivery, noting)

    async def _outlast(self, delivery: Delivery, noting: Awaitable[None]) -> None:
        """Await *noting*; if it fails, let some time pass before the next one."""
        try:
            await noting
        except LeaseLostError:
            raise
        except Exception as exc:  # noqa: BLE001 - reported; whoever asked asks again
            self._reporter.failed("The source did not note a delivery", exc)
            delivery.unnoted += 1
            await asyncio.sleep(self._backoff.delay(delivery.unnoted))

    async def settle(
        self,
        delivery: Delivery,
        settlement: Settlement,
        *,
        delay: float = 0.0,
        reason: str = "",
    ) -> None:
        """Tell the source what becomes of a message, until it has heard it.

        If this is cancelled, the message is still in flight.

        Raises:
            LeaseLostError: If it is not this process's concern any longer; it
                is not in flight then.
        """
        attempt = 0
        while True:
            try:
                await self._source.settle(
                    delivery.envelope, settlement, delay=delay, reason=reason
                )
            except LeaseLostError:
                self.forget(delivery)
                raise
            except Exception as exc:  # noqa: BLE001 - reported; the source decides
                attempt += 1
                self._reporter.failed("The source did not settle a message", exc)
                await asyncio.sleep(self._backoff.delay(attempt))
            else:
                self.forget(delivery)
                self._reporter.settled(
                    delivery.envelope, settlement, delivery.pulled_at, reason
                )
                return
