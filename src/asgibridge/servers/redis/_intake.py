"""Taking messages out of Redis streams, and waiting for them."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Final, final

import attrs

from ...errors import WireFormatError
from .._arrivals import Arrivals
from .._cancellation import end_task
from .._lease import Token
from .._leases import Leases
from .._reporter import logger
from ._connection import RedisConnection
from ._layout import GROUP, OWNER, RedisLayout
from ._scripts import CLAIM, DEAD, LOST, TAKE
from ._store import RedisLease
from ._wire import decode

__all__ = ("Intake",)

# So often the server gives a sign of life while it has nothing to tell; in any
# case before the connection counts as dead.
_BELL_SECONDS: Final = 5.0


@final
@attrs.define(eq=False)
class Intake:
    """Fills a source's `Arrivals` from the streams whose leases it holds.

    Args:
        connection: To Redis.
        layout: Where things are there.
        leases: What this process owns.
        arrivals: Where messages go.
    """

    _connection: RedisConnection = attrs.field(alias="connection")
    _layout: RedisLayout = attrs.field(alias="layout")
    _leases: Leases[RedisLease] = attrs.field(alias="leases")
    _arrivals: Arrivals[RedisLease] = attrs.field(alias="arrivals")
    _bell_id: str = attrs.field(default="0-0", init=False)

    async def fetch(self, max_messages: int) -> None:
        """Take or claim messages; if there are none, wait until there may be."""
        leases = self._leases.active
        count = max(1, max_messages // max(1, len(leases)))
        found = await asyncio.gather(*(self._fetch_one(one, count) for one in leases))
        if not any(found):
            await self._wait()

    async def _fetch_one(self, lease: RedisLease, count: int) -> bool:
        """Return whether there may be more."""
        try:
            if lease.cursor is not None:
                return await self._claim(lease, count, lease.cursor)
            return await self._take(lease, count)
        except BaseException:  # re-raised: an error or a cancellation
            # Something may be taken, and the answer lost: claim it.
            if lease.cursor is None:
                lease.cursor, lease.claims_of_others = "0-0", False
            raise

    async def _take(self, lease: RedisLease, count: int) -> bool:
        args: list[str | int] = [lease.term, GROUP, OWNER, count]
        answer = await self._connection.call(TAKE, self._keys(lease), args)
        if answer == LOST:
            self._leases.lose(lease)
            return False
        if isinstance(answer, bytes):
            lease.last_id = answer.decode()
            return False
        entries: list[list[Any]] = answer or []
        await self._add(lease, entries, [1] * len(entries))
        return bool(entries)

    async def _claim(self, lease: RedisLease, count: int, cursor: str) -> bool:
        args: list[str | int] = [lease.term, GROUP, OWNER, cursor, count]
        answer = await self._connection.call(CLAIM, self._keys(lease), args)
        if answer == LOST:
            self._leases.lose(lease)
            return False
        next_cursor, entries, counts = answer
        await self._add(lease, entries, counts)
        # Only now: what was not added has to be claimed again.
        lease.cursor = None if next_cursor == b"0-0" else next_cursor.decode()
        return True  # there may be more, and then what is new

    async def _add(
        self,
        lease: RedisLease,
        entries: Sequence[Sequence[Any]],
        counts: Sequence[int],
    ) -> None:
        """Add entries that Redis says were delivered so often."""
        # To an earlier owner, and now once more.
        more = int(lease.cursor is not None and lease.claims_of_others)
        for (raw_id, raw_fields), count in zip(entries, counts, strict=True):
            entry_id = raw_id.decode()
            if entry_id in lease.known:
                continue
            token = Token(lease.partition, lease.term, entry_id)
            try:
                message = decode(_fields(raw_fields), token, int(count) + more)
            except (WireFormatError, UnicodeDecodeError) as exc:
                await self._refuse(lease, entry_id, str(exc))
            else:
                lease.known[entry_id] = int(count)
                self._arrivals.add(lease, token, message)

    async def _refuse(self, lease: RedisLease, entry_id: str, problem: str) -> None:
        stream = self._layout.stream(lease.partition)
        logger.error("The entry %s of %s is no message: %s", entry_id, stream, problem)
        keys = [*self._keys(lease), self._layout.dead]
        args: list[str | int] = [lease.term, GROUP, entry_id, 1, problem]
        await self._connection.call(DEAD, keys, args)

    async def _wait(self) -> None:
        """Wait until there may be something to take, or to deliver again."""
        listening = asyncio.create_task(self._listen())
        waking = asyncio.create_task(self._arrivals.changed.wait())
        try:
            await asyncio.wait([listening, waking], return_when=asyncio.FIRST_COMPLETED)
        finally:
            waking.cancel()
            await end_task(listening)
        if not listening.cancelled():
            listening.result()

    async def _listen(self) -> None:
        """Wait at the server for an entry, in the streams or of the bell.

        Only to be told: this takes nothing, so it needs no lease.
        """
        streams = {
            self._layout.stream(lease.partition): lease.last_id
            for lease in self._leases.active
            if lease.last_id is not None
        }
        streams[self._layout.bell] = self._bell_id
        seconds = min(_BELL_SECONDS, self._connection.timeout / 2)
        block = round(1000 * seconds)
        where = (*streams, *streams.values())
        answer: Any = await self._connection.command(
            "XREAD", "COUNT", 1, "BLOCK", block, "STREAMS", *where
        )
        rung: dict[bytes, list[tuple[bytes, Any]]] = dict(answer or [])
        bell = rung.get(self._layout.bell.encode())
        if bell is not None:
            self._bell_id = bell[-1][0].decode()
            self._leases.look()

    def _keys(self, lease: RedisLease) -> list[str]:
        partition = lease.partition
        return [self._layout.lease(partition), self._layout.stream(partition)]


def _fields(raw: Sequence[bytes]) -> Mapping[str, str]:
    """Return the fields of an entry."""
    texts = [part.decode() for part in raw]
    return dict(zip(texts[::2], texts[1::2], strict=True))
