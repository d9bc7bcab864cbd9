"""The shapes of ASGI that the adapters pass on without looking inside."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

__all__ = ("ASGIApp", "Event", "Receive", "Scope", "Send")

# Any, not object: these stand at the border to frameworks and servers, each of
# which spells the same dictionaries differently.
Scope = MutableMapping[str, Any]
Event = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Event]]
Send = Callable[[Event], Awaitable[None]]
ASGIApp = Callable[[Any, Any, Any], Awaitable[None]]
