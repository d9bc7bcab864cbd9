"""Standard input and output, pipes and files, as streams of lines."""

import asyncio
import contextlib
import os
import stat
import sys
from collections.abc import AsyncGenerator, Generator
from typing import IO, Final, final

import attrs

from ._lines import MAX_LINE_BYTES, LineReader, LineWriter

__all__ = ("open_stdin", "open_stdout")

_CLOSE_SECONDS: Final = 5.0


@contextlib.asynccontextmanager
async def open_stdin(file: IO[bytes] | None = None) -> AsyncGenerator[LineReader, None]:
    """Read standard input, or another file, as lines.

    The file itself stays open.

    Args:
        file: A pipe, a socket, a terminal or a regular file.
    """
    stdin: IO[bytes] = sys.stdin.buffer if file is None else file
    if _is_regular(stdin):
        yield _FileReader(stdin)
        return
    reader = asyncio.StreamReader(limit=MAX_LINE_BYTES)
    with _duplicate(stdin, "rb") as own:
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), own
        )
        try:
            yield reader
        finally:
            transport.close()


@contextlib.asynccontextmanager
async def open_stdout(
    file: IO[bytes] | None = None,
) -> AsyncGenerator[LineWriter, None]:
    """Write standard output, or another file, as lines.

    The file itself stays open.

    Args:
        file: A pipe, a socket, a terminal or a regular file.
    """
    stdout: IO[bytes] = sys.stdout.buffer if file is None else file
    if _is_regular(stdout):
        yield _FileWriter(stdout)
        return
    loop = asyncio.get_running_loop()
    with _duplicate(stdout, "wb") as own:
        transport, protocol = await loop.connect_write_pipe(
            lambda: asyncio.StreamReaderProtocol(asyncio.StreamReader()), own
        )
        writer = asyncio.StreamWriter(transport, protocol, None, loop)
        try:
            yield writer
        finally:
            writer.close()
            try:
                async with asyncio.timeout(_CLOSE_SECONDS):
                    await writer.wait_closed()
            except TimeoutError:
                # What is not written by then has no reader.  Only then: a
                # transport that is closed cannot be aborted.
                transport.abort()


def _is_regular(file: IO[bytes]) -> bool:
    """Whether *file* is one that never keeps anybody waiting, and epoll refuses.

    Devices such as /dev/null do so as regular files do; terminals do not.
    """
    mode = os.fstat(file.fileno()).st_mode
    return stat.S_ISREG(mode) or (stat.S_ISCHR(mode) and not file.isatty())


@contextlib.contextmanager
def _duplicate(file: IO[bytes], mode: str) -> Generator[IO[bytes], None, None]:
    """Yield a file for a transport, which closes it and makes it non-blocking.

    Non-blocking is what both are then, and whoever has the other end of a
    terminal, too; so it is undone.
    """
    number = file.fileno()
    was_blocking = os.get_blocking(number)
    try:
        with os.fdopen(os.dup(number), mode, buffering=0) as own:
            yield own
    finally:
        os.set_blocking(number, was_blocking)


@final
@attrs.frozen(eq=False)
class _FileReader:
    """Reads a regular file on another thread."""

    _file: IO[bytes]

    async def readline(self) -> bytes:
        """Return the next line."""
        line = await self._part()
        if not _is_whole(line):
            while not _is_whole(line):
                line = await self._part()
            msg = "line too long"
            raise ValueError(msg)
        return line

    async def _part(self) -> bytes:
        return await asyncio.to_thread(self._file.readline, MAX_LINE_BYTES)


def _is_whole(part: bytes) -> bool:
    """Whether no more of the same line follows."""
    return len(part) < MAX_LINE_BYTES or part.endswith(b"\n")


@final
@attrs.frozen(eq=False)
class _FileWriter:
    """Writes a regular file, which takes no longer than memory does."""

    _file: IO[bytes]

    def write(self, data: bytes, /) -> None:
        """Write bytes."""
        self._file.write(data)

    async def drain(self) -> None:
        """Let other programs see them."""
        self._file.flush()
