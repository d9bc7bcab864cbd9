"""One partition, owned for one term, and the messages that were taken from it."""

import asyncio
import os
import secrets
import socket
from collections.abc import Hashable
from typing import Any, final

import attrs

from ..errors import LeaseLostError, OptionError
from ..types import Envelope

__all__ = ("Lease", "Token", "lost", "new_owner", "token_of")


@final
@attrs.frozen
class Token:
    """Which message of a broker, and under which lease it was taken."""

    partition: int
    term: str | int
    id: str | int  # of the message, within its partition


def token_of(envelope: Envelope, source: str) -> Token:
    """Return the token of a message that a source of partitions brought."""
    if not isinstance(envelope.token, Token):
        msg = f"a message of another source than {source}: {envelope!r}"
        raise OptionError(msg)
    return envelope.token


def lost(token: Token) -> LeaseLostError:
    """Return the error for somebody who is not the owner any longer."""
    msg = (
        f"partition {token.partition} has another owner now, which will handle"
        f" message {token.id}; this process may neither settle nor send"
    )
    return LeaseLostError(msg)


def new_owner() -> str:
    """Return a name for this process that no other has."""
    # The parts of a key in NATS are separated by dots.
    host = socket.gethostname().replace(".", "-")
    return f"{host}-{os.getpid()}-{secrets.token_hex(4)}"


@attrs.define(eq=False)
class Lease:
    """One partition, owned for one term.

    A broker's own has more: see its `LeaseStore`.
    """

    partition: int
    term: str | int  # no other owner and no other term has the same
    # Taken and not settled, by id; with whatever settles it.
    known: dict[Hashable, Any] = attrs.field(factory=dict[Hashable, Any], init=False)
    # Those of them that the server has.
    pulled: set[Hashable] = attrs.field(factory=set[Hashable], init=False)
    # Those of them that it is to get again later.
    delayed: dict[Hashable, asyncio.TimerHandle] = attrs.field(
        factory=dict[Hashable, asyncio.TimerHandle], init=False
    )
    # Seconds of the loop's clock; not earlier does the broker forget the lease.
    valid_until: float = attrs.field(default=0.0, init=False)
    is_lost: bool = attrs.field(default=False, init=False)
    # Since when it is to go to another process.
    leaving_since: float | None = attrs.field(default=None, init=False)

    @property
    def is_active(self) -> bool:
        """Whether messages may be taken under it; never again once not."""
        return not self.is_lost and self.leaving_since is None

    def forget_delayed(self) -> None:
        """Bring nothing again: somebody else will."""
        for handle in self.delayed.values():
            handle.cancel()
        self.delayed.clear()
