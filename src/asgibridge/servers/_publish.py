"""Events by which an application sends a message to another conversation."""

from typing import Any, Final, cast

from ..errors import WireFormatError
from ..types import Envelope, MessageEvent
from ._envelope import Message

__all__ = ("PUBLISH", "published")

PUBLISH: Final = "message.publish"
"""The event type: ``{"type": …, "scope_id": str, "event": dict, "scope": dict}``.

The scope may be left out: the conversation then has that of the sender.
"""


def published(envelope: Envelope, event: MessageEvent) -> Message | None:
    """Return the message that *event* sends to a conversation, if it does.

    Raises:
        WireFormatError: If the event has no usable scope id, event or scope.
    """
    if event["type"] != PUBLISH:
        return None
    return message_from(event, default_scope=dict(envelope.scope))


def message_from(
    data: object, *, default_scope: dict[str, Any], default_scope_id: str = ""
) -> Message:
    """Return the message that *data* describes.

    A ``text`` stands for the event of a line of text, so that people can write
    messages by hand.

    Raises:
        WireFormatError: If it does not describe one.
    """
    if not isinstance(data, dict):
        msg = f"a message must be an object with scope_id and event, not {data!r}"
        raise WireFormatError(msg)
    fields = cast("dict[str, Any]", data)
    scope_id = fields.get("scope_id", default_scope_id)
    scope = fields.get("scope", default_scope)
    if not isinstance(scope_id, str) or not scope_id:
        msg = f"a message must have a non-empty string as scope_id: {data!r}"
        raise WireFormatError(msg)
    event = fields.get("event")
    if event is None and isinstance(text := fields.get("text"), str):
        event = {"type": "message.receive", "text": text}
    event = _typed(event, "event", fields)
    return Message(
        scope_id, event, {**_typed(scope, "scope", fields), "scope_id": scope_id}
    )


def _typed(value: object, name: str, data: object) -> dict[str, Any]:
    """Return *value* if it is an object with a type, as ASGI wants them."""
    if isinstance(value, dict):
        fields = cast("dict[str, Any]", value)
        if isinstance(fields.get("type"), str):
            return fields
    msg = f"a message's {name} must be an object with a type: {data!r}"
    raise WireFormatError(msg)
