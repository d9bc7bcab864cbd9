"""What type checkers cannot conclude about scopes and events by themselves."""

from collections.abc import Mapping
from typing import Any, Literal, TypeGuard, cast, overload

from ..errors import EventError
from ..types import (
    Scope,
    TLSExtension,
    WebSocketReceiveBytesEvent,
    WebSocketReceiveMessageEvent,
    WebSocketReceiveTextEvent,
    WebSocketSendMessageEvent,
)

# TypeGuard and not TypeIs: to pyright a dict may be both of two TypedDicts, so it
# would narrow to their intersection, and to nothing where the answer is no.

__all__ = (
    "is_bytes_message",
    "is_text_message",
    "message_data",
    "offered_extension",
)


def is_text_message(
    event: WebSocketReceiveMessageEvent, /
) -> TypeGuard[WebSocketReceiveTextEvent]:
    """Whether a received WebSocket message is text, which may be empty."""
    return event.get("text") is not None


def is_bytes_message(
    event: WebSocketReceiveMessageEvent, /
) -> TypeGuard[WebSocketReceiveBytesEvent]:
    """Whether a received WebSocket message is binary, and may be empty."""
    return event.get("bytes") is not None


def message_data(
    event: WebSocketReceiveMessageEvent | WebSocketSendMessageEvent, /
) -> str | bytes:
    """Return the content of a WebSocket message, text or binary.

    Raises:
        EventError: If there is neither.  (That is the other side's mistake.)
    """
    text = event.get("text")
    if text is not None:
        return text
    data = event.get("bytes")
    if data is not None:
        return data
    msg = f"{event['type']!r} has neither 'text' nor 'bytes': send exactly one of them"
    raise EventError(msg)


@overload
def offered_extension(scope: Scope, name: Literal["tls"], /) -> TLSExtension | None: ...
@overload
def offered_extension(scope: Scope, name: str, /) -> Mapping[str, Any] | None: ...
def offered_extension(
    scope: Scope, name: str, /
) -> TLSExtension | Mapping[str, Any] | None:
    """Return what the server says about the extension *name*.

    Returns:
        None if the extension is not offered; a mapping, mostly an empty one,
        if it is.  An empty mapping is false: compare with None.
    """
    extensions = scope.get("extensions")
    return None if extensions is None else cast("Any", extensions).get(name)
