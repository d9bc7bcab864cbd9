"""``wsgi.file_wrapper``, and when a server can send the file by itself."""

import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol, cast, final

from ._asgi import Event

__all__ = ("FileWrapper", "file_event")

_ZEROCOPY: Final = "http.response.zerocopysend"
_PATHSEND: Final = "http.response.pathsend"


class _Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


class _OnDisk(Protocol):
    def fileno(self) -> int: ...

    def tell(self) -> int: ...


@final
class FileWrapper:
    """Iterates over a file in blocks.

    An application returns it, untouched, for the server to send the file in
    the best way it knows.  Closing it closes the file.

    Args:
        filelike: Has ``read(size)``; its ``close()``, if any, is called once.
        blksize: Size of a block, in bytes.
    """

    # From 64 KiB on, larger blocks are no faster.
    def __init__(self, filelike: _Readable, blksize: int = 64 * 1024) -> None:
        """Wrap *filelike*; PEP 3333 names the parameters."""
        self.filelike = filelike
        self.blksize = blksize
        close: Callable[[], object] | None = getattr(filelike, "close", None)
        if close is not None:
            self.close = close

    def __iter__(self) -> "FileWrapper":
        """Return itself."""
        return self

    def __next__(self) -> bytes:
        """Return the next block."""
        data = self.filelike.read(self.blksize)
        if data:
            return data
        raise StopIteration


def file_event(
    wrapper: FileWrapper, offered: frozenset[str], promised: int | None
) -> Event | None:
    """Return the event with which the server sends the file itself.

    None if it cannot: the extension is not offered, the file is not a regular
    one on disk, or it holds fewer bytes than *promised* by Content-Length.
    """
    found = _inspect(wrapper.filelike)
    if found is None:
        return None
    position, size = found
    count = size - position if promised is None else promised
    if count > size - position:
        return None
    if _ZEROCOPY in offered:
        return {
            "type": _ZEROCOPY,
            "file": wrapper.filelike,
            "offset": position,
            "count": count,
            "more_body": False,
        }
    if _PATHSEND in offered and position == 0 and count == size:
        path = _path_of(wrapper.filelike)
        if path is not None:
            return {"type": _PATHSEND, "path": path}
    return None


def _inspect(filelike: object) -> tuple[int, int] | None:
    """Return position and size of a regular file; None for anything else."""
    file = cast("_OnDisk", filelike)
    try:
        status = os.fstat(file.fileno())
        position = file.tell()
    except (AttributeError, OSError, ValueError):
        return None  # not on disk after all
    return (position, status.st_size) if stat.S_ISREG(status.st_mode) else None


def _path_of(filelike: object) -> str | None:
    """Return the absolute path if it still leads to the very same file."""
    name: object = getattr(filelike, "name", None)
    if not isinstance(name, str):
        return None
    path = Path(name).absolute()
    try:
        status = os.fstat(cast("_OnDisk", filelike).fileno())
        same = os.path.samestat(path.stat(), status)
    except OSError:
        return None
    return str(path) if same else None
