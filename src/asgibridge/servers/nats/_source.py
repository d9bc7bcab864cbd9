"""Messages from NATS JetStream."""

import asyncio
import contextlib
import os
import secrets
import socket
from collections import deque
from collections.abc import Sequence
from typing import Any, Final, final

import attrs
from nats import errors
from nats.js import api, errors as js_errors

from ...errors import LeaseLostError, SourceError, WireFormatError
from ...types import Envelope, Settlement
from .._cancellation import end_task
from .._reporter import logger
from ._connection import NatsConnection
from ._layout import NatsLayout
from ._leases import Lease, Leases
from ._wire import NatsToken, decode

__all__ = ("NatsSource", "lost")

# A fetch that finds nothing is asked for again so often: the server forgets
# those of clients that it lost, and of consumers that somebody deleted.
_FETCH_SECONDS: Final = 5.0
# Signs of life for each message in the time after which it would come again.
_SIGNS_PER_WAIT: Final = 3
_MAX_OUT: Final = 100_000


def _new_owner() -> str:
    # The parts of a key are separated by dots.
    host = socket.gethostname().replace(".", "-")
    return f"{host}-{os.getpid()}-{secrets.token_hex(4)}"


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
    any more.  Whether it may send is decided by its own clock: NATS has no way
    to look at a lease and publish in one step.

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
    lease_seconds: float = attrs.field(
        default=15.0, validator=attrs.validators.gt(0), kw_only=True
    )
    handover_seconds: float = attrs.field(
        default=30.0, validator=attrs.validators.gt(0), kw_only=True
    )
    ack_wait: float = attrs.field(
        default=30.0, validator=attrs.validators.gt(0), kw_only=True
    )
    create: bool = attrs.field(default=True, kw_only=True)
    owner: str = attrs.field(factory=_new_owner, kw_only=True)
    leases: Leases = attrs.field(init=False)
    _ready: deque[tuple[Lease, NatsToken, Envelope]] = attrs.field(
        factory=deque[tuple[Lease, NatsToken, Envelope]], init=False
    )
    _delayed: dict[NatsToken, asyncio.TimerHandle] = attrs.field(
        factory=dict[NatsToken, asyncio.TimerHandle], init=False
    )
    _wake: asyncio.Event = attrs.field(factory=asyncio.Event, init=False)
    # Those of leases that are gone, too: they end when the connection does.
    _fetches: set[asyncio.Task[list[Any]]] = attrs.field(
        factory=set[asyncio.Task[list[Any]]], init=False
    )
    _signing: asyncio.Task[None] | None = attrs.field(default=None, init=False)
    _is_closing: bool = attrs.field(default=False, init=False)

    def __attrs_post_init__(self) -> None:
        self.leases = Leases(
            self.connection,
            self.layout,
            self.owner,
            self.lease_seconds,
            self.handover_seconds,
            self.ack_wait,
            self._drop,
        )
        self.leases.changed = self._wake

    async def open(self) -> None:
        """Connect, and take a share of the partitions.

        Raises:
            SourceError: If it will never work: credentials, version, no
                JetStream, or another number of partitions.
        """
        await self.connection.open()
        await self._open_streams()
        await self.leases.open()
        self._signing = asyncio.create_task(self._sign())

    async def pull(self, max_messages: int, /) -> Sequence[Envelope]:
        """Wait for messages."""
        while not self._ready:
            self._wake.clear()
            await self._fetch(max_messages)
        batch: list[Envelope] = []
        while self._ready and len(batch) < max_messages:
            lease, token, envelope = self._ready.popleft()
            lease.pulled.add(token.sequence)
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
        lease, token = self.lease_of(envelope)
        message = lease.known.get(token.sequence)
        if message is None:
            return  # a second time
        if settlement is Settlement.DEAD:
            await self._bury(message, envelope.delivery_count, reason)
        if settlement is not Settlement.RETRY:
            await self._acknowledge(lease, message)
        lease.pulled.discard(token.sequence)
        again = settlement is Settlement.RETRY and lease.is_active
        if again and not self._is_closing:
            self._delayed[token] = asyncio.get_running_loop().call_later(
                delay, self._again, lease, token, envelope
            )
        else:
            lease.known.pop(token.sequence, None)
        if lease.leaving_since is not None and not lease.pulled:
            self.leases.look()

    async def close(self) -> None:
        """Hand the partitions over, and disconnect."""
        self._is_closing = True
        try:
            await self.leases.close()
        finally:
            if self._signing is not None:
                await end_task(self._signing)
            await asyncio.gather(*(end_task(task) for task in self._fetches))
            await self.connection.close()

    def lease_of(self, envelope: Envelope) -> tuple[Lease, NatsToken]:
        """Return the lease under which a message was taken, and its token.

        Raises:
            LeaseLostError: If it does not hold any longer.
        """
        token = envelope.token
        if not isinstance(token, NatsToken):
            msg = f"a message of another source than NatsSource: {envelope!r}"
            raise TypeError(msg)
        lease = self.leases.held.get(token.partition)
        if lease is None or lease.term != token.term or not self.leases.check(lease):
            raise lost(token)
        return lease, token

    # Streams

    async def _open_streams(self) -> None:
        layout, js = self.layout, self.connection.js
        try:
            info = await js.stream_info(layout.stream)
        except js_errors.NotFoundError:
            if not self.create:
                msg = (
                    f"there is no stream {layout.stream!r} in this NATS: check the"
                    " name and the account, or let it be created"
                )
                raise SourceError(msg) from None
            await self._create_streams()
            return
        found = info.config.description
        if found != layout.description:
            msg = (
                f"the stream {layout.stream!r} is made for {found!r}, not for"
                f" {layout.description!r}: use that number, or another name"
            )
            raise SourceError(msg)

    async def _create_streams(self) -> None:
        layout, js = self.layout, self.connection.js
        await js.add_stream(
            name=layout.out_stream, subjects=[layout.out], max_msgs=_MAX_OUT
        )
        await js.add_stream(name=layout.dead_stream, subjects=[layout.dead])
        # Last: who finds it, finds all.
        await js.add_stream(
            name=layout.stream,
            description=layout.description,
            subjects=[layout.subjects],
            retention=api.RetentionPolicy.WORK_QUEUE,
        )

    # What is taken

    async def _fetch(self, max_messages: int) -> None:
        """Wait until there is something to deliver, or leases have changed."""
        leases = [one for one in self.leases.held.values() if one.is_active]
        count = max(1, max_messages // max(1, len(leases)))
        for lease in leases:
            # One stays on its way for each: the server answers when it can.
            if lease.fetching is None:
                lease.fetching = asyncio.create_task(_fetch_some(lease, count))
                self._fetches.add(lease.fetching)
                lease.fetching.add_done_callback(self._fetches.discard)
        waking = asyncio.create_task(self._wake.wait())
        fetching = [one.fetching for one in leases if one.fetching is not None]
        try:
            await asyncio.wait([waking, *fetching], return_when=asyncio.FIRST_COMPLETED)
        finally:
            waking.cancel()
        for lease in leases:
            await self._collect(lease)

    async def _collect(self, lease: Lease) -> None:
        task = lease.fetching
        if task is None or not task.done():
            return
        lease.fetching = None
        messages = task.result()
        for message in messages:
            await self._add(lease, message)
        if not messages:
            await self._look_for_consumer(lease)

    async def _look_for_consumer(self, lease: Lease) -> None:
        """Find out whether nothing came because somebody deleted the consumer.

        The server does not answer those who ask such a one for messages.
        """
        try:
            await self.connection.js.consumer_info(self.layout.stream, lease.consumer)
        except js_errors.NotFoundError:
            await self.leases.renounce(lease)

    async def _add(self, lease: Lease, message: Any) -> None:  # noqa: ANN401 - nats-py's
        sequence = int(message.metadata.sequence.stream)
        is_known = sequence in lease.known
        lease.known[sequence] = message
        if is_known or not lease.is_active:
            # It came again because no sign of life was heard in time.
            return
        count = int(message.metadata.num_delivered)
        count += sum(sequence <= floor for floor in lease.floors)
        token = NatsToken(lease.partition, lease.term, sequence)
        try:
            envelope = decode(message.data, token, count)
        except WireFormatError as exc:
            logger.error(
                "Message %d of %r is none: %s", sequence, self.layout.stream, exc
            )
            await self._bury(message, count, str(exc))
            await self._acknowledge(lease, message)
            del lease.known[sequence]
        else:
            self._ready.append((lease, token, envelope))

    async def _sign(self) -> None:
        """Report what is not settled as in progress, again and again."""
        while True:
            await asyncio.sleep(self.ack_wait / _SIGNS_PER_WAIT)
            for lease in list(self.leases.held.values()):
                for message in [*lease.known.values(), *_fetched(lease)]:
                    await message.in_progress()

    # What is settled

    async def _acknowledge(self, lease: Lease, message: Any) -> None:  # noqa: ANN401 - nats-py's
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

    def _again(self, lease: Lease, token: NatsToken, envelope: Envelope) -> None:
        del self._delayed[token]
        self._ready.append((lease, token, envelope))
        self._wake.set()

    def _drop(self, lease: Lease) -> None:
        """Keep nothing of a partition except what the server has."""
        self._ready = deque(one for one in self._ready if one[0] is not lease)
        for token in list(self._delayed):
            if (token.partition, token.term) == (lease.partition, lease.term):
                self._delayed.pop(token).cancel()


async def _fetch_some(lease: Lease, count: int) -> list[Any]:
    loop = asyncio.get_running_loop()
    asked_at = loop.time()
    found: list[Any] = []
    with contextlib.suppress(errors.TimeoutError):
        found = await lease.subscription.fetch(count, timeout=_FETCH_SECONDS)
    # nats-py takes "there is nobody" for "there is nothing", and says so at once.
    if not found and loop.time() - asked_at < _FETCH_SECONDS / 2:
        msg = f"the consumer {lease.consumer!r} does not answer"
        raise ConnectionError(msg)
    return found


def _fetched(lease: Lease) -> list[Any]:
    """Return what was fetched, and nobody has asked for yet."""
    task = lease.fetching
    if task is None or not task.done() or task.exception():
        return []
    return task.result()


def lost(token: NatsToken) -> LeaseLostError:
    """Return the error for somebody who is not the owner any longer."""
    msg = (
        f"partition {token.partition} has another owner now, which will handle"
        f" message {token.sequence}; this process may neither settle nor send"
    )
    return LeaseLostError(msg)
