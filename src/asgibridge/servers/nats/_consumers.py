"""The durable consumer of a partition, one for each term of ownership.

A work queue lets each message have one consumer, so the one of an earlier term
is deleted, and the new one begins with what that one did not acknowledge, in
order, at once.  An owner that lost its lease acknowledges to a consumer that is
not there any more.

What must not get lost is how often a message was delivered to a process that
then vanished.  A consumer's description says how far the owners before it had
come: a list of sequence numbers, its floors.  A message up to one of them was
delivered in that term.  Owners that hand over delete their consumer first, and
leave no floor.
"""

import contextlib
import json
from typing import Any, Final

from nats.js import api, errors as js_errors

from ._layout import NatsLayout

__all__ = ("create_consumer", "delete_consumer")

# A message that so many processes did not survive is known well enough.
_MAX_FLOORS: Final = 50
# How many messages one consumer may have on their way.  What limits them is the
# server's own count of messages in flight, which is about all its partitions.
_MAX_ACK_PENDING: Final = 65_536


async def create_consumer(
    js: Any,  # noqa: ANN401 - nats-py's context, see NatsConnection
    layout: NatsLayout,
    partition: int,
    term: int,
    ack_wait: float,
) -> tuple[str, tuple[int, ...]]:
    """Replace a partition's consumer; return the name of the new one, and floors."""
    prefix = layout.consumers(partition)
    floors: list[int] = []
    for info in await _consumers_info(js, layout.stream):
        suffix = str(info.name).removeprefix(prefix)
        # Never that of a later term: then this one is over.
        if suffix != info.name and int(suffix) < term:
            floors += _floors_of(info)
            await delete_consumer(js, layout.stream, info.name)
    floors = floors[-_MAX_FLOORS:]
    name = f"{prefix}{term}"
    await js.add_consumer(
        layout.stream,
        durable_name=name,
        description=json.dumps(floors),
        filter_subject=layout.subject(partition),
        deliver_policy=api.DeliverPolicy.ALL,
        ack_policy=api.AckPolicy.EXPLICIT,
        ack_wait=ack_wait,
        max_ack_pending=_MAX_ACK_PENDING,
        # The server counts deliveries and puts dead letters aside.
        max_deliver=-1,
    )
    return name, tuple(floors)


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


def _floors_of(info: Any) -> list[int]:  # noqa: ANN401 - as above
    floors: list[int] = json.loads(info.config.description or "[]")
    delivered = int(info.delivered.stream_seq) if info.delivered else 0
    return [*floors, delivered] if delivered else floors
