"""A line now and then that says how a server is."""

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import final

import attrs

from ..types import Clock, CloseReason, Envelope, Settlement

__all__ = ("Health",)


@final
@attrs.define(eq=False)
class Health:
    """Counts what a server does; a `ServerObserver`.

    Args:
        clock: Measures the time between two lines.
    """

    _clock: Clock = attrs.field(alias="clock")
    instances: int = attrs.field(default=0, init=False)
    _settled: Counter[Settlement] = attrs.field(factory=Counter[Settlement], init=False)
    _failures: int = attrs.field(default=0, init=False)
    _slowest: float = attrs.field(default=0.0, init=False)  # seconds
    _since: float = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._since = self._clock()

    def opened(self, _scope_id: str, /) -> None:
        """Count an instance."""
        self.instances += 1

    def closed(self, _scope_id: str, _seconds: float, _reason: CloseReason, /) -> None:
        """Count an instance no longer."""
        self.instances -= 1

    def settled(
        self, _envelope: Envelope, settlement: Settlement, seconds: float, /
    ) -> None:
        """Count a message."""
        self._settled[settlement] += 1
        self._slowest = max(self._slowest, seconds)

    def failed(self, _what: str, _exception: BaseException, /) -> None:
        """Count a failure."""
        self._failures += 1

    def line(self, in_flight: int) -> str:
        """Return how things are, and begin to count anew."""
        seconds = self._clock() - self._since
        text = (
            f"health: {self.instances} instances, {in_flight} messages in flight;"
            f" in {seconds:.0f} s: {self._settled[Settlement.DONE]} done,"
            f" {self._settled[Settlement.RETRY]} given back,"
            f" {self._settled[Settlement.DEAD]} dead, {self._failures} failures,"
            f" slowest {self._slowest:.3f} s"
        )
        self._settled.clear()
        self._failures, self._slowest, self._since = 0, 0.0, self._clock()
        return text

    async def report(
        self, every: float, say: Callable[[str], None], in_flight: Callable[[], int]
    ) -> None:
        """Hand a line to *say* every so many seconds, until cancelled."""
        while True:
            await asyncio.sleep(every)
            say(self.line(in_flight()))
