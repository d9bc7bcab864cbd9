"""Messages over Redis Streams, for any number of processes: ``asgibridge[redis]``."""

from ._connection import RedisConnection as RedisConnection
from ._layout import RedisLayout as RedisLayout
from ._sink import RedisPublisher as RedisPublisher, RedisSink as RedisSink
from ._source import RedisSource as RedisSource

__all__ = (
    "RedisConnection",
    "RedisLayout",
    "RedisPublisher",
    "RedisSink",
    "RedisSource",
)
