"""How much a server takes on, and how long it waits."""

import enum
import random
from collections.abc import Callable
from typing import final

import attrs

from .._options import number, seconds, whole

__all__ = ("Backoff", "FullPolicy", "Limits")


class FullPolicy(enum.Enum):
    """What happens to a message whose conversation's inbox is full."""

    BLOCK = "block"
    """Nothing more is pulled until there is room.  Nothing is lost or moved."""
    RETRY = "retry"
    """It goes back to the source, to come again later, behind its successors."""
    DROP = "drop"
    """It goes to the source's dead letters, and observers and the log are told."""


@final
@attrs.frozen
class Backoff:
    """Waits that grow from one attempt to the next.

    Args:
        initial: The first wait, in seconds.
        factor: How many times longer each further one is.
        maximum: The longest, in seconds.
        jitter: Each wait is shortened by up to this share of it, at random, so
            that processes which failed together do not come back together.
        random: Returns a number from 0 up to 1.
    """

    initial: float = attrs.field(default=0.1, validator=seconds)
    factor: float = attrs.field(default=2.0, validator=number(1))
    maximum: float = attrs.field(default=30.0, validator=seconds)
    jitter: float = attrs.field(default=0.2, validator=number(0, 1))
    random: Callable[[], float] = attrs.field(
        default=random.random, kw_only=True, repr=False
    )

    def delay(self, attempt: int) -> float:
        """Return the wait after attempt number *attempt* (from 1), in seconds."""
        # 64 doublings are beyond any maximum; more would overflow a float.
        grown = self.initial * self.factor ** min(attempt - 1, 64)
        return min(grown, self.maximum) * (1 - self.jitter * self.random())


def _seconds(default: float) -> float:
    return attrs.field(default=default, validator=seconds)


def _seconds_or_never(default: float | None) -> float | None:
    return attrs.field(default=default, validator=attrs.validators.optional(seconds))


def _count(default: int) -> int:
    return attrs.field(default=default, validator=whole(1))


@final
@attrs.frozen(kw_only=True)
class Limits:
    """The limits of one server.

    Args:
        max_applications: Application instances alive at once, those that are
            ending included.  Never exceeded.
        inbox_size: Messages that wait for one conversation.
        max_in_flight: Messages pulled and not settled, of all conversations.
        full: What happens when an inbox is full.
        idle_timeout: An instance that has waited for a message this many
            seconds is ended; None keeps it until its place is needed.
        close_grace: Seconds for an instance to end by itself once it was told
            to; then it is cancelled.
        message_timeout: Seconds an instance may take over one message before it
            is cancelled and the message counts as failed; None is no limit.
        max_deliveries: A message that failed this often is a dead letter.
        drain_timeout: Seconds to finish what was pulled, at shutdown.
        backoff: The waits between deliveries of a failed message, and before
            sources are asked again after an error.
    """

    max_applications: int = _count(1000)
    inbox_size: int = _count(100)
    max_in_flight: int = _count(10_000)
    full: FullPolicy = FullPolicy.BLOCK
    idle_timeout: float | None = _seconds_or_never(600.0)
    close_grace: float = _seconds(5.0)
    message_timeout: float | None = _seconds_or_never(None)
    max_deliveries: int = _count(5)
    drain_timeout: float = _seconds(30.0)
    backoff: Backoff = attrs.field(factory=Backoff)
