"""Which partitions this process owns, by keys that expire."""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any, Final, final

import attrs
from nats.js import errors as js_errors

from ...errors import SourceError
from .._cancellation import end_task, is_cancelled
from .._partitions import fair_share
from .._reporter import logger
from ._connection import NatsConnection
from ._consumers import create_consumer, delete_consumer
from ._layout import NatsLayout

__all__ = ("Lease", "Leases")

# Two of three beats may be lost before a lease is.
_BEATS_PER_LEASE: Final = 3


@final
@attrs.define(eq=False)
class Lease:
    """One partition, owned for one term."""

    partition: int
    term: int  # the revision of the key that made it ours; it only grows
    revision: int  # the latest, of the renewals
    valid_until: float  # seconds of the loop's clock
    consumer: str
    # How far earlier owners had come when they vanished; see _consumers.
    floors: tuple[int, ...]
    subscription: Any
    fetching: "asyncio.Task[list[Any]] | None" = None
    known: dict[int, Any] = attrs.field(factory=dict[int, Any])  # taken, not settled
    pulled: set[int] = attrs.field(factory=set[int])  # those with the server
    is_lost: bool = False
    leaving_since: float | None = None  # is to go to another process

    @property
    def is_active(self) -> bool:
        """Whether messages may be taken under it."""
        return not self.is_lost and self.leaving_since is None


