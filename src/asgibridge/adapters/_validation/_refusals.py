"""Which rule a misplaced event breaks.

The machines say that an event is wrong; these tables say why.  The first row
that fits counts: a state (or any), and the beginning of the event's type.
"""

from collections.abc import Iterable
from typing import Final, final

import attrs

__all__ = (
    "HTTP_RECEIVE_REFUSALS",
    "HTTP_SEND_REFUSALS",
    "HTTP_UNFINISHED",
    "LIFESPAN_REFUSALS",
    "LIFESPAN_UNFINISHED",
    "WEBSOCKET_REFUSALS",
    "WEBSOCKET_UNFINISHED",
    "Refusal",
    "why",
)

_ANY: Final = "*"


@final
@attrs.frozen
class Refusal:
    """In one of *states*, events that begin with *event* break *rule*."""

    states: str
    event: str
    rule: str

    def fits(self, state: str, event: str) -> bool:
        """Whether the row is about *event* in *state*."""
        named = self.states == _ANY or state in self.states.split()
        return named and event.startswith(self.event)


def why(refusals: Iterable[Refusal], state: str, event: str) -> str:
    """Return the name of the rule that *event* breaks in *state*."""
    fitting = (row.rule for row in refusals if row.fits(state, event))
    return next(fitting, "event.order")


HTTP_SEND_REFUSALS: Final = (
    Refusal("DONE", "http.response.", "http.after_end"),
    Refusal(_ANY, "http.response.debug", "debug.once_before_start"),
    Refusal(_ANY, "http.response.early_hint", "early_hint.window"),
    Refusal("IDLE DEBUGGED", "http.response.", "http.body_before_start"),
    Refusal(_ANY, "http.response.start", "http.start_twice"),
    Refusal("STARTED_T SENDING_T", "http.response.trailers", "trailers.after_body"),
    Refusal(_ANY, "http.response.trailers", "trailers.announce"),
    Refusal("SENDING SENDING_T", "http.response.pathsend", "pathsend.no_mix"),
    Refusal(_ANY, "http.response.push", "push.window"),
    Refusal("TRAILERS", "http.response.", "http.after_end"),
)

HTTP_RECEIVE_REFUSALS: Final = (
    Refusal("DISCONNECTED", "http.disconnect", "disconnect.repeated"),
    Refusal("DISCONNECTED", "http.request", "request.after_disconnect"),
    Refusal("BODY_DONE", "http.request", "request.after_end"),
)

WEBSOCKET_REFUSALS: Final = (
    Refusal("NEW", "websocket.accept", "ws.reply_before_connect"),
    Refusal("NEW", "websocket.close", "ws.reply_before_connect"),
    Refusal("NEW", "websocket.http.response.start", "ws.reply_before_connect"),
    Refusal("NEW", "websocket.", "ws.connect_first"),
    Refusal(_ANY, "websocket.connect", "ws.connect_twice"),
    Refusal("DISCONNECTED", "websocket.", "ws.after_disconnect"),
    Refusal("CONNECTING", "websocket.receive", "connect.reply"),
    Refusal("CONNECTING", "websocket.send", "connect.reply"),
    Refusal("CONNECTING", "websocket.http.response.body", "http.body_before_start"),
    Refusal("DENYING DENIED", "websocket.", "denial.exclusive"),
    Refusal("OPEN", "websocket.accept", "ws.accept_twice"),
    Refusal(_ANY, "websocket.http.response.", "denial.after_connect"),
    Refusal("CLOSING", "websocket.receive", "ws.receive_after_close"),
    Refusal("CLOSING REFUSED", "websocket.close", "ws.close_twice"),
    Refusal("CLOSING REFUSED", "websocket.", "ws.after_close"),
)

LIFESPAN_REFUSALS: Final = (
    Refusal(_ANY, "lifespan.startup.", "lifespan.startup_unasked"),
    Refusal(_ANY, "lifespan.startup", "lifespan.startup_first"),
    Refusal(_ANY, "lifespan.shutdown.", "lifespan.shutdown_unasked"),
    Refusal(_ANY, "lifespan.shutdown", "lifespan.shutdown_early"),
)

# What is wrong with returning in a state; states that are not named are fine.
HTTP_UNFINISHED: Final = {
    "IDLE": "http.no_response",
    "DEBUGGED": "http.no_response",
    "STARTED": "http.missing_end",
    "STARTED_T": "http.missing_end",
    "SENDING": "http.missing_end",
    "SENDING_T": "http.missing_end",
    "TRAILERS": "http.missing_trailers",
}
WEBSOCKET_UNFINISHED: Final = {
    "NEW": "ws.unanswered",
    "CONNECTING": "ws.unanswered",
    "DENYING": "denial.missing_end",
    "OPEN": "ws.left_open",
}
LIFESPAN_UNFINISHED: Final = {
    "NEW": "lifespan.unanswered",
    "STARTING": "lifespan.unanswered",
    "UP": "lifespan.left_early",
    "STOPPING": "lifespan.unanswered",
}
