"""The durable consumer of a partition, one for each term of ownership.

A work queue lets each message have one consumer, so the one of an earlier term
is deleted, and the new one begins with what that one did not acknowledge, in
order, at once.  An owner that lost its lease acknowledges to a consumer that is
not there any more.

How far the owners had come that vanished, and left their consumer, is noted: see
`_counts`.  Owners that hand over delete their consumer first.
"""

import contextlib
from typing import Any, Final

from nats.js import api, errors as js_errors

from ._counts import Counts
from ._layout import NatsLayout

__all__ = ("create_consumer", "delete_consumer")

# How many messages one consumer may have on their way.  What limits them is the
# server's own count of messages in flight, which is about all its partitions.
_MAX_ACK_PENDING: Final = 65_536


async def create_consumer(
    js: Any,  # noqa: ANN401 - nats-py's context, see NatsConnection
    layout: NatsLayout,
    partition: int,
    term: int,
    ack_wait: float,
    counts: Counts,
) -> str:
    """Replace a partition's consumer; return the name of the new one."""
    prefix = layout.consumers(partition)
    for info in await _consumers_info(js, layout.stream):
        suffix = str(info.name).removeprefix(prefix)
        # Never that of a later term: then this one is over.
        if suffix != info.name and int(suffix) < term:
            # First of all: this process may vanish, too.
            await counts.raise_floor(partition, int(info.delivered.stream_seq))
            await delete_consumer(js, layout.stream, info.name)
    name = f"{prefix}{term}"
    await js.add_consumer(
        layout.stream,
        durable_name=name,
        filter_subject=layout.subject(partition),
        deliver_policy=api.DeliverPolicy.ALL,
        ack_policy=api.AckPolicy.EXPLICIT,
        ack_wait=ack_wait,
        max_ack_pending=_MAX_ACK_PENDING,
        # The server counts deliveries and puts dead letters aside.
        max_deliver=-1,
    )
    return name


async def delete_consumer(
    js: Any,  # noqa: ANN401 - nats-py's context, see NatsConnection
    stream: str,
    name: str,
) -> None:
    """Delete a consumer, if it is there."""
    with contextlib.suppress(js_errors.NotFoundError):
        await js.delete_consumer(stream, name)


async def _consumers_info(js: Any, stream: str) -> list[Any]:  # noqa: ANN401 - as above
    """Return all consumers of a stream; the server tells them in pages."""
    found: list[Any] = []
    while True:
        page: list[Any] = await js.consumers_info(stream, offset=len(found))
        if not page:
            return found
        found += page
