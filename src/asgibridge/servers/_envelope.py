"""A message, as the sources here make it."""

from collections.abc import Hashable, Mapping
from typing import Any, final

import attrs

from ..types import MessageEvent

__all__ = ("Message",)


@final
@attrs.frozen(eq=False)
class Message:
    """One message for one conversation; an `Envelope`.

    Args:
        scope_id: The conversation.
        event: The ASGI event that the application receives.
        scope: The ASGI scope for the conversation's application instances.
        token: Whatever its source needs to find it again.
        delivery_count: How often the source delivered it; from 1.
        term: See `Envelope.term`.
    """

    scope_id: str
    event: MessageEvent
    scope: Mapping[str, Any] = attrs.field(factory=lambda: {"type": "message"})
    token: object = attrs.field(default=None, kw_only=True)
    delivery_count: int = attrs.field(default=1, kw_only=True)
    term: Hashable = attrs.field(default=None, kw_only=True)
