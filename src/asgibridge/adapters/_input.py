"""``wsgi.input``: a request body as a file that is read while it arrives."""

import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Final, final

import attrs

__all__ = ("BodyInput",)

_NO_LIMIT: Final = sys.maxsize


@final
@attrs.define(eq=False)
class BodyInput:
    """A binary file over the chunks that *pull* returns.

    `read` waits until it has all that was asked for, as files do; `read1` and
    `readline` return earlier.  It has what `io.TextIOWrapper` needs.

    Thread-safe as files are: what one call returns is in one piece, and no other
    call returns any of it.

    Args:
        pull: Returns the next chunk, and ``b""`` at the end of the body; waits
            for it, and raises `OSError` if there will be none.
        lock: Held by a call that takes from the body, while it waits as well.
    """

    _pull: Callable[[], bytes]
    _lock: AbstractContextManager[object]
    # Guarded by _lock:
    # The chunk being read and how far: small reads copy only what they return.
    _chunk: bytes = attrs.field(default=b"", init=False)
    _position: int = attrs.field(default=0, init=False)
    _ended: bool = attrs.field(default=False, init=False)
    closed: bool = attrs.field(default=False, init=False)
    """Always False: the server owns the stream."""

    def read(self, size: int | None = -1, /) -> bytes:
        """Return *size* bytes, or all that is left; fewer only at the end."""
        with self._lock:
            left = _NO_LIMIT if size is None or size < 0 else size
            have = len(self._chunk) - self._position
            if left < have:
                start = self._position
                self._position += left
                return self._chunk[start : start + left]
            parts = [self._rest()]
            left -= have
            while left and (chunk := self._next()):
                if len(chunk) > left:
                    self._chunk = chunk
                    self._position = left
                    chunk = chunk[:left]
                parts.append(chunk)
                left -= len(chunk)
            return b"".join(parts)

    def read1(self, size: int | None = -1, /) -> bytes:
        """Return what is there, at most *size* bytes; waits only for the first."""
        with self._lock:
            if size == 0 or not self._fill():
                return b""
            if size is None or size < 0:
                return self._rest()
            start = self._position
            data = self._chunk[start : start + size]
            self._position = start + len(data)
            return data

    def readinto(self, buffer: bytearray | memoryview, /) -> int:
        """Read into *buffer*; return how many bytes."""
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def readline(self, size: int | None = -1, /) -> bytes:
        """Return the next line with its end, at most *size* bytes of it."""
        with self._lock:
            left = _NO_LIMIT if size is None or size < 0 else size
            parts: list[bytes] = []
            while left and self._fill():
                start = self._position
                stop = min(len(self._chunk), start + left)
                end = self._chunk.find(b"\n", start, stop) + 1
                self._position = end or stop
                parts.append(self._chunk[start : self._position])
                if end:
                    break
                left -= stop - start
            return b"".join(parts)

    def readlines(self, hint: int | None = -1, /) -> list[bytes]:
        """Return lines up to the end, or until they hold *hint* bytes."""
        lines: list[bytes] = []
        left = hint if hint and hint > 0 else _NO_LIMIT
        for line in self:
            lines.append(line)
            left -= len(line)
            if left <= 0:
                break
        return lines

    def __iter__(self) -> "BodyInput":
        """Return itself: it iterates over lines."""
        return self

    def __next__(self) -> bytes:
        """Return the next line."""
        line = self.readline()
        if not line:
            raise StopIteration
        return line

    def readable(self) -> bool:
        """Return True."""
        return True

    def writable(self) -> bool:
        """Return False."""
        return False

    def seekable(self) -> bool:
        """Return False."""
        return False

    def flush(self) -> None:
        """Do nothing; there for `io.TextIOWrapper`."""

    def close(self) -> None:
        """Do nothing: applications must not close it, and some do."""

    def _next(self) -> bytes:
        if self._ended:
            return b""
        chunk = self._pull()
        if not chunk:
            self._ended = True
        return chunk

    def _fill(self) -> bool:
        if self._position < len(self._chunk):
            return True
        self._chunk = self._next()
        self._position = 0
        return bool(self._chunk)

    def _rest(self) -> bytes:
        chunk, start = self._chunk, self._position
        self._chunk, self._position = b"", 0
        return chunk[start:] if start else chunk
