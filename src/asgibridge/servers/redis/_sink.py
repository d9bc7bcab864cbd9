"""What applications send, as entries of Redis streams."""

from typing import final

import attrs

from ..._options import whole
from ...types import Envelope, MessageEvent
from .._codec import dump_json, recipient
from .._envelope import Message
from .._lease import lost, token_of
from .._publish import published
from ._connection import RedisConnection
from ._layout import RedisLayout
from ._scripts import LOST, SEND
from ._wire import encode

__all__ = ("RedisPublisher", "RedisSink")


@final
@attrs.frozen(eq=False)
class RedisSink:
    """Adds each event to the layout's ``out`` stream, as ``scope_id`` and ``event``.

    Events of type ``message.publish`` become messages of the conversation that
    they name, in whichever process that is.

    An event is refused with `LeaseLostError` if the process no longer owns the
    conversation that sends it.  While the server is not reachable, `send` waits.

    Args:
        connection: To Redis; the same as that of the `RedisSource`, which opens
            and closes it.
        layout: Where things are there.
        max_events: About how many events the stream keeps; the oldest go.
    """

    _connection: RedisConnection = attrs.field(alias="connection")
    _layout: RedisLayout = attrs.field(alias="layout")
    max_events: int = attrs.field(default=100_000, validator=whole(1), kw_only=True)

    async def open(self) -> None:
        """Do nothing: the source does."""

    async def send(self, envelope: Envelope, event: MessageEvent, /) -> None:
        """Add an event to its stream."""
        token = token_of(envelope, "RedisSource")
        message = published(envelope, event)
        if message is None:
            stream, limit = self._layout.out, self.max_events
            to, written = recipient(envelope, event), dump_json(dict(event))
            fields = ["scope_id", to, "event", written]
        else:
            stream, limit = self._layout.stream_for(message.scope_id), 0
            fields = _flat(message)
        keys = [self._layout.lease(token.partition), stream]
        args: list[str | int] = [token.term, limit, *fields]
        answer = await self._connection.call(SEND, keys, args, outlasts=True)
        if answer == LOST:
            raise lost(token)

    async def close(self) -> None:
        """Do nothing: the source does."""


@final
@attrs.frozen(eq=False)
class RedisPublisher:
    """Puts messages into the streams, from any program.

    Args:
        connection: To Redis; not opened or closed here.
        layout: Where things are there; the same as the workers'.
    """

    _connection: RedisConnection = attrs.field(alias="connection")
    _layout: RedisLayout = attrs.field(alias="layout")

    async def publish(self, *messages: Message) -> None:
        """Add messages, in order, in one round trip."""
        await self._connection.commands(
            ("XADD", self._layout.stream_for(message.scope_id), "*", *_flat(message))
            for message in messages
        )


def _flat(message: Message) -> list[str]:
    return [part for pair in encode(message).items() for part in pair]
