"""Fetching messages from NATS, and keeping those that take long."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any, Final, final

import attrs
from nats.js import errors as js_errors

from ...errors import WireFormatError
from .._arrivals import Arrivals
from .._cancellation import end_task
from .._lease import Token
from .._leases import Leases
from .._reporter import logger
from ._connection import NatsConnection
from ._layout import NatsLayout
from ._store import NatsLease
from ._wire import decode

__all__ = ("Intake",)

# A fetch that finds nothing is asked for again so often: the server forgets
# those of clients that it lost, and of consumers that somebody deleted.
_FETCH_SECONDS: Final = 5.0


@final
@attrs.define(eq=False)
class Intake:
    """Fills a source's `Arrivals` from the consumers whose leases it holds.

    Args:
        connection: To NATS.
        layout: Where things are there.
        leases: What this process owns.
        arrivals: Where messages go.
        refuse: Puts aside what is no message, and says why.
    """

    _connection: NatsConnection = attrs.field(alias="connection")
    _layout: NatsLayout = attrs.field(alias="layout")
    _leases: Leases[NatsLease] = attrs.field(alias="leases")
    _arrivals: Arrivals[NatsLease] = attrs.field(alias="arrivals")
    _refuse: Callable[[NatsLease, Any, str], Awaitable[None]] = attrs.field(
        alias="refuse"
    )
    # Those of leases that are gone, too: they end when the connection does.
    _fetches: set[asyncio.Task[list[Any]]] = attrs.field(
        factory=set[asyncio.Task[list[Any]]], init=False
    )

    async def fetch(self, max_messages: int) -> None:
        """Wait until there is something to deliver, or leases have changed."""
        leases = self._leases.active
        count = max(1, max_messages // max(1, len(leases)))
        for lease in leases:
            # One stays on its way for each: the server answers when it can.
            if lease.fetching is None:
                lease.fetching = asyncio.create_task(_fetch_some(lease, count))
                self._fetches.add(lease.fetching)
                lease.fetching.add_done_callback(self._fetched)
        waking = asyncio.create_task(self._arrivals.changed.wait())
        fetching = [one.fetching for one in leases if one.fetching is not None]
        try:
            await asyncio.wait([waking, *fetching], return_when=asyncio.FIRST_COMPLETED)
        finally:
            waking.cancel()
        for lease in leases:
            await self._collect(lease)

    def unsettled(self) -> list[Any]:
        """Return what was fetched under leases that hold, and is not settled."""
        found: list[Any] = []
        for lease in self._leases.held.values():
            found += lease.known.values()
            task = lease.fetching
            # What nobody has asked for yet.
            if task is not None and task.done() and not task.exception():
                found += task.result()
        return found

    async def close(self) -> None:
        """Fetch nothing more."""
        await asyncio.gather(*(end_task(task) for task in self._fetches))

    def _fetched(self, task: asyncio.Task[list[Any]]) -> None:
        self._fetches.discard(task)
        if not task.cancelled():
            # Noted, for a lease may be gone before anybody collects.
            task.exception()

    async def _collect(self, lease: NatsLease) -> None:
        task = lease.fetching
        if task is None or not task.done() or not lease.is_active:
            return
        lease.fetching = None
        messages = task.result()
        problems = [(one, self._add(lease, one)) for one in messages]
        # Those behind them are safe by now, whatever happens here.
        for message, problem in problems:
            if problem is not None:
                await self._refuse(lease, message, problem)
        if not messages:
            await self._look_for_consumer(lease)

    async def _look_for_consumer(self, lease: NatsLease) -> None:
        """Find out whether nothing came because somebody deleted the consumer.

        The server does not answer those who ask such a one for messages.
        """
        stream = self._layout.stream
        try:
            await self._connection.js.consumer_info(stream, lease.consumer)
        except js_errors.NotFoundError:
            logger.error("The consumer %r has vanished", lease.consumer)
            # Whoever takes it makes another.
            await self._leases.release(lease)
            self._leases.look()

    def _add(self, lease: NatsLease, message: Any) -> str | None:  # noqa: ANN401 - nats-py's
        """Add a message; return what is wrong with it."""
        sequence = int(message.metadata.sequence.stream)
        if sequence in lease.known:
            # It came again because no sign of life was heard in time.
            lease.known[sequence] = message
            return None
        token = Token(lease.partition, lease.term, sequence)
        try:
            envelope = decode(message.data, token, lease.count(message))
        except WireFormatError as exc:
            stream = self._layout.stream
            logger.error("Message %d of %r is none: %s", sequence, stream, exc)
            return str(exc)
        lease.known[sequence] = message
        self._arrivals.add(lease, token, envelope)
        return None


async def _fetch_some(lease: NatsLease, count: int) -> list[Any]:
    loop = asyncio.get_running_loop()
    asked_at = loop.time()
    found: list[Any] = []
    # Not only nats-py's: after a pause of the process it raises asyncio's.
    with contextlib.suppress(TimeoutError):
        found = await lease.subscription.fetch(count, timeout=_FETCH_SECONDS)
    # nats-py takes "there is nobody" for "there is nothing", and says so at once.
    if not found and loop.time() - asked_at < _FETCH_SECONDS / 2:
        msg = f"the consumer {lease.consumer!r} does not answer"
        raise ConnectionError(msg)
    return found
