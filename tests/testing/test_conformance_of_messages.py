"""The conformance suites of sources and sinks, on the ones in memory and broken ones."""

import asyncio
from collections.abc import Callable, Sequence
from typing import cast

import pytest

from asgibridge.servers import MemorySink, MemorySource, Message
from asgibridge.testing.conformance import (
    SinkConformance,
    SourceConformance,
    _messages,
)
from asgibridge.types import (
    Envelope,
    MessageEvent,
    MessageSink,
    MessageSource,
    Settlement,
)


class TestMemorySource(SourceConformance):
    """The queue in memory."""

    async def make_source(self) -> MessageSource:
        return MemorySource()

    async def feed(
        self, source: MessageSource, scope_id: str, *events: MessageEvent
    ) -> None:
        for event in events:
            await cast("MemorySource", source).put(Message(scope_id, event))


class TestMemorySink(SinkConformance):
    """The sink in memory."""

    async def make_sink(self) -> MessageSink:
        return MemorySink()

    async def taken(self, sink: MessageSink) -> Sequence[MessageEvent]:
        return [event async for _, event in cast("MemorySink", sink)]


class Source:
    """A source in memory, to be broken in one way by each subclass."""

    def __init__(self) -> None:
        """Start empty."""
        self.memory = MemorySource()

    async def open(self) -> None:
        """Do nothing."""

    async def pull(self, max_messages: int, /) -> Sequence[Envelope]:
        """Pull."""
        return await self.memory.pull(max_messages)

    async def settle(
        self,
        envelope: Envelope,
        settlement: Settlement,
        /,
        *,
        delay: float = 0.0,
        reason: str = "",
    ) -> None:
        """Settle."""
        await self.memory.settle(envelope, settlement, delay=delay, reason=reason)

    async def close(self) -> None:
        """Close."""
        await self.memory.close()


class Reversed(Source):
    """Brings each batch backwards."""

    async def pull(self, max_messages: int, /) -> Sequence[Envelope]:
        """Pull backwards."""
        return (await super().pull(max_messages))[::-1]


class Greedy(Source):
    """Brings everything there is."""

    async def pull(self, max_messages: int, /) -> Sequence[Envelope]:
        """Pull too much."""
        return await super().pull(1000)


class Hasty(Source):
    """Says that the stream ended when there is nothing at the moment."""

    async def pull(self, max_messages: int, /) -> Sequence[Envelope]:
        """Pull without waiting."""
        return await super().pull(max_messages) if len(self.memory) else []


class Forgetful(Source):
    """Loses what it holds when the pull is cancelled."""

    async def pull(self, max_messages: int, /) -> Sequence[Envelope]:
        """Pull, and hold it for a moment."""
        batch = await super().pull(max_messages)
        for _ in range(3):
            await asyncio.sleep(0)
        return batch


class Deaf(Source):
    """Delivers everything again, whatever it is told."""

    async def settle(
        self,
        envelope: Envelope,
        settlement: Settlement,
        /,
        *,
        delay: float = 0.0,
        reason: str = "",
    ) -> None:
        """Do not listen."""
        self.memory.put_nowait(Message(envelope.scope_id, envelope.event))


class Final(Source):
    """Delivers nothing again."""

    async def settle(
        self,
        envelope: Envelope,
        settlement: Settlement,
        /,
        *,
        delay: float = 0.0,
        reason: str = "",
    ) -> None:
        """Take everything as done."""
        await super().settle(envelope, Settlement.DONE)


@pytest.mark.parametrize(
    ("broken", "test"),
    [
        (Reversed, SourceConformance.test_messages_arrive_in_order),
        (Reversed, SourceConformance.test_conversations_are_kept_apart),
        (Greedy, SourceConformance.test_no_more_than_asked_for),
        (Hasty, SourceConformance.test_pull_waits),
        (Forgetful, SourceConformance.test_cancelled_pull_loses_nothing),
        (Deaf, SourceConformance.test_done_is_not_delivered_again),
        (Deaf, SourceConformance.test_dead_is_not_delivered_again),
        (Deaf, SourceConformance.test_settling_twice_does_no_harm),
        (Final, SourceConformance.test_retry_is_delivered_again),
    ],
)
def test_broken_source_is_caught(
    broken: type[Source],
    test: Callable[[SourceConformance], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The test about the promise that is broken fails."""

    class Suite(SourceConformance):
        async def make_source(self) -> MessageSource:
            return broken()

        async def feed(
            self, source: MessageSource, scope_id: str, *events: MessageEvent
        ) -> None:
            for event in events:
                await cast("Source", source).memory.put(Message(scope_id, event))

    monkeypatch.setattr(_messages, "SAFETY_NET", 0.1)
    with pytest.raises((AssertionError, TimeoutError)):
        test(Suite())


class Lossy:
    """A sink that loses the first event, and brings the others backwards."""

    def __init__(self) -> None:
        """Start empty."""
        self.events: list[MessageEvent] = []

    async def open(self) -> None:
        """Do nothing."""

    async def send(self, envelope: Envelope, event: MessageEvent, /) -> None:
        """Put it in front."""
        del envelope
        self.events.insert(0, event)

    async def close(self) -> None:
        """Lose one, and invent one."""
        self.events = self.events[:-1] or [{"type": "invented"}]


@pytest.mark.parametrize(
    "test",
    [
        SinkConformance.test_events_are_taken_in_order,
        SinkConformance.test_many_senders,
        SinkConformance.test_close_without_use,
    ],
)
def test_broken_sink_is_caught(test: Callable[[SinkConformance], None]) -> None:
    """The test about the promise that is broken fails."""

    class Suite(SinkConformance):
        async def make_sink(self) -> MessageSink:
            return Lossy()

        async def taken(self, sink: MessageSink) -> Sequence[MessageEvent]:
            return cast("Lossy", sink).events

    with pytest.raises(AssertionError):
        test(Suite())


@pytest.mark.parametrize(
    "missing",
    [
        lambda: SourceConformance().feed(MemorySource(), "a"),
        lambda: SinkConformance().taken(MemorySink()),
    ],
)
def test_missing_method_is_explained(missing: Callable[[], object]) -> None:
    """A suite without one of its methods says which."""
    with pytest.raises(pytest.UsageError, match="needs a method or fixture"):
        asyncio.run(missing())  # type: ignore[arg-type] # both are coroutines
