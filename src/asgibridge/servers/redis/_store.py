"""Leases as keys that expire, and what belongs to one in Redis."""

from collections.abc import AsyncIterator, Container, Sequence
from typing import Any, final

import attrs

from .._lease import Lease
from ._connection import RedisConnection
from ._layout import GROUP, RedisLayout
from ._scripts import ACQUIRE, BEAT, LEAVE, RELEASE, RENEW

__all__ = ("RedisLease", "RedisLeaseStore")


@final
@attrs.define(eq=False)
class RedisLease(Lease):
    """One partition; its term is what its key holds."""

    # Where to go on with claiming what was taken and not settled; None: all
    # claimed.
    cursor: str | None = "0-0"
    # Whether it was an earlier owner that took it: then this is another delivery.
    claims_of_others: bool = True
    # Behind which id the next new message will be; None: not known.
    last_id: str | None = None


@final
@attrs.define(eq=False)
class RedisLeaseStore:
    """Keeps leases in Redis; a `LeaseStore`.

    Args:
        connection: To Redis.
        layout: Where things are there.
        owner: The name of this process, different from all others'.
        seconds: How long a lease lasts if it is not renewed.
    """

    _connection: RedisConnection = attrs.field(alias="connection")
    _layout: RedisLayout = attrs.field(alias="layout")
    _owner: str = attrs.field(alias="owner")
    _seconds: float = attrs.field(alias="seconds")

    async def enter(self) -> int:
        """Count this process as alive; return how many are."""
        args = (self._owner, self._milliseconds)
        return int(await self._connection.call(BEAT, [self._layout.workers], args))

    async def renew(self, leases: Sequence[RedisLease], /) -> list[RedisLease]:
        """Own partitions for longer; return the leases that are over."""
        kept: list[int] = await self._connection.call(
            RENEW,
            [self._layout.lease(lease.partition) for lease in leases],
            [self._milliseconds, *(lease.term for lease in leases)],
        )
        pairs = zip(leases, kept, strict=True)
        return [lease for lease, is_kept in pairs if not is_kept]

    async def acquire(
        self, wanted: int, _held: Container[int], /
    ) -> AsyncIterator[RedisLease]:
        """Own partitions that nobody owns."""
        layout = self._layout
        keys: list[str] = []
        for partition in range(layout.partitions):
            keys += layout.lease(partition), layout.term(partition)
            keys.append(layout.stream(partition))
        args: list[str | int] = [self._owner, self._milliseconds, wanted, GROUP]
        got: list[list[Any]] = await self._connection.call(ACQUIRE, keys, args)
        for partition, term in got:
            yield RedisLease(partition, f"{self._owner}:{term}")

    async def release(self, lease: RedisLease, /) -> None:
        """Own a partition no longer, and ring."""
        keys = (self._layout.lease(lease.partition), self._layout.bell)
        await self._connection.call(RELEASE, keys, (lease.term,))

    async def ring(self) -> None:
        """Let all processes look at the leases at once."""
        bell = self._layout.bell
        await self._connection.command(
            "XADD", bell, "MAXLEN", 1, "*", "came", self._owner
        )

    async def leave(self) -> None:
        """Count this process as alive no longer, and ring."""
        keys = (self._layout.workers, self._layout.bell)
        await self._connection.call(LEAVE, keys, (self._owner,))

    @property
    def _milliseconds(self) -> int:
        return round(self._seconds * 1000)
