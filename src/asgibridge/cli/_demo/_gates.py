"""Where client and applications wait for each other.

That data was streamed, or that two requests ran at once, cannot be seen from
the answers.  So one side goes on only when the other has got so far: what is
not streamed or does not overlap ends in a timeout instead of a right answer.
"""

import threading
from typing import Final, final

import attrs

__all__ = ("GUESTS", "Gate", "Gates")

GUESTS: Final = 4
"""How many requests have to be in `Gates.meet` at the same time."""

_SECONDS: Final = 10.0


@final
@attrs.define(eq=False)
class Gate:
    """Lets nobody through until it is opened."""

    _meaning: str = attrs.field(alias="meaning")
    _event: threading.Event = attrs.field(factory=threading.Event, init=False)

    def open(self) -> None:
        """Let everybody through, now and later."""
        self._event.set()

    def pass_through(self) -> None:
        """Wait until the gate is open.

        Raises:
            TimeoutError: If it is not opened in ten seconds.
        """
        if not self._event.wait(_SECONDS):
            msg = f"waited {_SECONDS:.0f} seconds in vain: {self._meaning}"
            raise TimeoutError(msg)


def _gate(meaning: str) -> Gate:
    return attrs.field(factory=lambda: Gate(meaning), init=False)


@final
@attrs.define(eq=False)
class Gates:
    """The gates of one demonstration."""

    download_begun: Gate = _gate("the client has the first bytes of the download")
    upload_begun: Gate = _gate("the view has the first bytes of the upload")
    query_begun: Gate = _gate("the slow query runs")
    query_may_end: Gate = _gate("another request was answered meanwhile")
    _guests: threading.Barrier = attrs.field(
        factory=lambda: threading.Barrier(GUESTS, timeout=_SECONDS), init=False
    )
    _all_open: bool = attrs.field(default=False, init=False)

    def meet(self) -> None:
        """Wait until `GUESTS` requests are here.

        Raises:
            BrokenBarrierError: If they are not, in ten seconds.
        """
        if not self._all_open:
            self._guests.wait()

    def open_all(self) -> None:
        """Let everybody through: nobody is there to open a single gate."""
        self._all_open = True
        for gate in (
            self.download_begun,
            self.upload_begun,
            self.query_begun,
            self.query_may_end,
        ):
            gate.open()
