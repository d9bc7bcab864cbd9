"""Messages and events as entries of Redis streams."""

from collections.abc import Mapping
from typing import Any

import attrs

from .._codec import dump_json, load_json
from .._envelope import Message
from .._lease import Token
from .._publish import message_from

__all__ = ("decode", "encode")


def encode(message: Message) -> dict[str, str]:
    """Return the fields of the entry for a message.

    Raises:
        WireFormatError: If JSON cannot express it.
    """
    return {
        "scope_id": message.scope_id,
        "event": dump_json(dict(message.event)),
        "scope": dump_json(dict(message.scope)),
    }


def decode(fields: Mapping[str, str], token: Token, count: int) -> Message:
    """Return the message in an entry.

    Besides what `encode` makes, it may have a ``text`` in place of the event.

    Raises:
        WireFormatError: If there is none.
    """
    data: dict[str, Any] = dict(fields)
    for name in ("event", "scope"):
        if name in data:
            data[name] = load_json(data[name])
    message = message_from(data, default_scope={"type": "message"})
    return attrs.evolve(message, token=token, delivery_count=count, term=token.term)
