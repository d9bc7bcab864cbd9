"""Messages over NATS JetStream, for any number of processes: ``asgibridge[nats]``."""

from ._connection import NatsConnection as NatsConnection
from ._layout import NatsLayout as NatsLayout
from ._sink import NatsPublisher as NatsPublisher, NatsSink as NatsSink
from ._source import NatsSource as NatsSource

__all__ = (
    "NatsConnection",
    "NatsLayout",
    "NatsPublisher",
    "NatsSink",
    "NatsSource",
)
