"""Which event may come when: the tables of ASGI's protocols.

A row reads: in this state, this event is right and leads to that state.  What
is not in a table is wrong.  ``event[key]`` means an event whose *key* is true.
The last column is for what is right in practice only: the strictest profile
that accepts the row, and why it is there.
"""

from collections.abc import Mapping
from typing import Final, final

import attrs

from ._profiles import Profile

__all__ = (
    "HTTP_RECEIVE",
    "HTTP_SEND",
    "LIFESPAN",
    "VARIANT_KEYS",
    "WEBSOCKET",
    "Machine",
    "Row",
    "Table",
)

Table = Mapping[str, Mapping[str, str]]
"""Per state and event, the state it leads to."""

VARIANT_KEYS: Final[Mapping[str, str]] = {
    "http.request": "more_body",
    "http.response.start": "trailers",
    "http.response.body": "more_body",
    "http.response.zerocopysend": "more_body",
    "http.response.trailers": "more_trailers",
    "websocket.http.response.body": "more_body",
}
"""The key that makes two events of one type, as far as order goes."""


@final
@attrs.frozen
class Row:
    """In state *source*, *event* leads to *target*."""

    source: str
    event: str
    target: str
    profile: Profile = Profile.STRICT
    note: str = ""


@final
@attrs.frozen
class Machine:
    """A state machine, as a table.

    Args:
        title: What it is about, for diagrams.
        start: The first state.
        rows: The transitions.
        ends: The states in which an application may return.
    """

    title: str
    start: str
    rows: tuple[Row, ...]
    ends: frozenset[str]

    def table(self, profile: Profile) -> Table:
        """Return the transitions that *profile* accepts."""
        table: dict[str, dict[str, str]] = {}
        for row in self.rows:
            table.setdefault(row.target, {})
            outgoing = table.setdefault(row.source, {})
            if profile <= row.profile:
                outgoing[row.event] = row.target
        return table


_PRACTICE: Final = Profile.PRACTICE

# The suffix _T: trailers were announced.  SENDING: there was a body event, so
# that pathsend is no longer possible.
HTTP_SEND: Final = Machine(
    title="HTTP: what the application sends",
    start="IDLE",
    rows=(
        Row("IDLE", "http.response.debug", "DEBUGGED"),
        Row("IDLE", "http.response.early_hint", "IDLE"),
        Row("DEBUGGED", "http.response.early_hint", "DEBUGGED"),
        Row("IDLE", "http.response.start", "STARTED"),
        Row("IDLE", "http.response.start[trailers]", "STARTED_T"),
        Row("DEBUGGED", "http.response.start", "STARTED"),
        Row("DEBUGGED", "http.response.start[trailers]", "STARTED_T"),
        Row("STARTED", "http.response.push", "STARTED"),
        Row("STARTED", "http.response.body[more_body]", "SENDING"),
        Row("STARTED", "http.response.zerocopysend[more_body]", "SENDING"),
        Row("STARTED", "http.response.body", "DONE"),
        Row("STARTED", "http.response.zerocopysend", "DONE"),
        Row("STARTED", "http.response.pathsend", "DONE"),
        Row("SENDING", "http.response.push", "SENDING"),
        Row("SENDING", "http.response.body[more_body]", "SENDING"),
        Row("SENDING", "http.response.zerocopysend[more_body]", "SENDING"),
        Row("SENDING", "http.response.body", "DONE"),
        Row("SENDING", "http.response.zerocopysend", "DONE"),
        Row("STARTED_T", "http.response.push", "STARTED_T"),
        Row("STARTED_T", "http.response.body[more_body]", "SENDING_T"),
        Row("STARTED_T", "http.response.zerocopysend[more_body]", "SENDING_T"),
        Row("STARTED_T", "http.response.body", "TRAILERS"),
        Row("STARTED_T", "http.response.zerocopysend", "TRAILERS"),
        Row("STARTED_T", "http.response.pathsend", "TRAILERS"),
        Row("SENDING_T", "http.response.push", "SENDING_T"),
        Row("SENDING_T", "http.response.body[more_body]", "SENDING_T"),
        Row("SENDING_T", "http.response.zerocopysend[more_body]", "SENDING_T"),
        Row("SENDING_T", "http.response.body", "TRAILERS"),
        Row("SENDING_T", "http.response.zerocopysend", "TRAILERS"),
        Row("TRAILERS", "http.response.trailers[more_trailers]", "TRAILERS"),
        Row("TRAILERS", "http.response.trailers", "DONE"),
    ),
    ends=frozenset({"DONE"}),
)

