"""Messages from NATS JetStream."""

import asyncio
from collections.abc import Awaitable, Sequence
from typing import Any, Final, final

import attrs
from nats import errors

from ..._options import seconds
from ...types import Envelope, Settlement
from .._arrivals import Arrivals
from .._cancellation import end_task
from .._lease import new_owner, token_of
from .._leases import Leases
from .._reporter import logger
from ._connection import NatsConnection
from ._counts import Counts
from ._intake import Intake
from ._layout import NatsLayout
from ._store import NatsLease, NatsLeaseStore
from ._streams import open_streams

__all__ = ("NatsSource",)

# Signs of life for each message in the time after which it would come again.
_SIGNS_PER_WAIT: Final = 3


@final
@attrs.define(eq=False)
class NatsSource:
    """Brings the messages of the partitions that this process owns.

    Conversations are shared out among partitions, one subject each, by their
    scope id, and partitions among the processes that are alive, by leases.
    Start another process and it gets its share, stop or kill one and the
    others take over; what it had not settled comes again.  So a message comes
    at least once, and the messages of one conversation in order, the first time
    they come.

    A message that takes long is reported as in progress, so that the server
    does not deliver it again.

    An owner that lost its lease acknowledges to a consumer that is not there
    any more.  Whether it may send is decided by its own clock: NATS has, before
    2.11, no way to look at a lease and publish in one step.

    Args:
        connection: To NATS.  It is opened and closed with the source.
        layout: Where things are there.
        lease_seconds: How long a process may be silent before others take over.
        handover_seconds: How long a partition waits for its unsettled messages
            when it is to go to another process.
        ack_wait: After how many seconds without a sign of life the server
            delivers a message again.
        create: Whether streams are made if they are not there.
        owner: The name of this process, different from all others'.
    """

    connection: NatsConnection
    layout: NatsLayout
    lease_seconds: float = attrs.field(default=15.0, validator=seconds, kw_only=True)
    handover_seconds: float = attrs.field(default=30.0, validator=seconds, kw_only=True)
    ack_wait: float = attrs.field(default=30.0, validator=seconds, kw_only=True)
    create: bool = attrs.field(default=True, kw_only=True)
    owner: str = attrs.field(factory=new_owner, kw_only=True)
    leases: Leases[NatsLease] = attrs.field(init=False)
    _counts: Counts = attrs.field(init=False)
    _store: NatsLeaseStore = attrs.field(init=False)
    _arrivals: Arrivals[NatsLease] = attrs.field(
        factory=Arrivals[NatsLease], init=False
    )
    _intake: Intake = attrs.field(init=False)
    _signing: asyncio.Task[None] | None = attrs.field(default=None, init=False)

    def __attrs_post_init__(self) -> None:
        connection, layout, seconds = self.connection, self.layout, self.lease_seconds
        self._counts = Counts(connection, layout)
        self._store = NatsLeaseStore(
            connection, layout, self.owner, seconds, self.ack_wait, self._counts
        )
        self.leases = Leases(
            self._store,
            layout.name,
            layout.partitions,
            seconds,
            self.handover_seconds,
            self._arrivals.changed,
        )
        self._intake = Intake(
            connection, layout, self.leases, self._arrivals, self._refuse
        )

    async def open(self) -> None:
        """Connect, and take a share of the partitions.

        Raises:
            SourceError: If it will never work: credentials, version, no
                JetStream, or another number of partitions.
        """
        await self.connection.open()
        await open_streams(self.connection.js, self.layout, create=self.create)
        await self._store.open(self.leases.look)
        await self.leases.open()
        self._signing = asyncio.create_task(self._sign())

    async def pull(self, max_messages: int, /) -> Sequence[Envelope]:
        """Wait for messages."""
        while not (batch := self._arrivals.take(max_messages)):
            self._arrivals.changed.clear()
            await self._intake.fetch(max_messages)
        return batch

    def begin(self, envelope: Envelope, /) -> Awaitable[None] | None:
        """Count a delivery of a message that a process may have vanished with.

        Raises:
            LeaseLostError: If the lease is over.
        """
        token = token_of(envelope, "NatsSource")
        lease, count = self.leases.find(token), envelope.delivery_count
        sequence = int(token.id)
        if count == 1 or lease.counts.earlier(sequence) >= count:
            return None
        return self._note(lease, sequence, count)

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
        token = token_of(envelope, "NatsSource")
        lease = self.leases.find(token)
        message = lease.known.get(token.id)
        if message is None:
            return  # a second time
        if settlement is Settlement.DEAD:
            await self._bury(message, envelope.delivery_count, reason)
        again_in, sequence = None, int(token.id)
        if settlement is Settlement.RETRY:
            if sequence in lease.counts.noted:
                await self._note(lease, sequence, envelope.delivery_count - 1)
            again_in = delay
        else:
            await self._acknowledge(lease, message)
            if sequence in lease.counts.noted:
                await self._counts.forget(lease.partition, sequence)
                lease.counts.noted.pop(sequence, None)
        self._arrivals.settled(lease, token, envelope, again_in)
        self.leases.settled(lease, token)

    async def close(self) -> None:
        """Hand the partitions over, and disconnect."""
        try:
            await self.leases.close()
        finally:
            if self._signing is not None:
                await end_task(self._signing)
            await self._intake.close()
            await self.connection.close()

    async def _note(self, lease: NatsLease, sequence: int, count: int) -> None:
        await self._counts.note(lease.partition, sequence, count)
        lease.counts.noted[sequence] = count

    async def _sign(self) -> None:
        """Report what is not settled as in progress, again and again."""
        while True:
            await asyncio.sleep(self.ack_wait / _SIGNS_PER_WAIT)
            try:
                for message in self._intake.unsettled():
                    await message.in_progress()
            except (errors.Error, OSError) as exc:
                # Some come again then, and are recognised.
                logger.warning("NATS was told of no progress: %r", exc)

    async def _acknowledge(self, lease: NatsLease, message: Any) -> None:  # noqa: ANN401 - nats-py's
        try:
            await message.ack_sync(timeout=self.connection.timeout)
        except errors.MsgAlreadyAckdError:
            return  # a second time
        except errors.NoRespondersError as exc:
            # The consumer is gone, or the server is about to start.
            self.leases.look()
            msg = f"the consumer {lease.consumer!r} does not answer"
            raise ConnectionError(msg) from exc

    async def _bury(self, message: Any, count: int, reason: str) -> None:  # noqa: ANN401 - nats-py's
        """Add a message to the dead letters."""
        sequence = message.metadata.sequence.stream
        headers = {
            # The server drops a second one with the same id.
            "Nats-Msg-Id": f"{self.layout.stream}-{sequence}",
            "Asgibridge-Subject": message.subject,
            "Asgibridge-Deliveries": str(count),
            # A header is one line.
            "Asgibridge-Reason": " ".join(reason.split()),
        }
        await self.connection.publish(self.layout.dead, message.data, headers)

    async def _refuse(self, lease: NatsLease, message: Any, problem: str) -> None:  # noqa: ANN401 - nats-py's
        """Put aside what is no message."""
        await self._bury(message, lease.count(message), problem)
        await self._acknowledge(lease, message)
