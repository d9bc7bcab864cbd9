"""Messages from Redis Streams."""

from collections.abc import Awaitable, Sequence
from typing import final

import attrs

from ..._options import seconds
from ...errors import SourceError
from ...types import Envelope, Settlement
from .._arrivals import Arrivals
from .._lease import Token, lost, new_owner, token_of
from .._leases import Leases
from ._connection import RedisConnection
from ._intake import Intake
from ._layout import GROUP, OWNER, RedisLayout
from ._scripts import COUNT, DEAD, DONE, LOST
from ._store import RedisLease, RedisLeaseStore

__all__ = ("RedisSource",)


@final
@attrs.define(eq=False)
class RedisSource:
    """Brings the messages of the partitions that this process owns.

    Conversations are shared out among partitions, one stream each, by their
    scope id, and partitions among the processes that are alive, by leases.
    Start another process and it gets its share, stop or kill one and the
    others take over; what it had not settled comes again.  So a message comes
    at least once, and the messages of one conversation in order, the first time
    they come.

    Every effect of an owner is tied to its lease inside Redis: one that was
    stopped for longer than its lease, and goes on, can neither take, settle nor
    send any more; it gets `LeaseLostError`.

    Args:
        connection: To Redis.  It is opened and closed with the source.
        layout: Where things are there.
        lease_seconds: How long a process may be silent before others take over.
        handover_seconds: How long a partition waits for its unsettled messages
            when it is to go to another process.
        create: Whether streams are made if they are not there.
        owner: The name of this process, different from all others'.
    """

    connection: RedisConnection
    layout: RedisLayout
    lease_seconds: float = attrs.field(default=15.0, validator=seconds, kw_only=True)
    handover_seconds: float = attrs.field(default=30.0, validator=seconds, kw_only=True)
    create: bool = attrs.field(default=True, kw_only=True)
    owner: str = attrs.field(factory=new_owner, kw_only=True)
    leases: Leases[RedisLease] = attrs.field(init=False)
    _arrivals: Arrivals[RedisLease] = attrs.field(
        factory=Arrivals[RedisLease], init=False
    )
    _intake: Intake = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        connection, layout = self.connection, self.layout
        self.leases = Leases(
            RedisLeaseStore(connection, layout, self.owner, self.lease_seconds),
            layout.name,
            layout.partitions,
            self.lease_seconds,
            self.handover_seconds,
            self._arrivals.changed,
        )
        self._intake = Intake(connection, layout, self.leases, self._arrivals)

    async def open(self) -> None:
        """Connect, and take a share of the partitions.

        Raises:
            SourceError: If it will never work: credentials, version, or another
                number of partitions in Redis.
        """
        await self.connection.open()
        await self._agree()
        await self.leases.open()

    async def pull(self, max_messages: int, /) -> Sequence[Envelope]:
        """Wait for messages."""
        while not (batch := self._arrivals.take(max_messages)):
            self._arrivals.changed.clear()
            await self._intake.fetch(max_messages)
        return batch

    def begin(self, envelope: Envelope, /) -> Awaitable[None] | None:
        """Count a delivery, if Redis does not know of it.

        Taking a message for the first time counts.  When it is claimed, its
        owner may have vanished before it came to it.

        Raises:
            LeaseLostError: If the lease is over; also when this is awaited.
        """
        token = token_of(envelope, "RedisSource")
        lease, count = self.leases.find(token), envelope.delivery_count
        if lease.known.get(token.id, count) >= count:
            return None
        return self._note(lease, token, count)

    async def settle(
        self,
        envelope: Envelope,
        settlement: Settlement,
        /,
        *,
        delay: float = 0.0,
        reason: str = "",
    ) -> None:
        """Remove a message, bring it again later, or move it to the dead letters."""
        token = token_of(envelope, "RedisSource")
        lease, count = self.leases.find(token), envelope.delivery_count
        again_in = None
        if settlement is Settlement.DONE:
            await self._run(DONE, lease, token)
        elif settlement is Settlement.DEAD:
            await self._run(DEAD, lease, token, count, reason)
        else:
            # A later owner adds one, and this one before it gives it away again.
            await self._note(lease, token, count - 1)
            again_in = delay
        self._arrivals.settled(lease, token, envelope, again_in)
        self.leases.settled(lease, token)

    async def close(self) -> None:
        """Hand the partitions over, and disconnect."""
        try:
            await self.leases.close()
        finally:
            await self.connection.close()

    async def _note(self, lease: RedisLease, token: Token, count: int) -> None:
        """Let Redis know how often a message was delivered."""
        await self._run(COUNT, lease, token, count, OWNER)
        lease.known[token.id] = count

    async def _run(
        self, script: str, lease: RedisLease, token: Token, *args: str | int
    ) -> None:
        """Run a script about a message of this owner's."""
        layout, partition = self.layout, lease.partition
        keys = [layout.lease(partition), layout.stream(partition), layout.dead]
        fixed = [token.term, GROUP, token.id]
        answer = await self.connection.call(
            script, keys, [*fixed, *args], outlasts=True
        )
        if answer == LOST:
            self.leases.lose(lease)
            raise lost(token)

    async def _agree(self) -> None:
        """Find or note the number of partitions."""
        connection, layout = self.connection, self.layout
        partitions = layout.partitions
        if not self.create and not await connection.command("EXISTS", layout.meta):
            msg = (
                f"there are no streams of {layout.name!r} in this Redis: check the"
                " name and the database, or let them be created"
            )
            raise SourceError(msg)
        await connection.command("HSETNX", layout.meta, "partitions", partitions)
        found = int(await connection.command("HGET", layout.meta, "partitions"))
        if found != partitions:
            msg = (
                f"the streams of {layout.name!r} have {found} partitions, not"
                f" {partitions}: use {found}, or another name"
            )
            raise SourceError(msg)
