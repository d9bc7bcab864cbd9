"""Where client and applications wait for each other.

That data was streamed, or that two requests ran at once, cannot be seen from
the answers.  So one side goes on only when the other has got so far: what is
not streamed or does not overlap ends in a timeout instead of a right answer.
"""

import threading
from collections.abc import Mapping
from enum import Enum
from typing import Final, final

import attrs

__all__ = ("GUESTS", "Gates", "Sign")

GUESTS: Final = 4
"""How many requests have to be in `Gates.meet` at the same time."""

_SECONDS: Final = 10.0


class Sign(Enum):
    """What one side waits for and the other gives."""

    DOWNLOAD_BEGUN = "the client has the first bytes of the download"
    UPLOAD_BEGUN = "the view has the first bytes of the upload"
    QUERY_BEGUN = "the slow query runs"
    PING_ANSWERED = "another request was answered meanwhile"


def _closed_gates() -> Mapping[Sign, threading.Event]:
    return {sign: threading.Event() for sign in Sign}


@final
@attrs.define(eq=False)
class Gates:
    """The signs between client and applications.

    Args:
        timeout: How long a side waits for the other, in seconds.
    """

    timeout: float = _SECONDS
    _given: Mapping[Sign, threading.Event] = attrs.field(
        factory=_closed_gates, init=False
    )
    _guests: threading.Barrier = attrs.field(
        factory=lambda: threading.Barrier(GUESTS), init=False
    )
    _unattended: bool = attrs.field(default=False, init=False)

    def give(self, sign: Sign) -> None:
        """Let everybody go on who waits for *sign*, now and later."""
        self._given[sign].set()

    def wait_for(self, sign: Sign) -> None:
        """Wait until *sign* is given.

        Raises:
            TimeoutError: If it is not given in time.
        """
        if not self._given[sign].wait(self.timeout):
            msg = f"waited {self.timeout:.0f} seconds in vain until {sign.value}"
            raise TimeoutError(msg)

    def meet(self) -> None:
        """Wait until `GUESTS` requests are here.

        Raises:
            BrokenBarrierError: If they are not in time.
        """
        if not self._unattended:
            self._guests.wait(self.timeout)

    def leave_open(self) -> None:
        """Wait for nothing from now on: the client has gone."""
        self._unattended = True
        for event in self._given.values():
            event.set()
