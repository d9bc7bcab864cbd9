"""The conformance suites on lines: standard input and output, and TCP."""

import asyncio
import json
import os
import socket
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from typing import IO, cast, final

import pytest

from asgibridge.servers import (
    LineCodec,
    LineSink,
    LineSource,
    TcpSink,
    TcpSource,
    open_stdin,
    open_stdout,
)
from asgibridge.testing.conformance import SinkConformance, SourceConformance
from asgibridge.types import Envelope, MessageEvent, MessageSink, MessageSource
from tests.staging import PATIENCE


@final
class Pipe:
    """What standard input and output are under a shell."""

    def __init__(self, stack: ExitStack) -> None:
        reading, writing = os.pipe()
        self.reading: IO[bytes] = stack.enter_context(os.fdopen(reading, "rb", 0))
        self.writing: IO[bytes] = stack.enter_context(os.fdopen(writing, "wb", 0))


@final
class Clients:
    """Connections to a `TcpSource`, made and read by blocking code.

    They do not wait: what they send, and what is sent to them, fits into the
    buffers of the system.
    """

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self._connections: list[socket.socket] = []

    def connect(self, source: TcpSource) -> socket.socket:
        """Open one more."""
        address = (source.host, source.port)
        client = self._stack.enter_context(socket.create_connection(address, PATIENCE))
        self._connections.append(client)
        return client

    def received(self) -> list[MessageEvent]:
        """Return the events that were sent to each, to the end, one after the other."""
        events: list[MessageEvent] = []
        for client in self._connections:
            with client.makefile("rb") as lines:
                events += [event_of(line) for line in lines]
        return events


def line_of(scope_id: str, event: MessageEvent) -> bytes:
    """Return a message as a line."""
    return json.dumps({"scope_id": scope_id, "event": event}).encode() + b"\n"


def event_of(line: bytes) -> MessageEvent:
    """Return the event in a line."""
    return cast("MessageEvent", json.loads(line)["event"])


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    """Close what is put on it."""
    with ExitStack() as stack:
        yield stack


class TestStandardInput(SourceConformance):
    """Lines from a pipe."""

    @pytest.fixture(autouse=True)
    def _provide(self, stack: ExitStack) -> None:
        self.pipe = Pipe(stack)

    async def make_source(self) -> MessageSource:
        return LineSource(lambda: open_stdin(self.pipe.reading))

    async def feed(
        self, source: MessageSource, scope_id: str, *events: MessageEvent
    ) -> None:
        for event in events:
            self.pipe.writing.write(line_of(scope_id, event))


class TestStandardOutput(SinkConformance):
    """Lines into a pipe."""

    @pytest.fixture(autouse=True)
    def _provide(self, stack: ExitStack) -> None:
        self.pipe = Pipe(stack)

    async def make_sink(self) -> MessageSink:
        codec = LineCodec(writes_json=True)
        return LineSink(lambda: open_stdout(self.pipe.writing), codec=codec)

    async def taken(self, sink: MessageSink) -> Sequence[MessageEvent]:
        self.pipe.writing.close()
        return [event_of(line) for line in self.pipe.reading]


class TestTcpSource(SourceConformance):
    """Lines over a connection; as JSON, which may name the conversation."""

    @pytest.fixture(autouse=True)
    def _provide(self, stack: ExitStack) -> None:
        self.clients = Clients(stack)
        self.client: socket.socket | None = None

    async def make_source(self) -> MessageSource:
        return TcpSource("127.0.0.1", 0)

    async def feed(
        self, source: MessageSource, scope_id: str, *events: MessageEvent
    ) -> None:
        if self.client is None:
            self.client = self.clients.connect(cast("TcpSource", source))
        self.client.sendall(b"".join(line_of(scope_id, event) for event in events))


class TestTcpSink(SinkConformance):
    """Lines to connections: each is a conversation."""

    @pytest.fixture(autouse=True)
    def _provide(self, stack: ExitStack) -> None:
        self.clients = Clients(stack)

    async def make_sink(self) -> MessageSink:
        self.source = TcpSource("127.0.0.1", 0)
        await self.source.open()
        return TcpSink(self.source)

    async def make_envelope(self, sink: MessageSink, scope_id: str) -> Envelope:
        # What it is called is for the source to say: an address.
        self.clients.connect(self.source).sendall(scope_id.encode() + b"\n")
        (envelope,) = await self.source.pull(1)
        return envelope

    async def taken(self, sink: MessageSink) -> Sequence[MessageEvent]:
        await self.source.close()
        return await asyncio.to_thread(self.clients.received)
