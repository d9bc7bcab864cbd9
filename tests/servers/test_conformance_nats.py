"""The conformance suites on NATS JetStream, against a real server."""

import json
from collections.abc import Sequence
from typing import Protocol, final

import pytest

from asgibridge.servers import Message
from asgibridge.servers.nats import (
    NatsConnection,
    NatsLayout,
    NatsPublisher,
    NatsSink,
    NatsSource,
)
from asgibridge.testing.conformance import SinkConformance, SourceConformance
from asgibridge.types import Envelope, MessageEvent, MessageSink, MessageSource
from tests.staging import PATIENCE

LAYOUT = NatsLayout("conformance", 4)


class NatsServer(Protocol):
    """The server of the fixture."""

    @property
    def url(self) -> str: ...


@final
class Nats:
    """A source that has a server to itself, and what a program puts into it."""

    def __init__(self, server: NatsServer) -> None:
        connection = NatsConnection(server.url, timeout=PATIENCE)
        # No lease expires within a test, and no message comes again by itself.
        self.source = NatsSource(
            connection, LAYOUT, lease_seconds=10 * PATIENCE, ack_wait=10 * PATIENCE
        )

    async def publish(self, scope_id: str, *events: MessageEvent) -> None:
        """Add messages, as any program does."""
        publisher = NatsPublisher(self.source.connection, LAYOUT)
        await publisher.publish(*(Message(scope_id, event) for event in events))

    async def sent(self) -> list[MessageEvent]:
        """Return what applications have sent."""
        js = self.source.connection.js
        state = (await js.stream_info(LAYOUT.out_stream)).state
        numbers = range(state.first_seq, state.last_seq + 1) if state.messages else ()
        messages = [await js.get_msg(LAYOUT.out_stream, number) for number in numbers]
        return [json.loads(message.data)["event"] for message in messages]


class TestNatsSource(SourceConformance):
    """Messages from a work queue."""

    @pytest.fixture(autouse=True)
    def _provide(self, nats_server: NatsServer) -> None:
        self.nats = Nats(nats_server)

    async def make_source(self) -> MessageSource:
        return self.nats.source

    async def feed(
        self, source: MessageSource, scope_id: str, *events: MessageEvent
    ) -> None:
        await self.nats.publish(scope_id, *events)


class TestNatsSink(SinkConformance):
    """Events into a stream, from the owner of the conversation only."""

    @pytest.fixture(autouse=True)
    def _provide(self, nats_server: NatsServer) -> None:
        self.nats = Nats(nats_server)

    async def make_sink(self) -> MessageSink:
        await self.nats.source.open()
        return NatsSink(self.nats.source)

    async def make_envelope(self, sink: MessageSink, scope_id: str) -> Envelope:
        await self.nats.publish(scope_id, {"type": "message.receive", "text": ""})
        (envelope,) = await self.nats.source.pull(1)
        return envelope

    async def taken(self, sink: MessageSink) -> Sequence[MessageEvent]:
        found = await self.nats.sent()
        await self.nats.source.close()
        return found
