"""Messages within one process: for small servers, and for tests."""

import asyncio
import itertools
from collections import deque
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Final, final

import attrs

from .._options import whole
from ..types import Envelope, MessageEvent, Settlement
from ._envelope import Message
from ._publish import published

__all__ = ("DeadLetter", "MemorySink", "MemorySource")

# Dead letters are for people to look at, who start with the latest.
_MAX_DEAD: Final = 1000


@final
@attrs.frozen(eq=False)
class DeadLetter:
    """A message that could not be handled, and why."""

    envelope: Envelope
    reason: str


@final
@attrs.define(eq=False)
class MemorySource:
    """A queue in memory; what is in it is lost with the process.

    Not thread-safe: for one event loop.

    Args:
        max_size: How many messages `put` lets wait.
    """

    max_size: int = attrs.field(default=10_000, validator=whole(1), kw_only=True)
    dead_letters: deque[DeadLetter] = attrs.field(
        factory=lambda: deque(maxlen=_MAX_DEAD), init=False
    )
    _queue: deque[Message] = attrs.field(factory=deque[Message], init=False)
    # Pulled and not settled, by token.
    _out: dict[object, Message] = attrs.field(factory=dict[object, Message], init=False)
    _delayed: set[asyncio.TimerHandle] = attrs.field(
        factory=set[asyncio.TimerHandle], init=False
    )
    _tokens: Iterator[int] = attrs.field(factory=itertools.count, init=False)
    _has_ended: bool = attrs.field(default=False, init=False)
    _readers: deque[asyncio.Future[None]] = attrs.field(
        factory=deque[asyncio.Future[None]], init=False
    )
    _writers: deque[asyncio.Future[None]] = attrs.field(
        factory=deque[asyncio.Future[None]], init=False
    )

    def __len__(self) -> int:
        """Return how many messages wait to be pulled."""
        return len(self._queue)

    @property
    def unsettled(self) -> int:
        """How many messages were added and are not done with."""
        return len(self._queue) + len(self._out) + len(self._delayed)

    async def put(self, message: Message) -> None:
        """Add a message; wait while the queue is full."""
        while len(self._queue) >= self.max_size:
            writer = asyncio.get_running_loop().create_future()
            self._writers.append(writer)
            await writer
        self.put_nowait(message)

    def put_nowait(self, message: Message) -> None:
        """Add a message, even if the queue is full."""
        # Not attrs.evolve(), which costs more than all the rest of the queue.
        self._queue.append(
            Message(
                message.scope_id,
                message.event,
                message.scope,
                token=next(self._tokens),
                delivery_count=message.delivery_count,
                term=message.term,
            )
        )
        _wake(self._readers)

    def end(self) -> None:
        """Let `pull` return nothing once everything is settled."""
        self._has_ended = True
        _wake(self._readers)

    async def open(self) -> None:
        """Do nothing."""

    async def pull(self, max_messages: int, /) -> Sequence[Message]:
        """Wait for messages; return none after `end` when all are settled."""
        while not self._queue:
            if self._has_ended and not self._out and not self._delayed:
                return []
            reader = asyncio.get_running_loop().create_future()
            self._readers.append(reader)
            await reader
        batch = [
            self._queue.popleft() for _ in range(min(max_messages, len(self._queue)))
        ]
        self._out.update((message.token, message) for message in batch)
        _wake(self._writers)
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
        """Forget a message, queue it again, or add it to `dead_letters`."""
        message = self._out.pop(envelope.token, None)
        if message is None:
            return  # a second time
        if settlement is Settlement.DEAD:
            self.dead_letters.append(DeadLetter(message, reason))
        elif settlement is Settlement.RETRY:
            self._retry(message, delay)
        _wake(self._readers)

    async def close(self) -> None:
        """Forget the messages that were to come again later."""
        for handle in self._delayed:
            handle.cancel()
        self._delayed.clear()

    def _retry(self, message: Message, delay: float) -> None:
        if delay <= 0:
            self.put_nowait(message)
            return

        def again() -> None:
            self._delayed.discard(handle)
            self.put_nowait(message)

        handle = asyncio.get_running_loop().call_later(delay, again)
        self._delayed.add(handle)


@final
@attrs.define(eq=False)
class MemorySink:
    """Keeps what applications send until somebody takes it.

    Events of type ``message.publish`` become messages of *source* instead.

    Not thread-safe: for one event loop.

    Args:
        source: Where published messages go; None keeps them like other events.
        max_size: How many events may wait; `send` waits while there are as many.
    """

    _source: MemorySource | None = attrs.field(default=None, alias="source")
    max_size: int = attrs.field(default=10_000, validator=whole(1), kw_only=True)
    _sent: deque[tuple[Envelope, MessageEvent]] = attrs.field(
        factory=deque[tuple[Envelope, MessageEvent]], init=False
    )
    _readers: deque[asyncio.Future[None]] = attrs.field(
        factory=deque[asyncio.Future[None]], init=False
    )
    _writers: deque[asyncio.Future[None]] = attrs.field(
        factory=deque[asyncio.Future[None]], init=False
    )
    _is_closed: bool = attrs.field(default=False, init=False)

    async def open(self) -> None:
        """Do nothing."""

    async def send(self, envelope: Envelope, event: MessageEvent, /) -> None:
        """Keep an event; wait while there are too many."""
        message = published(envelope, event)
        if message is not None and self._source is not None:
            # Never waits: the application that would make room is this one.
            self._source.put_nowait(message)
            return
        while len(self._sent) >= self.max_size:
            writer = asyncio.get_running_loop().create_future()
            self._writers.append(writer)
            await writer
        self._sent.append((envelope, event))
        _wake(self._readers)

    async def get(self) -> tuple[Envelope, MessageEvent] | None:
        """Wait for an event; return it with what its sender received last.

        None if there is no event, and the sink is closed.
        """
        while not self._sent:
            if self._is_closed:
                return None
            reader = asyncio.get_running_loop().create_future()
            self._readers.append(reader)
            await reader
        _wake(self._writers)
        return self._sent.popleft()

    async def __aiter__(self) -> AsyncIterator[tuple[Envelope, MessageEvent]]:
        """Yield events until the sink is closed and empty."""
        while (sent := await self.get()) is not None:
            yield sent

    async def close(self) -> None:
        """Let readers come to an end."""
        self._is_closed = True
        _wake(self._readers)


def _wake(waiters: deque[asyncio.Future[None]]) -> None:
    """Let everybody who waits look again."""
    while waiters:
        waiter = waiters.popleft()
        if not waiter.done():
            waiter.set_result(None)
