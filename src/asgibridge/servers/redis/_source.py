"""Messages from Redis Streams."""

import asyncio
import os
import secrets
import socket
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any, Final, final

import attrs

from ...errors import LeaseLostError, SourceError, WireFormatError
from ...types import Envelope, Settlement
from .._cancellation import end_task
from .._reporter import logger
from ._connection import RedisConnection
from ._layout import GROUP, OWNER, RedisLayout
from ._ownership import Lease, Ownership
from ._scripts import CLAIM, DEAD, DONE, LOST, RETRY, TAKE
from ._wire import RedisToken, decode

__all__ = ("RedisSource",)

# So often the server gives a sign of life while it has nothing to tell; in any
# case before the connection counts as dead.
_BELL_SECONDS: Final = 5.0


def _new_owner() -> str:
    return f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"


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
    lease_seconds: float = attrs.field(
        default=15.0, validator=attrs.validators.gt(0), kw_only=True
    )
    handover_seconds: float = attrs.field(
        default=30.0, validator=attrs.validators.gt(0), kw_only=True
    )
    create: bool = attrs.field(default=True, kw_only=True)
    owner: str = attrs.field(factory=_new_owner, kw_only=True)
    ownership: Ownership = attrs.field(init=False)
    _ready: deque[tuple[Lease, RedisToken, Envelope]] = attrs.field(
        factory=deque[tuple[Lease, RedisToken, Envelope]], init=False
    )
    _delayed: dict[RedisToken, asyncio.TimerHandle] = attrs.field(
        factory=dict[RedisToken, asyncio.TimerHandle], init=False
    )
    _bell_id: str = attrs.field(default="0-0", init=False)
    _wake: asyncio.Event = attrs.field(factory=asyncio.Event, init=False)
    _is_closing: bool = attrs.field(default=False, init=False)

    def __attrs_post_init__(self) -> None:
        self.ownership = Ownership(
            self.connection,
            self.layout,
            self.owner,
            self.lease_seconds,
            self.handover_seconds,
            self._drop,
        )
        self.ownership.changed = self._wake

    async def open(self) -> None:
        """Connect, and take a share of the partitions.

        Raises:
            SourceError: If it will never work: credentials, version, or another
                number of partitions in Redis.
        """
        await self.connection.open()
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
        await self.ownership.open()

    async def pull(self, max_messages: int, /) -> Sequence[Envelope]:
        """Wait for messages."""
        while not self._ready:
            self._wake.clear()
            if not await self._fetch(max_messages):
                await self._wait()
        batch: list[Envelope] = []
        while self._ready and len(batch) < max_messages:
            lease, token, envelope = self._ready.popleft()
            lease.pulled.add(token.entry_id)
            batch.append(envelope)
        return batch

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
        token = _token(envelope)
        lease = self._lease(token)
        stream, entry_id = self.layout.stream(token.partition), token.entry_id
        keys = [self.layout.lease(token.partition), stream]
        count = envelope.delivery_count
        if settlement is Settlement.DONE:
            args: list[str | int] = [token.lease, GROUP, entry_id]
            script = DONE
        elif settlement is Settlement.DEAD:
            keys.append(self.layout.dead)
            args = [token.lease, GROUP, entry_id, count, reason]
            script = DEAD
        else:
            # Who claims it adds one.
            args = [token.lease, GROUP, OWNER, entry_id, count - 1]
            script = RETRY
        answer = await self.connection.call(script, keys, args, outlasts=True)
        if answer == LOST:
            self.ownership.lose(lease)
            raise _lost(token)
        self._settled(lease, envelope, delay, again=settlement is Settlement.RETRY)

    async def close(self) -> None:
        """Hand the partitions over, and disconnect."""
        self._is_closing = True
        try:
            await self.ownership.close()
        finally:
            await self.connection.close()

    # What is taken

    async def _fetch(self, max_messages: int) -> bool:
        """Take or claim messages; return whether there were any."""
        leases = [one for one in self.ownership.leases.values() if one.is_active]
        count = max(1, max_messages // max(1, len(leases)))
        found = await asyncio.gather(*(self._fetch_one(one, count) for one in leases))
        return any(found)

    async def _fetch_one(self, lease: Lease, count: int) -> bool:
        try:
            if lease.cursor is not None:
                return await self._claim(lease, count)
            return await self._take(lease, count)
        except Exception:
            # What was taken may be taken, and its answer lost: claim it.
            lease.cursor = "0-0"
            raise

    async def _take(self, lease: Lease, count: int) -> bool:
        keys = self._keys(lease)
        args: list[str | int] = [lease.value, GROUP, OWNER, count]
        answer = await self.connection.call(TAKE, keys, args)
        if answer == LOST:
            self.ownership.lose(lease)
            return False
        if isinstance(answer, bytes):
            lease.last_id = answer.decode()
            return False
        entries: list[list[Any]] = answer or []
        await self._add(lease, entries, [1] * len(entries))
        return bool(entries)

    async def _claim(self, lease: Lease, count: int) -> bool:
        keys = self._keys(lease)
        cursor = lease.cursor or "0-0"
        args: list[str | int] = [lease.value, GROUP, OWNER, cursor, count]
        answer = await self.connection.call(CLAIM, keys, args)
        if answer == LOST:
            self.ownership.lose(lease)
            return False
        cursor, entries, counts = answer
        lease.cursor = None if cursor == b"0-0" else cursor.decode()
        await self._add(lease, entries, counts)
        return True  # there may be more, and then what is new

    async def _add(
        self, lease: Lease, entries: Sequence[Sequence[Any]], counts: Sequence[int]
    ) -> None:
        for (raw_id, raw_fields), count in zip(entries, counts, strict=True):
            entry_id = raw_id.decode()
            if entry_id in lease.known:
                continue
            token = RedisToken(lease.partition, lease.value, entry_id)
            try:
                message = decode(_fields(raw_fields), token, int(count))
            except (WireFormatError, UnicodeDecodeError) as exc:
                await self._refuse(lease, entry_id, str(exc))
            else:
                if lease.is_active:
                    lease.known.add(entry_id)
                    self._ready.append((lease, token, message))

    async def _refuse(self, lease: Lease, entry_id: str, problem: str) -> None:
        stream = self.layout.stream(lease.partition)
        logger.error("The entry %s of %s is no message: %s", entry_id, stream, problem)
        keys = [*self._keys(lease), self.layout.dead]
        args: list[str | int] = [lease.value, GROUP, entry_id, 1, problem]
        await self.connection.call(DEAD, keys, args)

    async def _wait(self) -> None:
        """Wait until there may be something to take, or to deliver again."""
        reading = asyncio.create_task(self._listen())
        waking = asyncio.create_task(self._wake.wait())
        try:
            await asyncio.wait([reading, waking], return_when=asyncio.FIRST_COMPLETED)
        finally:
            waking.cancel()
            await end_task(reading)
        if not reading.cancelled():
            reading.result()

    async def _listen(self) -> None:
        """Wait at the server for an entry, in the streams or of the bell.

        Only to be told: this takes nothing, so it needs no lease.
        """
        streams = {
            self.layout.stream(lease.partition): lease.last_id
            for lease in self.ownership.leases.values()
            if lease.is_active and lease.last_id is not None
        }
        streams[self.layout.bell] = self._bell_id
        seconds = min(_BELL_SECONDS, self.connection.timeout / 2)
        block = round(1000 * seconds)
        where = (*streams, *streams.values())
        answer: Any = await self.connection.command(
            "XREAD", "COUNT", 1, "BLOCK", block, "STREAMS", *where
        )
        rung: dict[bytes, list[tuple[bytes, Any]]] = dict(answer or [])
        bell = rung.get(self.layout.bell.encode())
        if bell is not None:
            self._bell_id = bell[-1][0].decode()
            self.ownership.look()

    # What is settled

    def _settled(
        self, lease: Lease, envelope: Envelope, delay: float, *, again: bool
    ) -> None:
        token = _token(envelope)
        lease.pulled.discard(token.entry_id)
        if again and lease.is_active and not self._is_closing:
            self._delayed[token] = asyncio.get_running_loop().call_later(
                delay, self._again, lease, token, envelope
            )
        else:
            lease.known.discard(token.entry_id)
        if lease.leaving_since is not None and not lease.pulled:
            self.ownership.look()

    def _again(self, lease: Lease, token: RedisToken, envelope: Envelope) -> None:
        del self._delayed[token]
        self._ready.append((lease, token, envelope))
        self._wake.set()

    def _lease(self, token: RedisToken) -> Lease:
        lease = self.ownership.leases.get(token.partition)
        if lease is None or lease.value != token.lease:
            raise _lost(token)
        return lease

    def _drop(self, lease: Lease) -> None:
        """Keep nothing of a partition except what the server has."""
        self._ready = deque(one for one in self._ready if one[0] is not lease)
        for token in [one for one in self._delayed if one.lease == lease.value]:
            if token.partition == lease.partition:
                self._delayed.pop(token).cancel()

    def _keys(self, lease: Lease) -> list[str]:
        partition = lease.partition
        return [self.layout.lease(partition), self.layout.stream(partition)]


def _token(envelope: Envelope) -> RedisToken:
    """Return the token of a message of this source."""
    token = envelope.token
    if not isinstance(token, RedisToken):
        msg = f"a message of another source: {envelope!r}"
        raise TypeError(msg)
    return token


def _fields(raw: Sequence[bytes]) -> Mapping[str, str]:
    """Return the fields of an entry."""
    texts = [part.decode() for part in raw]
    return dict(zip(texts[::2], texts[1::2], strict=True))


def _lost(token: RedisToken) -> LeaseLostError:
    msg = (
        f"partition {token.partition} has another owner now, which will handle"
        f" message {token.entry_id}; this process may neither settle nor send"
    )
    return LeaseLostError(msg)
