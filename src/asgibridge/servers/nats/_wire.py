"""Messages and events as NATS messages."""

import attrs

from ...errors import WireFormatError
from .._codec import dump_json, load_json
from .._envelope import Message
from .._lease import Token
from .._publish import message_from

__all__ = ("decode", "encode")


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


def decode(payload: bytes, token: Token, count: int) -> Message:
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
