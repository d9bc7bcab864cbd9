"""Messages from lines of text."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import Final, Protocol, final

import attrs

from ..errors import WireFormatError
from ..types import Envelope, MessageEvent, Settlement
from ._codec import LineCodec
from ._envelope import Message
from ._memory import MemorySource
from ._publish import published
from ._reporter import logger

__all__ = (
    "MAX_LINE_BYTES",
    "LineReader",
    "LineSink",
    "LineSource",
    "LineWriter",
    "read_lines",
    "tell_lost",
)

# Longer lines are refused: something else than a message is being sent.
MAX_LINE_BYTES: Final = 1024 * 1024


class LineReader(Protocol):
    """Where lines come from, such as an `asyncio.StreamReader`."""

    async def readline(self) -> bytes:
        """Return the next line with its end; nothing at the end of the stream.

        Raises:
            ValueError: If the line is too long; it is skipped.
        """
        ...


class LineWriter(Protocol):
    """Where lines go, such as an `asyncio.StreamWriter`."""

    def write(self, data: bytes, /) -> None:
        """Take bytes, at once."""
        ...

    async def drain(self) -> None:
        """Wait while too much is not yet written."""
        ...


@final
@attrs.frozen(eq=False)
class _SkippingReader:
    """Reads lines of a stream, and leaves out the whole of one that is too long.

    The stream's own `readline` drops what it has of it, and takes what is left
    for another line.
    """

    _stream: asyncio.StreamReader

    async def readline(self) -> bytes:
        """Return the next line."""
        try:
            return await self._stream.readuntil()
        except asyncio.IncompleteReadError as exc:
            return exc.partial
        except asyncio.LimitOverrunError as exc:
            await self._skip(exc.consumed)
            msg = "line too long"
            raise ValueError(msg) from exc

    async def _skip(self, count: int) -> None:
        """Read so much, and what is left of the line."""
        while count:
            await self._stream.readexactly(count)
            count = 0
            try:
                await self._stream.readuntil()
            except asyncio.LimitOverrunError as exc:
                count = exc.consumed
            except asyncio.IncompleteReadError:
                pass  # the end of the stream, which the next readline() finds


async def read_lines(
    reader: LineReader, complain: Callable[[str], None]
) -> AsyncGenerator[str, None]:
    """Yield lines without their ends, except empty ones.

    Args:
        reader: Where they come from.
        complain: Told what is wrong with a line that is left out.
    """
    if isinstance(reader, asyncio.StreamReader):
        reader = _SkippingReader(reader)
    while True:
        try:
            line = await reader.readline()
            text = line.decode()
        except UnicodeDecodeError as exc:
            complain(f"a line is not UTF-8: {exc}")
            continue
        except ValueError:
            complain(f"a line is longer than {MAX_LINE_BYTES} bytes")
            continue
        if not line:
            return
        if text := text.rstrip("\r\n"):
            yield text


def tell_lost(memory: MemorySource) -> None:
    """Tell the log what goes with a source that nobody can read again."""
    if memory.unsettled:
        logger.warning(
            "%d messages were read and not handled; they are lost", memory.unsettled
        )


@final
@attrs.define(eq=False)
class LineSource:
    """Takes each line for a message; ends with the stream.

    What was read is in memory only, and lost with the process; the log says so.

    Args:
        open_reader: Opens the stream, until its context manager is left.
        codec: Reads the lines.
        scope_id: The conversation of lines that do not name one.
    """

    _open_reader: Callable[[], AbstractAsyncContextManager[LineReader]] = attrs.field(
        alias="open_reader"
    )
    _codec: LineCodec = attrs.field(factory=LineCodec, alias="codec", kw_only=True)
    _scope_id: str = attrs.field(default="terminal", alias="scope_id", kw_only=True)
    memory: MemorySource = attrs.field(
        # So few, that reading waits soon when nobody pulls.
        factory=lambda: MemorySource(max_size=1000),
        init=False,
    )
    _stack: AsyncExitStack = attrs.field(factory=AsyncExitStack, init=False)
    _task: asyncio.Task[None] | None = attrs.field(default=None, init=False)

    async def open(self) -> None:
        """Open the stream, and begin to read."""
        reader = await self._stack.enter_async_context(self._open_reader())
        self._task = asyncio.create_task(self._read(reader))

    async def pull(self, max_messages: int, /) -> Sequence[Message]:
        """Wait for lines."""
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
        """Forget a line, or bring it again later."""
        await self.memory.settle(envelope, settlement, delay=delay, reason=reason)

    async def close(self) -> None:
        """Stop reading."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        await self._stack.aclose()
        tell_lost(self.memory)
        await self.memory.close()

    async def _read(self, reader: LineReader) -> None:
        complain = logger.warning
        try:
            async for line in read_lines(reader, complain):
                try:
                    message = self._codec.decode(line, self._scope_id)
                except WireFormatError as exc:
                    complain(f"a line is left out: {exc}")
                else:
                    await self.memory.put(message)
        finally:
            self.memory.end()


@final
@attrs.define(eq=False)
class LineSink:
    """Writes each event as a line.

    Events of type ``message.publish`` become messages of *source* instead.

    Args:
        open_writer: Opens the stream, until its context manager is left.
        source: Where published messages go; None writes them like other events.
        codec: Writes the lines.
    """

    _open_writer: Callable[[], AbstractAsyncContextManager[LineWriter]] = attrs.field(
        alias="open_writer"
    )
    _source: LineSource | None = attrs.field(default=None, alias="source")
    _codec: LineCodec = attrs.field(factory=LineCodec, alias="codec", kw_only=True)
    _stack: AsyncExitStack = attrs.field(factory=AsyncExitStack, init=False)
    _writer: LineWriter = attrs.field(init=False)  # set by open()

    async def open(self) -> None:
        """Open the stream."""
        self._writer = await self._stack.enter_async_context(self._open_writer())

    async def send(self, envelope: Envelope, event: MessageEvent, /) -> None:
        """Write an event; wait while the reader of the lines is too slow."""
        message = published(envelope, event)
        if message is not None and self._source is not None:
            # Never waits: the application that would make room is this one.
            self._source.memory.put_nowait(message)
        else:
            self._writer.write(self._codec.encode(envelope, event).encode())
            await self._writer.drain()

    async def close(self) -> None:
        """Write the rest, and close."""
        with contextlib.suppress(ConnectionError):  # nobody reads it any more
            await self._stack.aclose()
