"""What is downloaded and uploaded: some MiB that both sides can make."""

import hashlib
from collections.abc import Iterator
from typing import Final

__all__ = ("CHUNK_BYTES", "PAYLOAD_BYTES", "chunks", "payload_digest")

CHUNK_BYTES: Final = 64 * 1024
_CHUNKS: Final = 128
PAYLOAD_BYTES: Final = _CHUNKS * CHUNK_BYTES
"""8 MiB: more than all the buffers between client and application together."""


def chunks() -> Iterator[bytes]:
    """Yield the payload, every chunk different."""
    for number in range(_CHUNKS):
        yield number.to_bytes(4, "big") * (CHUNK_BYTES // 4)


def payload_digest() -> str:
    """Return the SHA-256 of the payload."""
    digest = hashlib.sha256()
    for chunk in chunks():
        digest.update(chunk)
    return digest.hexdigest()
