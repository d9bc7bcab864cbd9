"""Messages and events as lines of text, for people, or of JSON, for programs."""

import json
import re
from collections.abc import Mapping
from typing import Any, Final, final

import attrs

from ..errors import WireFormatError
from ..types import Envelope, MessageEvent
from ._envelope import Message
from ._publish import message_from

__all__ = ("LineCodec", "dump_json", "load_json")

# A name in front of a text: short, and without blanks, so that what people
# write with a colon in it is rarely taken for one.
_NAMED: Final = re.compile(r"(?P<name>[^\s:{]{1,64}): ?(?P<text>.*)", re.DOTALL)

_SURROGATE: Final = re.compile("[\ud800-\udfff]")


def dump_json(value: object) -> str:
    """Return *value* as JSON on one line.

    Raises:
        WireFormatError: If JSON cannot express it.
    """
    try:
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    except (TypeError, ValueError) as exc:
        msg = f"cannot be sent as JSON: {value!r}; use str, numbers, lists and dicts"
        raise WireFormatError(msg) from exc
    if _SURROGATE.search(text):
        # Half a character, which JSON may have and UTF-8 may not.
        return json.dumps(value, separators=(",", ":"))
    return text


def load_json(text: str | bytes) -> object:
    """Return what the JSON *text* says.

    Raises:
        WireFormatError: If it is not JSON.
    """
    try:
        value: object = json.loads(text)
    except ValueError as exc:
        msg = f"not JSON ({exc}): {text[:200]!r}"
        raise WireFormatError(msg) from exc
    return value


@final
@attrs.frozen
class LineCodec:
    """Reads lines as messages, and writes events as lines.

    A line that begins with ``{`` is a JSON object with ``scope_id``, ``event``
    and maybe ``scope``.  Any other is text: the event is then
    ``{"type": "message.receive", "text": …}``.

    Args:
        is_named: Whether ``name: text`` belongs to the conversation *name*, and
            texts are written like that, too.
        writes_json: Whether all events are written as JSON objects; else those
            of type ``message.send`` are written as their text.
    """

    is_named: bool = True
    writes_json: bool = False

    def decode(self, line: str, scope_id: str) -> Message:
        """Return the message in a line.

        Args:
            line: The line, without its end.
            scope_id: The conversation, if the line does not name one.

        Raises:
            WireFormatError: If it begins as JSON and is not a message.
        """
        scope: dict[str, Any] = {"type": "message", "scope_id": scope_id}
        if line.startswith("{"):
            return message_from(
                load_json(line), default_scope=scope, default_scope_id=scope_id
            )
        named = _NAMED.fullmatch(line) if self.is_named else None
        if named is not None:
            scope_id = scope["scope_id"] = named["name"]
            line = named["text"]
        return Message(scope_id, {"type": "message.receive", "text": line}, scope)

    def encode(self, envelope: Envelope, event: MessageEvent) -> str:
        """Return an event as one or more lines, each with its end.

        Raises:
            WireFormatError: If the event cannot be written as JSON.
        """
        return self.encode_for(recipient(envelope, event), event)

    def encode_for(self, to: str, event: Mapping[str, Any]) -> str:
        """Return an event for the conversation *to*, as `encode` does."""
        text = event.get("text")
        if self.writes_json or event["type"] != "message.send" or text is None:
            return dump_json({"scope_id": to, "event": dict(event)}) + "\n"
        prefix = f"{to}: " if self.is_named else ""
        return "".join(f"{prefix}{line}\n" for line in str(text).splitlines() or [""])


def recipient(envelope: Envelope, event: Mapping[str, Any]) -> str:
    """Return the conversation that an event is for: its own, unless it says ``to``."""
    return str(event.get("to", envelope.scope_id))