@final
@attrs.define(eq=False)
class Leases:
    """Holds a fair share of the partitions, by keys that it keeps renewing.

    The bucket forgets a key that is not renewed in time.  A key can be made
    only if it is not there, and renewed only by who knows its latest revision.

    Not thread-safe: for one event loop.

    Args:
        connection: To NATS.
        layout: Where things are there.
        owner: The name of this process, different from all others'.
        seconds: How long a lease lasts if it is not renewed.
        patience: For how many seconds the messages of a partition that is to
            be handed over may be unsettled.
        ack_wait: After how many seconds without a sign of life the server
            delivers a message again.
        dropped: Called with each lease that is not to be taken from any longer.
    """

    connection: NatsConnection
    layout: NatsLayout
    owner: str
    seconds: float
    patience: float
    ack_wait: float
    _dropped: Callable[[Lease], None] = attrs.field(alias="dropped")
    held: dict[int, Lease] = attrs.field(factory=dict[int, Lease], init=False)
    changed: asyncio.Event = attrs.field(factory=asyncio.Event, init=False)
    _bucket: Any = attrs.field(default=None, init=False)
    _bell: Any = attrs.field(default=None, init=False)
    # Two beats at once would see each other's renewals as somebody else's.
    _beating: asyncio.Lock = attrs.field(factory=asyncio.Lock, init=False)
    _wanted: asyncio.Event = attrs.field(factory=asyncio.Event, init=False)
    _task: asyncio.Task[None] | None = attrs.field(default=None, init=False)

    async def open(self) -> None:
        """Take a share, and begin to beat."""
        layout, client = self.layout, self.connection.client
        try:
            self._bucket = await self.connection.js.create_key_value(
                bucket=layout.leases, ttl=self.seconds
            )
        except js_errors.BadRequestError as exc:
            msg = (
                f"the leases of {layout.name!r} do not last {self.seconds} s: give"
                f" all processes the same lease_seconds ({exc.description})"
            )
            raise SourceError(msg) from exc
        self._bell = await client.subscribe(layout.bell, cb=self._rung)
        await self.beat()
        # Not before: whoever hears it must find this process alive.
        await client.publish(layout.bell, self.owner.encode())
        self._task = asyncio.create_task(self._run())

    async def close(self) -> None:
        """Hand everything over, at once."""
        if self._task is None:
            return
        await end_task(self._task)
        for lease in list(self.held.values()):
            await self._release(lease)
        await self._bucket.delete(self._alive_key)
        await self.connection.client.publish(self.layout.bell, self.owner.encode())

    def look(self) -> None:
        """Beat soon."""
        self._wanted.set()

    def check(self, lease: Lease) -> bool:
        """Return whether a lease still holds, by this process's clock."""
        if not lease.is_lost and asyncio.get_running_loop().time() >= lease.valid_until:
            self.lose(lease)
        return not lease.is_lost

    def lose(self, lease: Lease) -> None:
        """Note that a lease is somebody else's."""
        lease.is_lost = True
        logger.warning(
            "The lease of partition %d of %r was lost: this process was"
            " stopped, or cut off, for longer than %.1f s",
            lease.partition,
            self.layout.name,
            self.seconds,
        )
        self._drop(lease)

    async def renounce(self, lease: Lease) -> None:
        """Give up a lease whose consumer vanished; whoever takes it makes another."""
        logger.error("The consumer %r has vanished", lease.consumer)
        await self._release(lease)
        self.look()

    async def beat(self) -> None:
        """Bring leases and share into line."""
        async with self._beating:
            await self._beat()

    async def _beat(self) -> None:
        await self._bucket.put(self._alive_key, b"")
        for lease in list(self.held.values()):
            await self._renew(lease)
        keys: list[str] = await self._bucket.keys()
        alive = sum(key.startswith("alive.") for key in keys)
        share = fair_share(self.layout.partitions, alive)
        active = [lease for lease in self.held.values() if lease.is_active]
        # The youngest first: it has done the least.
        for lease in active[share:]:
            lease.leaving_since = asyncio.get_running_loop().time()
            self._dropped(lease)
        free = [
            number
            for number in range(self.layout.partitions)
            if _owner_key(number) not in keys
        ]
        for partition in free[: max(0, share - len(active))]:
            await self._acquire(partition)
        await self._hand_over()

    @property
    def _alive_key(self) -> str:
        return f"alive.{self.owner}"

    async def _rung(self, _message: object) -> None:
        self._wanted.set()

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

    async def _renew(self, lease: Lease) -> None:
        asked_at = asyncio.get_running_loop().time()
        key = _owner_key(lease.partition)
        try:
            lease.revision = await self._bucket.update(
                key, self.owner.encode(), last=lease.revision
            )
        except js_errors.KeyWrongLastSequenceError:
            if not await self._is_ours(lease):
                self.lose(lease)
        else:
            lease.valid_until = asked_at + self.seconds

    async def _is_ours(self, lease: Lease) -> bool:
        """Find out whether a renewal was heard, and only its answer was lost."""
        try:
            entry = await self._bucket.get(_owner_key(lease.partition))
        except js_errors.KeyNotFoundError:
            return False
        lease.revision = entry.revision
        return bool(entry.value == self.owner.encode()) and self.check(lease)

    async def _acquire(self, partition: int) -> None:
        asked_at = asyncio.get_running_loop().time()
        key, layout = _owner_key(partition), self.layout
        try:
            term = await self._bucket.create(key, self.owner.encode())
        except js_errors.KeyWrongLastSequenceError:
            return  # another process was quicker
        consumer, floors = await create_consumer(
            self.connection.js, layout, partition, term, self.ack_wait
        )
        subscription = await self.connection.js.pull_subscribe_bind(
            consumer=consumer, stream=layout.stream
        )
        valid_until = asked_at + self.seconds
        self.held[partition] = Lease(
            partition, term, term, valid_until, consumer, floors, subscription
        )
        logger.info("Owns partition %d of %r now", partition, layout.name)
        self.changed.set()

    async def _hand_over(self) -> None:
        now = asyncio.get_running_loop().time()
        for lease in list(self.held.values()):
            since = lease.leaving_since
            if since is not None and (not lease.pulled or now - since > self.patience):
                await self._release(lease)

    async def _release(self, lease: Lease) -> None:
        if self.check(lease):
            lease.is_lost = True
            self._drop(lease)
            # Without a consumer nothing counts as delivered: given back.
            await delete_consumer(
                self.connection.js, self.layout.stream, lease.consumer
            )
            with contextlib.suppress(js_errors.APIError):  # it is gone by itself
                key = _owner_key(lease.partition)
                await self._bucket.delete(key, last=lease.revision)
            await self.connection.client.publish(self.layout.bell, b"free")
            logger.info("Handed over partition %d", lease.partition)

    def _drop(self, lease: Lease) -> None:
        self.held.pop(lease.partition, None)
        self._dropped(lease)
        self.changed.set()


def _owner_key(partition: int) -> str:
    return f"owner.{partition}"
