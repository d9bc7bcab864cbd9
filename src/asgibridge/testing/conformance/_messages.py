"""What sources and sinks of messages promise beyond their types."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

from ...servers import Message
from ...types import Envelope, MessageEvent, MessageSink, MessageSource, Settlement
from ._tools import SAFETY_NET, fixture_missing

__all__ = ("SinkConformance", "SourceConformance")


class SourceConformance:
    """What a `MessageSource` promises beyond its type.

    Subclass it, and provide `make_source`, which returns a new source that
    finds no messages, and `feed`, which puts some where it will find them.
    Both are called on the loop that the source is used on.
    """

    async def make_source(self) -> MessageSource:
        """Return a new source, not opened yet: yours overrides this one."""
        fixture_missing(type(self), "make_source")

    async def feed(
        self, source: MessageSource, scope_id: str, *events: MessageEvent
    ) -> None:
        """Add messages of one conversation: yours overrides this one."""
        fixture_missing(type(self), "feed")

    def _run(self, test: Callable[[MessageSource], Awaitable[None]]) -> None:
        async def run() -> None:
            async with asyncio.timeout(SAFETY_NET):
                source = await self.make_source()
                await source.open()
                try:
                    await test(source)
                finally:
                    await source.close()

        asyncio.run(run())

    def test_messages_arrive_in_order(self) -> None:
        """Those of one conversation come in order, each with what it is about."""

        async def test(source: MessageSource) -> None:
            events = [_event(number) for number in range(20)]
            await self.feed(source, "a", *events)
            pulled = await _pull(source, 20)
            assert [dict(envelope.event) for envelope in pulled] == events
            assert {envelope.scope_id for envelope in pulled} == {"a"}
            assert {envelope.delivery_count for envelope in pulled} == {1}
            assert all("type" in envelope.scope for envelope in pulled)

        self._run(test)

    def test_conversations_are_kept_apart(self) -> None:
        """The messages of several come all, in order within each."""

        async def test(source: MessageSource) -> None:
            for number in range(5):
                for scope_id in ("a", "b", "c"):
                    await self.feed(source, scope_id, _event(number))
            pulled = await _pull(source, 15)
            for scope_id in ("a", "b", "c"):
                numbers = [
                    envelope.event["number"]
                    for envelope in pulled
                    if envelope.scope_id == scope_id
                ]
                assert numbers == list(range(5))

        self._run(test)

    def test_no_more_than_asked_for(self) -> None:
        """A pull returns at least one message, and never too many."""

        async def test(source: MessageSource) -> None:
            await self.feed(source, "a", *(_event(number) for number in range(5)))
            count = 0
            while count < 5:
                batch = await source.pull(2)
                assert 1 <= len(batch) <= 2
                count += len(batch)
                await _settle(source, batch)

        self._run(test)

    def test_pull_waits(self) -> None:
        """Without a message a pull waits for one."""

        async def test(source: MessageSource) -> None:
            pulling = asyncio.ensure_future(source.pull(1))
            done, _ = await asyncio.wait([pulling], timeout=0)
            assert not done
            await self.feed(source, "a", _event(1))
            (envelope,) = await pulling
            assert envelope.event["number"] == 1

        self._run(test)

    def test_cancelled_pull_loses_nothing(self) -> None:
        """What a cancelled pull might have returned comes with a later one."""

        async def test(source: MessageSource) -> None:
            for number in range(10):
                pulling = asyncio.ensure_future(source.pull(1))
                await asyncio.sleep(0)  # it waits now
                await self.feed(source, "a", _event(number))
                for _ in range(number):  # cancelled at one step or another
                    await asyncio.sleep(0)
                pulling.cancel()
                await asyncio.wait([pulling])
                batch = () if pulling.cancelled() else pulling.result()
                batch = batch or await source.pull(1)
                assert [envelope.event["number"] for envelope in batch] == [number]
                await _settle(source, batch)

        self._run(test)

    def test_done_is_not_delivered_again(self) -> None:
        """A message that was handled does not come back."""
        self._run(lambda source: self._does_not_return(source, Settlement.DONE))

    def test_dead_is_not_delivered_again(self) -> None:
        """Nor does one that cannot be handled."""
        self._run(lambda source: self._does_not_return(source, Settlement.DEAD))

    async def _does_not_return(
        self, source: MessageSource, settlement: Settlement
    ) -> None:
        await self.feed(source, "a", _event(1))
        await _settle(source, await _pull(source, 1), settlement)
        await self.feed(source, "a", _event(2))
        assert (await _pull(source, 1))[0].event["number"] == 2

    def test_retry_is_delivered_again(self) -> None:
        """A message that is to be tried again comes again."""

        async def test(source: MessageSource) -> None:
            await self.feed(source, "a", _event(1))
            for _ in range(3):
                (envelope,) = await source.pull(1)
                assert envelope.event["number"] == 1
                await _settle(source, [envelope], Settlement.RETRY)
            await _settle(source, await _pull(source, 1))

        self._run(test)

    def test_settling_twice_does_no_harm(self) -> None:
        """To be told a second time changes nothing."""

        async def test(source: MessageSource) -> None:
            await self.feed(source, "a", _event(1))
            batch = await _pull(source, 1)
            await _settle(source, batch)
            await _settle(source, batch)
            await self.feed(source, "a", _event(2))
            assert (await _pull(source, 1))[0].event["number"] == 2

        self._run(test)

    def test_close_at_any_time(self) -> None:
        """A source can be closed while messages are out, and waiting."""

        async def test(source: MessageSource) -> None:
            await self.feed(source, "a", _event(1), _event(2))
            (envelope,) = await source.pull(1)
            assert envelope.event["number"] == 1

        self._run(test)


class SinkConformance:
    """What a `MessageSink` promises beyond its type.

    Subclass it, and provide `make_sink`, which returns a new sink, and `taken`,
    which returns what it has taken, in order, after it was closed.  A sink that
    takes events only from the owner of a conversation needs `make_envelope` as
    well.  All are called on the loop that the sink is used on.
    """

    async def make_sink(self) -> MessageSink:
        """Return a new sink, not opened yet: yours overrides this one."""
        fixture_missing(type(self), "make_sink")

    async def taken(self, sink: MessageSink) -> Sequence[MessageEvent]:
        """Return the events it has taken: yours overrides this one."""
        fixture_missing(type(self), "taken")

    async def make_envelope(self, sink: MessageSink, scope_id: str) -> Envelope:
        """Return a message of a conversation, for which events can be sent.

        Override it if *sink* looks at more of it than its `scope_id`.
        """
        del sink
        return Message(scope_id, _event(0))

    def _run(
        self, test: Callable[[MessageSink], Awaitable[None]]
    ) -> Sequence[MessageEvent]:
        async def run() -> Sequence[MessageEvent]:
            async with asyncio.timeout(SAFETY_NET):
                async with _opened(await self.make_sink()) as sink:
                    await test(sink)
                return await self.taken(sink)

        return asyncio.run(run())

    def test_events_are_taken_in_order(self) -> None:
        """What one instance sends arrives in the order it was sent, all of it."""

        async def test(sink: MessageSink) -> None:
            envelope = await self.make_envelope(sink, "a")
            for number in range(20):
                await sink.send(envelope, _event(number))

        assert [event["number"] for event in self._run(test)] == list(range(20))

    def test_many_senders(self) -> None:
        """Several tasks may send at once; each one's order is kept."""

        async def send(sink: MessageSink, envelope: Envelope, name: str) -> None:
            for number in range(10):
                await sink.send(envelope, {**_event(number), "of": name})

        async def test(sink: MessageSink) -> None:
            # One after the other: what makes them need not bear more.
            envelopes = [await self.make_envelope(sink, name) for name in "abc"]
            await asyncio.gather(*map(send, [sink] * 3, envelopes, "abc"))

        taken = self._run(test)
        assert len(taken) == 30
        for scope_id in "abc":
            numbers = [event["number"] for event in taken if event["of"] == scope_id]
            assert numbers == list(range(10))

    def test_close_without_use(self) -> None:
        """One that took nothing can be closed, and has taken nothing."""

        async def test(_: MessageSink) -> None:
            """Send nothing."""

        assert list(self._run(test)) == []


@asynccontextmanager
async def _opened(sink: MessageSink) -> AsyncGenerator[MessageSink]:
    await sink.open()
    try:
        yield sink
    finally:
        await sink.close()


def _event(number: int) -> MessageEvent:
    return {"type": "message.number", "number": number}


async def _pull(source: MessageSource, count: int) -> list[Envelope]:
    """Pull as often as it takes to have *count* messages."""
    pulled: list[Envelope] = []
    while len(pulled) < count:
        batch = await source.pull(count - len(pulled))
        assert batch, "pull() returned nothing, which is the end of the stream"
        pulled.extend(batch)
    return pulled


async def _settle(
    source: MessageSource,
    envelopes: Sequence[Envelope],
    settlement: Settlement = Settlement.DONE,
) -> None:
    for envelope in envelopes:
        await source.settle(envelope, settlement)
