"""The conformance suites on Redis Streams, against a real server."""

import json
from collections.abc import Sequence
from typing import Any, Protocol, final

import pytest

from asgibridge.servers import Message
from asgibridge.servers.redis import (
    RedisConnection,
    RedisLayout,
    RedisPublisher,
    RedisSink,
    RedisSource,
)
from asgibridge.testing.conformance import SinkConformance, SourceConformance
from asgibridge.types import Envelope, MessageEvent, MessageSink, MessageSource
from tests.staging import PATIENCE

LAYOUT = RedisLayout("conformance", 4)


class RedisServer(Protocol):
    """The server of the fixture."""

    url: str


@final
class Redis:
    """A source that has a server to itself, and what a program puts into it."""

    def __init__(self, server: RedisServer) -> None:
        # No lease expires within a test.
        connection = RedisConnection(server.url, timeout=PATIENCE)
        self.source = RedisSource(connection, LAYOUT, lease_seconds=10 * PATIENCE)

    async def publish(self, scope_id: str, *events: MessageEvent) -> None:
        """Add messages, as any program does."""
        publisher = RedisPublisher(self.source.connection, LAYOUT)
        await publisher.publish(*(Message(scope_id, event) for event in events))

    async def sent(self) -> list[MessageEvent]:
        """Return what applications have sent."""
        connection = self.source.connection
        entries: Any = await connection.command("XRANGE", LAYOUT.out, "-", "+")
        return [json.loads(fields[b"event"]) for _, fields in entries]


class TestRedisSource(SourceConformance):
    """Messages from streams."""

    @pytest.fixture(autouse=True)
    def _provide(self, redis_server: RedisServer) -> None:
        self.redis = Redis(redis_server)

    async def make_source(self) -> MessageSource:
        return self.redis.source

    async def feed(
        self, source: MessageSource, scope_id: str, *events: MessageEvent
    ) -> None:
        await self.redis.publish(scope_id, *events)


class TestRedisSink(SinkConformance):
    """Events into a stream, from the owner of the conversation only."""

    @pytest.fixture(autouse=True)
    def _provide(self, redis_server: RedisServer) -> None:
        self.redis = Redis(redis_server)

    async def make_sink(self) -> MessageSink:
        await self.redis.source.open()
        return RedisSink(self.redis.source.connection, LAYOUT)

    async def make_envelope(self, sink: MessageSink, scope_id: str) -> Envelope:
        await self.redis.publish(scope_id, {"type": "message.receive", "text": ""})
        (envelope,) = await self.redis.source.pull(1)
        return envelope

    async def taken(self, sink: MessageSink) -> Sequence[MessageEvent]:
        found = await self.redis.sent()
        await self.redis.source.close()
        return found
