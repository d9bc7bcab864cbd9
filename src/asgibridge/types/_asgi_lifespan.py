"""ASGI's lifespan protocol: scope and events, version 2.0."""

from typing import Any, Literal, NotRequired

from typing_extensions import ReadOnly, TypedDict

from ._asgi_common import ASGIVersions, Extensions

__all__ = (
    "LifespanReceiveEvent",
    "LifespanScope",
    "LifespanSendEvent",
    "LifespanShutdownCompleteEvent",
    "LifespanShutdownEvent",
    "LifespanShutdownFailedEvent",
    "LifespanStartupCompleteEvent",
    "LifespanStartupEvent",
    "LifespanStartupFailedEvent",
)


class LifespanScope(TypedDict):
    """The life of one event loop that serves requests.

    ``state`` starts as an empty dict for the application to fill; each later
    scope gets a shallow copy.  If it is missing the server has no such support.
    Source: specs/lifespan.rst:38-60.
    """

    type: ReadOnly[Literal["lifespan"]]
    asgi: ReadOnly[ASGIVersions]
    state: NotRequired[ReadOnly[dict[str, Any]]]
    extensions: NotRequired[ReadOnly[Extensions]]


class LifespanStartupEvent(TypedDict):
    """Server to application: start up, before any connection.

    Source: specs/lifespan.rst:89-97.
    """

    type: ReadOnly[Literal["lifespan.startup"]]


class LifespanStartupCompleteEvent(TypedDict):
    """Application to server: ready for connections.

    Source: specs/lifespan.rst:100-108.
    """

    type: Literal["lifespan.startup.complete"]


class LifespanStartupFailedEvent(TypedDict):
    """Application to server: starting up failed, the server should end (2.0).

    A missing ``message`` means "".
    Source: specs/lifespan.rst:111-120.
    """

    type: Literal["lifespan.startup.failed"]
    message: NotRequired[str]


class LifespanShutdownEvent(TypedDict):
    """Server to application: clean up; there are no more connections.

    Source: specs/lifespan.rst:123-131.
    """

    type: ReadOnly[Literal["lifespan.shutdown"]]


class LifespanShutdownCompleteEvent(TypedDict):
    """Application to server: cleaned up; the server may end.

    Source: specs/lifespan.rst:134-142.
    """

    type: Literal["lifespan.shutdown.complete"]


class LifespanShutdownFailedEvent(TypedDict):
    """Application to server: cleaning up failed (2.0).

    A missing ``message`` means "".
    Source: specs/lifespan.rst:145-154.
    """

    type: Literal["lifespan.shutdown.failed"]
    message: NotRequired[str]


LifespanReceiveEvent = LifespanStartupEvent | LifespanShutdownEvent
"""What an application may get from ``receive()`` in a lifespan scope."""

LifespanSendEvent = (
    LifespanStartupCompleteEvent
    | LifespanStartupFailedEvent
    | LifespanShutdownCompleteEvent
    | LifespanShutdownFailedEvent
)
"""What an application may hand to ``send()`` in a lifespan scope."""
