"""Sharing conversations out among processes."""

import zlib

__all__ = ("fair_share", "partition_of")


def partition_of(scope_id: str, partitions: int) -> int:
    """Return the partition of a conversation.

    CRC-32 of the scope id in UTF-8, modulo *partitions*: every language has it,
    so that any program can put messages into the right place.
    """
    return zlib.crc32(scope_id.encode()) % partitions


def fair_share(partitions: int, workers: int) -> int:
    """Return how many partitions a worker should own at most.

    Rounded up, so that all of them together own all.
    """
    return -(-partitions // max(workers, 1))
