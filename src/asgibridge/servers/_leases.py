"""Which partitions a process owns: a fair share, by leases that it keeps renewing.

What is the same for every broker.  What a broker does is a `LeaseStore`.
"""

import asyncio
from collections.abc import AsyncIterator, Container, Sequence
from typing import Final, Generic, Protocol, TypeVar, final

import attrs

from ._cancellation import end_task, is_cancelled
from ._lease import Lease, Token, lost
from ._partitions import fair_share
from ._reporter import logger

__all__ = ("LeaseStore", "Leases")

# Two of three beats may be lost before a lease is.
_BEATS_PER_LEASE: Final = 3


L = TypeVar("L", bound=Lease)


class LeaseStore(Protocol[L]):
    """Keeps the leases of all processes, in a broker.

    It is always the same process that asks; each lease lasts for a fixed time.
    All methods may raise whatever the broker's client does: the next beat tries
    again, and what is not renewed is over in time.
    """

    async def enter(self) -> int:
        """Count this process as alive for as long as a lease; return how many are."""
        ...

    async def renew(self, leases: Sequence[L], /) -> Sequence[L]:
        """Own partitions for longer; return the leases that are over."""
        ...

    def acquire(self, wanted: int, held: Container[int], /) -> AsyncIterator[L]:
        """Own up to so many partitions that nobody owns; yield a lease for each.

        One that is this process's in the broker and not among those *held* was
        acquired, and the answer was lost.
        """
        ...

    async def release(self, lease: L, /) -> None:
        """Own a partition no longer, and ring; a second time does no harm."""
        ...

    async def ring(self) -> None:
        """Let all processes look at the leases at once."""
        ...

    async def leave(self) -> None:
        """Count this process as alive no longer, and ring."""
        ...


@final
@attrs.define(eq=False)
class Leases(Generic[L]):
    """Holds a fair share of the partitions, by leases that it keeps renewing.

    At each beat it counts itself as alive, renews, hands over what is above
    its share and takes what is free below it.  Between beats it looks at once
    when the bell is rung: a process came, went, or handed something over.

    Not thread-safe: for one event loop.

    Args:
        store: Where the leases are.
        name: The application, for the log.
        partitions: How many there are.
        seconds: How long a lease lasts if it is not renewed.
        patience: For how many seconds the messages of a partition that is to
            be handed over may be unsettled.
        changed: Set when partitions come or go.
    """

    _store: LeaseStore[L] = attrs.field(alias="store")
    _name: str = attrs.field(alias="name")
    _partitions: int = attrs.field(alias="partitions")
    _seconds: float = attrs.field(alias="seconds")
    _patience: float = attrs.field(alias="patience")
    _changed: asyncio.Event = attrs.field(alias="changed")
    held: dict[int, L] = attrs.field(factory=dict[int, L], init=False)
    # Two beats at once would both take what is missing from the share, and see
    # each other's renewals as somebody else's.
    _beating: asyncio.Lock = attrs.field(factory=asyncio.Lock, init=False)
    _wanted: asyncio.Event = attrs.field(factory=asyncio.Event, init=False)
    _first: asyncio.Task[None] | None = attrs.field(default=None, init=False)
    _task: asyncio.Task[None] | None = attrs.field(default=None, init=False)  # the rest

    async def open(self) -> None:
        """Take a share, and begin to beat."""
        self._first = asyncio.create_task(self.beat())
        # Shielded: what it acquires must be known, if only to be handed over.
        await asyncio.shield(self._first)
        # Not before: whoever hears it must find this process alive.
        await self._store.ring()
        self._task = asyncio.create_task(self._run())

    async def close(self) -> None:
        """Hand everything over, at once; also after an `open` that was cancelled."""
        if self._first is None:
            return
        await asyncio.wait([self._first])
        if self._task is not None:
            async with self._beating:  # never while it acquires
                await end_task(self._task)
        for lease in list(self.held.values()):
            try:
                await self.release(lease)
            except Exception as exc:  # noqa: BLE001 - the others' turn
                number = lease.partition
                logger.error("Partition %d is not handed over: %r", number, exc)
        if not self._first.exception():
            await self._store.leave()

    def look(self) -> None:
        """Beat soon."""
        self._wanted.set()

    @property
    def active(self) -> list[L]:
        """The leases under which messages may be taken; the oldest first."""
        return [lease for lease in self.held.values() if lease.is_active]

    def find(self, token: Token) -> L:
        """Return the lease under which a message was taken.

        Raises:
            LeaseLostError: If it does not hold any longer.
        """
        lease = self.held.get(token.partition)
        if lease is None or lease.term != token.term or not self._check(lease):
            raise lost(token)
        return lease

    def settled(self, lease: L, token: Token) -> None:
        """Note that the server has a message no longer."""
        lease.pulled.discard(token.id)
        if lease.leaving_since is not None and not lease.pulled:
            self.look()

    def lose(self, lease: L) -> None:
        """Note that a lease is somebody else's."""
        if not lease.is_lost:
            logger.warning(
                "The lease of partition %d of %r was lost: this process was"
                " stopped, or cut off, for longer than %.1f s",
                lease.partition,
                self._name,
                self._seconds,
            )
            self._drop(lease)

    async def release(self, lease: L) -> None:
        """Give a partition to whoever takes it."""
        if self._check(lease):
            # First of all: while it is on its way, nothing may be done with it.
            self._drop(lease)
            try:
                await self._store.release(lease)
            except Exception:  # noqa: BLE001 - raised the second time
                # After a pause of the process, clients time out though the answer
                # is there.
                await self._store.release(lease)
            logger.info("Handed over partition %d", lease.partition)

    async def beat(self) -> None:
        """Bring leases and share into line."""
        async with self._beating:
            await self._beat()

    async def _beat(self) -> None:
        alive = await self._store.enter()
        await self._renew()
        share = fair_share(self._partitions, alive)
        active = self.active
        # The youngest first: it has done the least.
        for lease in active[share:]:
            lease.leaving_since = asyncio.get_running_loop().time()
            lease.forget_delayed()
        if len(active) < share:
            await self._acquire(share - len(active))
        await self._hand_over()

    async def _run(self) -> None:
        while True:
            try:
                async with asyncio.timeout(self._seconds / _BEATS_PER_LEASE):
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
        leases = list(self.held.values())
        if leases:
            # From when it was asked: it may have waited for the answer.
            valid_until = asyncio.get_running_loop().time() + self._seconds
            over = await self._store.renew(leases)
            for lease in leases:
                if lease in over:
                    self.lose(lease)
                else:
                    lease.valid_until = valid_until

    async def _acquire(self, wanted: int) -> None:
        valid_until = asyncio.get_running_loop().time() + self._seconds
        async for lease in self._store.acquire(wanted, self.held):
            lease.valid_until = valid_until
            self.held[lease.partition] = lease
            self._changed.set()
            logger.info("Owns partition %d of %r now", lease.partition, self._name)

    async def _hand_over(self) -> None:
        now = asyncio.get_running_loop().time()
        for lease in list(self.held.values()):
            since = lease.leaving_since
            if since is not None and (not lease.pulled or now - since > self._patience):
                await self.release(lease)

    def _check(self, lease: L) -> bool:
        """Return whether a lease still holds, by this process's clock."""
        if not lease.is_lost and asyncio.get_running_loop().time() >= lease.valid_until:
            self.lose(lease)
        return not lease.is_lost

    def _drop(self, lease: L) -> None:
        lease.is_lost = True
        lease.forget_delayed()
        self.held.pop(lease.partition, None)
        self._changed.set()
