"""Which partitions this process owns."""

import asyncio
from collections.abc import Callable
from typing import Any, Final, final

import attrs

from .._cancellation import end_task, is_cancelled
from .._partitions import fair_share
from .._reporter import logger
from ._connection import RedisConnection
from ._layout import GROUP, RedisLayout
from ._scripts import ACQUIRE, BEAT, LEAVE, RELEASE, RENEW

__all__ = ("Lease", "Ownership")

# Two of three beats may be lost before a lease is.
_BEATS_PER_LEASE: Final = 3


@final
@attrs.define(eq=False)
class Lease:
    """One partition, owned for one term."""

    partition: int
    value: str  # what the lease holds while it is ours
    # Where to go on with claiming what earlier owners left; None: all claimed.
    cursor: str | None = "0-0"
    # Behind which id the next new message will be; None: not known.
    last_id: str | None = None
    known: set[str] = attrs.field(factory=set[str])  # taken and not settled
    pulled: set[str] = attrs.field(factory=set[str])  # those of them with the server
    is_lost: bool = False
    leaving_since: float | None = None  # is to go to another process

    @property
    def is_active(self) -> bool:
        """Whether messages may be taken under it."""
        return not self.is_lost and self.leaving_since is None


@final
@attrs.define(eq=False)
class Ownership:
    """Holds a fair share of the partitions, by leases that it keeps renewing.

    At each beat it counts itself as alive, renews, hands over what is above
    its share and takes what is free below it.  Between beats it looks at once
    when the bell is rung: a process came, went, or handed something over.

    Not thread-safe: for one event loop.

    Args:
        connection: To Redis.
        layout: Where things are there.
        owner: The name of this process, different from all others'.
        seconds: How long a lease lasts if it is not renewed.
        patience: For how many seconds the messages of a partition that is to
            be handed over may be unsettled.
        dropped: Called with each lease that is not to be taken from any longer.
    """

    connection: RedisConnection
    layout: RedisLayout
    owner: str
    seconds: float
    patience: float
    _dropped: Callable[[Lease], None] = attrs.field(alias="dropped")
    leases: dict[int, Lease] = attrs.field(factory=dict[int, Lease], init=False)
    changed: asyncio.Event = attrs.field(factory=asyncio.Event, init=False)
    # Two beats at once would both take what is missing from the share.
    _beating: asyncio.Lock = attrs.field(factory=asyncio.Lock, init=False)
    _wanted: asyncio.Event = attrs.field(factory=asyncio.Event, init=False)
    _task: asyncio.Task[None] | None = attrs.field(default=None, init=False)

    async def open(self) -> None:
        """Take a share, and begin to beat."""
        await self.beat()
        # Not before: whoever hears it must find this process alive.
        bell = self.layout.bell
        await self.connection.command(
            "XADD", bell, "MAXLEN", 1, "*", "came", self.owner
        )
        self._task = asyncio.create_task(self._run())

    async def close(self) -> None:
        """Hand everything over, at once."""
        if self._task is not None:
            await end_task(self._task)
            for lease in list(self.leases.values()):
                await self._release(lease)
            keys = (self.layout.workers, self.layout.bell)
            await self.connection.call(LEAVE, keys, (self.owner,))

    def look(self) -> None:
        """Beat soon."""
        self._wanted.set()

    def lose(self, lease: Lease) -> None:
        """Note that a lease is somebody else's."""
        if not lease.is_lost:
            lease.is_lost = True
            logger.warning(
                "The lease of partition %d of %r was lost: this process was"
                " stopped, or cut off, for longer than %.1f s",
                lease.partition,
                self.layout.name,
                self.seconds,
            )
            self._drop(lease)

    async def beat(self) -> None:
        """Bring leases and share into line."""
        async with self._beating:
            await self._beat()

    async def _beat(self) -> None:
        alive = int(
            await self.connection.call(
                BEAT, [self.layout.workers], [self.owner, self._milliseconds]
            )
        )
        await self._renew()
        share = fair_share(self.layout.partitions, alive)
        active = [lease for lease in self.leases.values() if lease.is_active]
        # The youngest first: it has done the least.
        for lease in active[share:]:
            lease.leaving_since = asyncio.get_running_loop().time()
            self._dropped(lease)
        if len(active) < share:
            await self._acquire(share - len(active))
        await self._hand_over()

    @property
    def _milliseconds(self) -> int:
        return round(self.seconds * 1000)

    async def _run(self) -> None:
        while True:
            try:
                async with asyncio.timeout(self.seconds / _BEATS_PER_LEASE):
                    await self._wanted.wait()
            except TimeoutError:
                pass  # the regular beat
            self._wanted.clear()
            try:
                await self.beat()
            except Exception as exc:  # noqa: BLE001 - the next beat tries again
                logger.error("Leases cannot be renewed: %r", exc)
            if is_cancelled():
                return

    async def _renew(self) -> None:
        leases = list(self.leases.values())
        if not leases:
            return
        kept: list[int] = await self.connection.call(
            RENEW,
            [self.layout.lease(lease.partition) for lease in leases],
            [self._milliseconds, *(lease.value for lease in leases)],
        )
        for lease, is_kept in zip(leases, kept, strict=True):
            if not is_kept:
                self.lose(lease)

    async def _acquire(self, wanted: int) -> None:
        layout = self.layout
        keys: list[str] = []
        for partition in range(layout.partitions):
            keys += layout.lease(partition), layout.term(partition)
            keys.append(layout.stream(partition))
        args: list[str | int] = [self.owner, self._milliseconds, wanted, GROUP]
        got: list[list[Any]] = await self.connection.call(ACQUIRE, keys, args)
        for partition, term in got:
            value = f"{self.owner}:{term}"
            self.leases[partition] = Lease(partition, value)
            logger.info("Owns partition %d of %r now", partition, layout.name)
        if got:
            self.changed.set()

    async def _hand_over(self) -> None:
        now = asyncio.get_running_loop().time()
        for lease in list(self.leases.values()):
            since = lease.leaving_since
            if since is not None and (not lease.pulled or now - since > self.patience):
                await self._release(lease)

    async def _release(self, lease: Lease) -> None:
        keys = (self.layout.lease(lease.partition), self.layout.bell)
        await self.connection.call(RELEASE, keys, (lease.value,))
        lease.is_lost = True
        self._drop(lease)
        logger.info("Handed over partition %d", lease.partition)

    def _drop(self, lease: Lease) -> None:
        self.leases.pop(lease.partition, None)
        self._dropped(lease)
        self.changed.set()
