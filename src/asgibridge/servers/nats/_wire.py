"""Messages and events as NATS messages."""

from typing import final

import attrs

from ...errors import WireFormatError
from .._codec import dump_json, load_json
from .._envelope import Message
from .._publish import message_from

__all__ = ("NatsToken", "decode", "encode")


@final
@attrs.frozen
class NatsToken:
    """Which message, and under which lease it was taken."""

    partition: int
    term: int
    sequence: int


def encode(message: Message) -> bytes:
    """Return the payload for a message.

    Raises:
        WireFormatError: If JSON cannot express it.
    """
    fields = {
        "scope_id": message.scope_id,
        "event": dict(message.event),
        "scope": dict(message.scope),
    }
    return dump_json(fields).encode()


def decode(payload: bytes, token: NatsToken, count: int) -> Message:
    """Return the message in a payload.

    Besides what `encode` makes, it may have a ``text`` in place of the event.

    Raises:
        WireFormatError: If there is none.
    """
    try:
        data = load_json(payload.decode())
    except UnicodeDecodeError as exc:
        msg = f"not UTF-8: {exc}"
        raise WireFormatError(msg) from exc
    message = message_from(data, default_scope={"type": "message"})
    term = (token.partition, token.term)
    return attrs.evolve(message, token=token, delivery_count=count, term=term)
