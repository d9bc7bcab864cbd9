"""Leases as keys of a bucket that expire, and what belongs to one in NATS."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Container, Sequence
from typing import Any, final

import attrs
from nats.js import errors as js_errors

from ...errors import SourceError
from .._lease import Lease
from ._connection import NatsConnection
from ._consumers import create_consumer, delete_consumer
from ._counts import Counts, DeliveryCounts
from ._layout import NatsLayout, key_subject, stream_of

__all__ = ("NatsLease", "NatsLeaseStore")


@final
@attrs.define(eq=False)
class NatsLease(Lease):
    """One partition; its term is the revision of the key that made it ours."""

    revision: int  # the latest, of the renewals
    consumer: str
    counts: DeliveryCounts
    subscription: Any
    fetching: "asyncio.Task[list[Any]] | None" = None

    def count(self, message: Any) -> int:  # noqa: ANN401 - nats-py's
        """Return how often a message was delivered, this time included.

        What the server delivers again to the same process is the same delivery.
        """
        return self.counts.earlier(int(message.metadata.sequence.stream)) + 1


@final
@attrs.define(eq=False)
class NatsLeaseStore:
    """Keeps leases in NATS; a `LeaseStore`.

    The bucket forgets a key that is not renewed in time.  A key can be made
    only if it is not there, and renewed only by who knows its latest revision.

    Args:
        connection: To NATS.
        layout: Where things are there.
        owner: The name of this process, different from all others'.
        seconds: How long a lease lasts if it is not renewed.
        ack_wait: After how many seconds without a sign of life the server
            delivers a message again.
        counts: How often messages were delivered; opened here.
    """

    _connection: NatsConnection = attrs.field(alias="connection")
    _layout: NatsLayout = attrs.field(alias="layout")
    _owner: str = attrs.field(alias="owner")
    _seconds: float = attrs.field(alias="seconds")
    _ack_wait: float = attrs.field(alias="ack_wait")
    counts: Counts
    _bucket: Any = attrs.field(default=None, init=False)

    async def open(self, rung: Callable[[], None]) -> None:
        """Find or make the buckets; call *rung* whenever somebody rings.

        Raises:
            SourceError: If leases last longer or shorter there.
        """
        layout = self._layout
        try:
            self._bucket = await self._connection.js.create_key_value(
                bucket=layout.leases, ttl=self._seconds
            )
        except js_errors.BadRequestError as exc:
            msg = (
                f"the leases of {layout.name!r} do not last {self._seconds} s: give"
                f" all processes the same lease_seconds ({exc.description})"
            )
            raise SourceError(msg) from exc

        await self.counts.open()

        # nats-py wants a coroutine function.
        async def heard(_message: object) -> None:
            rung()

        await self._connection.client.subscribe(layout.bell, cb=heard)

    async def enter(self) -> int:
        """Count this process as alive; return how many are."""
        await self._bucket.put(f"alive.{self._owner}", b"")
        # Not the bucket's keys(): it may miss those that are put meanwhile, and
        # when the bell is rung, all processes do.
        leases = self._layout.leases
        info = await self._connection.js.stream_info(
            stream_of(leases), subjects_filter=key_subject(leases, "alive.*")
        )
        return len(info.state.subjects)

    async def renew(self, leases: Sequence[NatsLease], /) -> list[NatsLease]:
        """Own partitions for longer; return the leases that are over."""
        return [lease for lease in leases if not await self._renew(lease)]

    async def acquire(
        self, wanted: int, held: Container[int], /
    ) -> AsyncIterator[NatsLease]:
        """Own partitions that nobody owns."""
        for partition in range(self._layout.partitions):
            if wanted and partition not in held:
                lease = await self._acquire(partition)
                if lease is not None:
                    wanted -= 1
                    yield lease

    async def release(self, lease: NatsLease, /) -> None:
        """Own a partition no longer, and ring."""
        js, stream = self._connection.js, self._layout.stream
        # Without a consumer nothing counts as delivered: given back.
        await delete_consumer(js, stream, lease.consumer)
        with contextlib.suppress(js_errors.APIError):  # it is gone by itself
            key = _owner_key(lease.partition)
            await self._bucket.delete(key, last=lease.revision)
        await self.ring()

    async def ring(self) -> None:
        """Let all processes look at the leases at once."""
        client, bell = self._connection.client, self._layout.bell
        await client.publish(bell, self._owner.encode())

    async def leave(self) -> None:
        """Count this process as alive no longer, and ring."""
        # Purged: of a key that is deleted, a mark stays, and would be counted.
        leases = self._layout.leases
        subject = key_subject(leases, f"alive.{self._owner}")
        await self._connection.js.purge_stream(stream_of(leases), subject=subject)
        await self.ring()

    async def _renew(self, lease: NatsLease) -> bool:
        key, owner = _owner_key(lease.partition), self._owner.encode()
        try:
            lease.revision = await self._bucket.update(key, owner, last=lease.revision)
        except js_errors.KeyWrongLastSequenceError:
            # Unless a renewal was heard, and only its answer was lost.
            if not await self._is_ours(lease):
                return False
            lease.revision = await self._bucket.update(key, owner, last=lease.revision)
        return True

    async def _is_ours(self, lease: NatsLease) -> bool:
        entry = await self._owner_of(lease.partition)
        if entry is None or entry.value != self._owner.encode():
            return False
        lease.revision = entry.revision
        return True

    async def _owner_of(self, partition: int) -> Any:  # noqa: ANN401 - nats-py's entry
        """Return the key that says who owns a partition, if there is one."""
        try:
            return await self._bucket.get(_owner_key(partition))
        except js_errors.KeyNotFoundError:
            return None

    async def _acquire(self, partition: int) -> NatsLease | None:
        term = await self._make_key(partition)
        if term is None:
            return None
        js, layout = self._connection.js, self._layout
        consumer = await create_consumer(
            js, layout, partition, term, self._ack_wait, self.counts
        )
        subscription = await js.pull_subscribe_bind(
            consumer=consumer, stream=layout.stream
        )
        counts = await self.counts.load(partition)
        return NatsLease(partition, term, term, consumer, counts, subscription)

    async def _make_key(self, partition: int) -> int | None:
        """Make the key of a partition this process's; return its revision."""
        key, owner = _owner_key(partition), self._owner.encode()
        entry = await self._owner_of(partition)
        try:
            if entry is None:
                return int(await self._bucket.create(key, owner))
            if entry.value == owner:
                # Made before, but something went wrong after that.
                return int(await self._bucket.update(key, owner, last=entry.revision))
        except js_errors.KeyWrongLastSequenceError:
            pass  # another process was quicker
        return None


def _owner_key(partition: int) -> str:
    return f"owner.{partition}"
