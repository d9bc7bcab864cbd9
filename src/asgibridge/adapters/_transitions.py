"""The order of things in a response, as a table.

What the application does (a *step*) leads from one state to the next and says
what is sent.
"""

from collections.abc import Mapping
from enum import IntEnum
from typing import Final, final

import attrs

__all__ = ("ROWS", "TOO_LONG", "TRANSITIONS", "Move", "State", "Step")


class State(IntEnum):
    """How far a response has come."""

    IDLE = 0  # start_response() has not been called
    HELD = 1  # status and headers are known and can still be replaced
    OPEN = 2  # headers are sent, the body is not complete
    DONE = 3  # the last event is sent


class Step(IntEnum):
    """What the application does."""

    START = 0  # start_response() without exc_info
    RESTART = 1  # start_response() with exc_info
    BLOCK = 2  # a block that is not empty
    FILL = 3  # a block that reaches Content-Length
    END = 4  # the body ends


@final
@attrs.frozen
class Move:
    """Where a step leads, and what is sent on the way."""

    state: State
    starts: bool = False
    sends: bool = False
    last: bool = False
    reraises: bool = False
    refusal: str = ""


_NO_START: Final = Move(
    State.IDLE,
    refusal="the application produced a response without calling start_response();"
    " call it before the first block is yielded or written",
)
_TWICE: Final = (
    "start_response() was called a second time without exc_info;"
    " pass sys.exc_info() to replace a response that is not sent yet"
)
TOO_LONG: Final = (
    "the application wrote past the end of its response;"
    " its Content-Length promised fewer bytes"
)

TRANSITIONS: Final[Mapping[tuple[State, Step], Move]] = {
    (State.IDLE, Step.START): Move(State.HELD),
    (State.IDLE, Step.RESTART): Move(State.HELD),
    (State.IDLE, Step.BLOCK): _NO_START,
    (State.IDLE, Step.FILL): _NO_START,
    (State.IDLE, Step.END): _NO_START,
    (State.HELD, Step.START): Move(State.HELD, refusal=_TWICE),
    (State.HELD, Step.RESTART): Move(State.HELD),
    (State.HELD, Step.BLOCK): Move(State.OPEN, starts=True, sends=True),
    (State.HELD, Step.FILL): Move(State.DONE, starts=True, sends=True, last=True),
    (State.HELD, Step.END): Move(State.DONE, starts=True, sends=True, last=True),
    (State.OPEN, Step.START): Move(State.OPEN, refusal=_TWICE),
    (State.OPEN, Step.RESTART): Move(State.OPEN, reraises=True),
    (State.OPEN, Step.BLOCK): Move(State.OPEN, sends=True),
    (State.OPEN, Step.FILL): Move(State.DONE, sends=True, last=True),
    (State.OPEN, Step.END): Move(State.DONE, sends=True, last=True),
    (State.DONE, Step.START): Move(State.DONE, refusal=_TWICE),
    (State.DONE, Step.RESTART): Move(State.DONE, reraises=True),
    (State.DONE, Step.BLOCK): Move(State.DONE, refusal=TOO_LONG),
    (State.DONE, Step.FILL): Move(State.DONE, refusal=TOO_LONG),
    (State.DONE, Step.END): Move(State.DONE),
}


# The same, one row for each state: quicker to look up.
ROWS: Final = tuple(tuple(TRANSITIONS[state, step] for step in Step) for state in State)