HTTP_RECEIVE: Final = Machine(
    title="HTTP: what the application receives",
    start="BODY",
    rows=(
        Row("BODY", "http.request[more_body]", "BODY"),
        Row("BODY", "http.request", "BODY_DONE"),
        Row("BODY", "http.disconnect", "DISCONNECTED"),
        Row("BODY_DONE", "http.disconnect", "DISCONNECTED"),
        Row(
            "DISCONNECTED",
            "http.disconnect",
            "DISCONNECTED",
            _PRACTICE,
            "some servers repeat it, others never answer again",
        ),
    ),
    ends=frozenset({"BODY", "BODY_DONE", "DISCONNECTED"}),
)

_SPEC: Final = Profile.SPEC
_NOT_STATED: Final = "the text does not say that it is wrong"
_CLIENT_GONE: Final = "a client may leave at any time"
_TOO_LATE: Final = "send() raises OSError, or does nothing"

WEBSOCKET: Final = Machine(
    title="WebSocket",
    start="NEW",
    rows=(
        Row("NEW", "websocket.connect", "CONNECTING"),
        Row("CONNECTING", "websocket.accept", "OPEN"),
        Row("CONNECTING", "websocket.close", "REFUSED"),
        Row("CONNECTING", "websocket.http.response.start", "DENYING"),
        Row("DENYING", "websocket.http.response.body[more_body]", "DENYING"),
        Row("DENYING", "websocket.http.response.body", "DENIED"),
        Row("OPEN", "websocket.receive", "OPEN"),
        Row("OPEN", "websocket.send", "OPEN"),
        Row("OPEN", "websocket.close", "CLOSING"),
        Row("CONNECTING", "websocket.disconnect", "DISCONNECTED"),
        Row("OPEN", "websocket.disconnect", "DISCONNECTED"),
        Row("CLOSING", "websocket.disconnect", "DISCONNECTED"),
        Row("REFUSED", "websocket.disconnect", "DISCONNECTED"),
        Row("DENIED", "websocket.disconnect", "DISCONNECTED"),
        Row(
            "DENYING",
            "websocket.disconnect",
            "DISCONNECTED",
            note=_CLIENT_GONE,
        ),
        Row(
            "CLOSING",
            "websocket.receive",
            "CLOSING",
            _PRACTICE,
            "messages that were on their way when the application closed",
        ),
        Row("CLOSING", "websocket.close", "CLOSING", _SPEC, _NOT_STATED),
        Row("REFUSED", "websocket.close", "REFUSED", _SPEC, _NOT_STATED),
        # Starlette and Litestar refuse before they receive anything.
        Row("NEW", "websocket.accept", "OPEN", _SPEC, _NOT_STATED),
        Row("NEW", "websocket.close", "REFUSED", _SPEC, _NOT_STATED),
        Row("NEW", "websocket.http.response.start", "DENYING", _SPEC, _NOT_STATED),
        Row("OPEN", "websocket.connect", "OPEN", _SPEC, _NOT_STATED),
        Row("REFUSED", "websocket.connect", "REFUSED", _SPEC, _NOT_STATED),
        Row("DENYING", "websocket.connect", "DENYING", _SPEC, _NOT_STATED),
        Row("DENIED", "websocket.connect", "DENIED", _SPEC, _NOT_STATED),
        Row("DISCONNECTED", "websocket.send", "DISCONNECTED", note=_TOO_LATE),
        Row("DISCONNECTED", "websocket.close", "DISCONNECTED", note=_TOO_LATE),
        Row(
            "DISCONNECTED",
            "websocket.http.response.body",
            "DISCONNECTED",
            note=_TOO_LATE,
        ),
        Row(
            "DISCONNECTED",
            "websocket.http.response.body[more_body]",
            "DISCONNECTED",
            note=_TOO_LATE,
        ),
    ),
    ends=frozenset({"CLOSING", "REFUSED", "DENIED", "DISCONNECTED"}),
)

LIFESPAN: Final = Machine(
    title="Lifespan",
    start="NEW",
    rows=(
        Row("NEW", "raise", "UNSUPPORTED"),
        Row("STARTING", "raise", "UNSUPPORTED"),
        Row("NEW", "lifespan.startup", "STARTING"),
        Row("STARTING", "lifespan.startup.complete", "UP"),
        Row("STARTING", "lifespan.startup.failed", "FAILED"),
        Row("UP", "lifespan.shutdown", "STOPPING"),
        Row("STOPPING", "lifespan.shutdown.complete", "DOWN"),
        Row("STOPPING", "lifespan.shutdown.failed", "DOWN"),
    ),
    ends=frozenset({"FAILED", "DOWN"}),
)
