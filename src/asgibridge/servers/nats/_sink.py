"""What applications send, as messages of NATS streams."""

import asyncio
import secrets
from typing import final

import attrs

from ...types import Envelope, MessageEvent
from .._codec import dump_json, recipient
from .._envelope import Message
from .._lease import token_of
from .._publish import published
from .._reporter import logger
from ._connection import NatsConnection, is_passing
from ._layout import NatsLayout
from ._source import NatsSource
from ._wire import encode

__all__ = ("NatsPublisher", "NatsSink")


@final
@attrs.frozen(eq=False)
class NatsSink:
    """Publishes each event to the layout's ``out`` subject, as JSON.

    Events of type ``message.publish`` become messages of the conversation that
    they name, in whichever process that is.

    An event is refused with `LeaseLostError` if the process no longer owns the
    conversation that sends it.  While the server is not reachable, `send` waits.

    Args:
        source: Knows what this process owns; it opens and closes the connection.
    """

    _source: NatsSource = attrs.field(alias="source")

    async def open(self) -> None:
        """Do nothing: the source does."""

    async def send(self, envelope: Envelope, event: MessageEvent, /) -> None:
        """Publish an event."""
        token = token_of(envelope, "NatsSource")
        connection, layout = self._source.connection, self._source.layout
        message = published(envelope, event)
        if message is None:
            fields = {"scope_id": recipient(envelope, event), "event": dict(event)}
            subject, payload = layout.out, dump_json(fields).encode()
        else:
            subject, payload = layout.subject_for(message.scope_id), encode(message)
        # The server drops a second one with the same id.
        headers = {"Nats-Msg-Id": secrets.token_hex(8)}
        attempt = 0
        while True:
            self._source.leases.find(token)  # or raise
            try:
                await connection.publish(subject, payload, headers)
            except Exception as exc:
                if not is_passing(exc):
                    raise
                attempt += 1
                logger.error("NATS took no event: %r", exc)
                await asyncio.sleep(connection.backoff.delay(attempt))
            else:
                return

    async def close(self) -> None:
        """Do nothing: the source does."""


@final
@attrs.frozen(eq=False)
class NatsPublisher:
    """Puts messages into the stream, from any program.

    Args:
        connection: To NATS; not opened or closed here.
        layout: Where things are there; the same as the workers'.
    """

    _connection: NatsConnection = attrs.field(alias="connection")
    _layout: NatsLayout = attrs.field(alias="layout")

    async def publish(self, *messages: Message) -> None:
        """Add messages, in order, and wait until all are stored."""
        js = self._connection.js
        # Sent in order, on one connection; only the answers are awaited together.
        stored = [
            await js.publish_async(
                self._layout.subject_for(message.scope_id), encode(message)
            )
            for message in messages
        ]
        await asyncio.gather(*stored)
