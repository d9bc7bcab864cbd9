"""Messages from lines of text over TCP: each connection is a conversation."""

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Final, final

import attrs

from .._options import seconds
from ..errors import SourceError, WireFormatError
from ..types import Envelope, MessageEvent, Settlement
from ._codec import LineCodec, recipient
from ._envelope import Message
from ._lines import MAX_LINE_BYTES, read_lines, tell_lost
from ._memory import MemorySource
from ._publish import published
from ._reporter import logger

__all__ = ("TcpSink", "TcpSource")

# So much of what is wrong with its lines a client may leave unread.
_MAX_UNREAD_BYTES: Final = 64 * 1024


@final
@attrs.define(eq=False)
class TcpSource:
    """Listens for connections, and takes each line for a message.

    A conversation's scope id is the client's address.  When the client hangs
    up, its last message is ``{"type": "message.closed"}``.  What was read is in
    memory only, and lost with the process.

    Args:
        host: The address to listen on.
        port: The port to listen on; 0 is any free one.
        codec: Reads the lines, and writes events.
    """

    host: str
    port: int
    codec: LineCodec = attrs.field(factory=lambda: LineCodec(is_named=False))
    _memory: MemorySource = attrs.field(
        # So few, that reading waits soon when nobody pulls.
        factory=lambda: MemorySource(max_size=1000),
        init=False,
    )
    _server: asyncio.Server | None = attrs.field(default=None, init=False)
    _connections: dict[str, asyncio.StreamWriter] = attrs.field(
        factory=dict[str, asyncio.StreamWriter], init=False
    )
    _tasks: set[asyncio.Task[None]] = attrs.field(
        factory=set[asyncio.Task[None]], init=False
    )

    async def open(self) -> None:
        """Begin to listen; `port` is the real one then.

        Raises:
            SourceError: If that address cannot be listened on.
        """
        try:
            # In two steps: a cancellation in between loses no socket.
            self._server = await asyncio.start_server(
                self._connected,
                self.host,
                self.port,
                limit=MAX_LINE_BYTES,
                start_serving=False,
            )
        except OSError as exc:
            msg = f"cannot listen on {self.host}:{self.port}: {exc}; choose another one"
            raise SourceError(msg) from exc
        self.port = self._server.sockets[0].getsockname()[1]
        await self._server.start_serving()

    async def pull(self, max_messages: int, /) -> Sequence[Message]:
        """Wait for lines."""
        return await self._memory.pull(max_messages)

    async def settle(
        self,
        envelope: Envelope,
        settlement: Settlement,
        /,
        *,
        delay: float = 0.0,
        reason: str = "",
    ) -> None:
        """Forget a line, or bring it again later."""
        await self._memory.settle(envelope, settlement, delay=delay, reason=reason)

    async def close(self) -> None:
        """Stop listening, and hang up on everybody."""
        if self._server is not None:
            self._server.close()
        # Before the farewells of those who are hung up on, which are none's.
        tell_lost(self._memory)
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        await self._memory.close()

    def connection(self, scope_id: str) -> asyncio.StreamWriter | None:
        """Return the connection of a conversation, if there is one."""
        return self._connections.get(scope_id)

    def publish(self, message: Message) -> None:
        """Add a message of somebody else's."""
        # Never waits: the application that would make room sends it.
        self._memory.put_nowait(message)

    def _connected(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        task = asyncio.get_running_loop().create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        host, port = writer.get_extra_info("peername")[:2]
        scope_id = f"{host}:{port}"
        self._connections[scope_id] = writer

        def complain(problem: str) -> None:
            # Not kept without end for a client that does not read.
            if writer.transport.get_write_buffer_size() < _MAX_UNREAD_BYTES:
                writer.write(f"error: {problem}\n".encode())

        try:
            async for line in read_lines(reader, complain):
                try:
                    message = self.codec.decode(line, scope_id)
                except WireFormatError as exc:
                    complain(str(exc))
                else:
                    await self._memory.put(message)
        except ConnectionError as exc:
            logger.info("The connection of %s broke: %s", scope_id, exc)
        finally:
            del self._connections[scope_id]
            writer.close()
            scope = {"type": "message", "scope_id": scope_id}
            closed = Message(scope_id, {"type": "message.closed"}, scope)
            self._memory.put_nowait(closed)


@final
@attrs.frozen(eq=False)
class TcpSink:
    """Writes each event as a line to the connection of its conversation.

    An event may say ``to`` to go to another one.  For conversations without a
    connection there is nobody to tell; the log says so.  Events of type
    ``message.publish`` become messages of the source instead.

    Args:
        source: Has the connections.
        patience: A client that lets so many seconds pass without reading is
            hung up on, for it keeps others waiting.
    """

    _source: TcpSource = attrs.field(alias="source")
    patience: float = attrs.field(default=10.0, validator=seconds, kw_only=True)

    async def open(self) -> None:
        """Do nothing: the source does."""

    async def send(self, envelope: Envelope, event: MessageEvent, /) -> None:
        """Write an event; wait while the client is too slow."""
        message = published(envelope, event)
        if message is not None:
            self._source.publish(message)
            return
        scope_id = recipient(envelope, event)
        writer = self._source.connection(scope_id)
        if writer is None:
            logger.info("Nobody is there to tell: %s has hung up", scope_id)
            return
        writer.write(self._source.codec.encode(envelope, event).encode())
        with contextlib.suppress(ConnectionError):  # the source sees it, too
            try:
                async with asyncio.timeout(self.patience):
                    await writer.drain()
            except TimeoutError:
                logger.warning("Hung up on %s, who does not read", scope_id)
                writer.transport.abort()

    async def close(self) -> None:
        """Do nothing: the source does."""
