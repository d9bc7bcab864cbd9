"""What a WSGI application does with its response, as ASGI events.

The order of things is a table: what the application does (a *step*) leads from
one state to the next and says what is sent.  Nothing here waits, or knows of
threads and loops: events are handed to a callable.
"""

from collections.abc import Callable, Iterable, Mapping
from enum import IntEnum
from http import HTTPStatus
from types import TracebackType
from typing import Final, TypeAlias, final

import attrs

from ..errors import ContentLengthError, WsgiBodyTypeError, WsgiProtocolError
from ._asgi import Event
from ._header_names import ResponseHeaderNames, header_value

__all__ = ("TRANSITIONS", "Move", "State", "Step", "WsgiResponse")

ExcInfo: TypeAlias = (
    tuple[type[BaseException], BaseException, TracebackType] | tuple[None, None, None]
)

_BODILESS: Final = frozenset({HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED})


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
_TOO_LONG: Final = (
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
    (State.DONE, Step.BLOCK): Move(State.DONE, refusal=_TOO_LONG),
    (State.DONE, Step.FILL): Move(State.DONE, refusal=_TOO_LONG),
    (State.DONE, Step.END): Move(State.DONE),
}


# The same, one row for each state: quicker to look up, once for each block.
_ROWS: Final = tuple(
    tuple(TRANSITIONS[state, step] for step in Step) for state in State
)
_OPEN: Final = State.OPEN
_BLOCK: Final = Step.BLOCK
_FILL: Final = Step.FILL
_END: Final = Step.END


@final
@attrs.define(eq=False)
class WsgiResponse:
    """One response on its way from a WSGI application to an ASGI server.

    Used by one thread, that of the application.

    Args:
        emit: Takes each event, in order.
        method: The request's method: a response to HEAD has no body.
        names: Checks header names and remembers them.
    """

    _emit: Callable[[Event], object]
    _method: str
    _names: ResponseHeaderNames
    state: State = attrs.field(default=State.IDLE, init=False)
    overrun: bool = attrs.field(default=False, init=False)
    """Whether the application produced more than its Content-Length."""
    _status: int = attrs.field(default=0, init=False)
    _headers: list[tuple[bytes, bytes]] = attrs.field(init=False)  # once HELD
    _bodiless: bool = attrs.field(default=False, init=False)
    # What Content-Length promises and is not sent yet; -1 without a promise.
    _left: int = attrs.field(default=-1, init=False)

    @property
    def content_length(self) -> int | None:
        """What is promised and not sent yet; None without a Content-Length."""
        return None if self._left < 0 else self._left

    @property
    def takes_file(self) -> bool:
        """Whether a file may be sent in place of the body."""
        return self.state is State.HELD and not self._bodiless

    def start(
        self,
        status: str,
        headers: Iterable[tuple[str, str]],
        exc_info: ExcInfo | None = None,
    ) -> None:
        """Do what `start_response` does.

        Raises:
            WsgiProtocolError: On a second call without *exc_info*.
            WsgiHeaderError: For what must not be sent.
            BaseException: That of *exc_info*, if the headers are sent already.
        """
        step = Step.START if exc_info is None else Step.RESTART
        move = _ROWS[self.state][step]
        if move.refusal:
            raise WsgiProtocolError(move.refusal)
        if move.reraises:
            _reraise(exc_info)
        code = self._names.status_codes[status]
        pairs, length = self._checked(headers)
        self._status = code
        self._headers = pairs
        self._left = length
        self._bodiless = self._method == "HEAD" or code in _BODILESS
        self.state = move.state

    def write(self, data: bytes) -> bool:
        """Take a block from the `write` callable; return whether it was sent.

        Raises:
            ContentLengthError: If it goes beyond Content-Length.  What fits is
                sent.
        """
        if self._bodiless and self.state is State.DONE:
            return False
        self.block(data)
        if self.overrun:
            raise ContentLengthError(_TOO_LONG)
        return bool(data)

    def block(self, data: object) -> bool:
        """Take a block of the body; return whether no more is wanted.

        Raises:
            WsgiBodyTypeError: If it is not bytes.
            WsgiProtocolError: If `start_response` was not called.
        """
        if not isinstance(data, bytes):
            raise WsgiBodyTypeError(_not_bytes(data))
        if not data:
            return False  # headers stay held, as PEP 3333 asks
        if self._bodiless:
            self._step(_END, b"")
            return True
        left = self._left
        if left < 0:
            if self.state is _OPEN:  # as the table has it: most blocks come here
                self._emit(
                    {"type": "http.response.body", "body": data, "more_body": True}
                )
            else:
                self._step(_BLOCK, data)
            return False
        size = len(data)
        if size < left:
            self._step(_BLOCK, data)
            self._left = left - size
            return False
        if size > left:
            self.overrun = True
            data = data[:left]
        self._step(_FILL, data)
        self._left = 0
        return True

    def whole(self, data: object) -> None:
        """Take the only block there is: its length is known beforehand."""
        if self.state is State.HELD and self._left < 0 and not self._bodiless:
            if not isinstance(data, bytes):
                raise WsgiBodyTypeError(_not_bytes(data))
            self._promise(len(data))
        if not self.block(data):
            self.end()

    def end(self) -> None:
        """The application has no more to say.

        Raises:
            ContentLengthError: If it promised more than it sent.  The last
                event is not sent then: the response is not complete.
            WsgiProtocolError: If `start_response` was not called.
        """
        if self._left > 0 and not self._bodiless:
            msg = (
                f"the application ended its response {self._left} bytes"
                " before its Content-Length"
            )
            raise ContentLengthError(msg)
        if self.state is State.HELD and self._left < 0 and not self._bodiless:
            self._promise(0)
        self._step(_END, b"")

    def send_file(self, event: Event) -> None:
        """Send *event* in place of the body; see `takes_file`."""
        self._emit(self._start_event())
        self._emit(event)
        self.state = State.DONE
        self._left = 0

    def early_hints(self, headers: Iterable[tuple[str, str]]) -> None:
        """Send the ``Link`` fields among *headers* ahead of the response."""
        links = [
            header_value(name, value)
            for name, value in headers
            if name.lower() == "link"
        ]
        if links and self.state < State.OPEN:
            self._emit({"type": "http.response.early_hint", "links": links})

    def _checked(
        self, headers: Iterable[tuple[str, object]]
    ) -> tuple[list[tuple[bytes, bytes]], int]:
        names = self._names
        pairs: list[tuple[bytes, bytes]] = []
        length = -1
        for name, value in headers:
            field = names[name]
            if isinstance(value, str) and value.isprintable() and value.isascii():
                content = value.strip().encode("ascii")
            else:
                content = header_value(name, value)
            if field == b"content-length":
                length = _length(content, length)
            pairs.append((field, content))
        return pairs, length

    def _promise(self, length: int) -> None:
        self._headers.append((b"content-length", b"%d" % length))
        self._left = length

    def _start_event(self) -> Event:
        return {
            "type": "http.response.start",
            "status": self._status,
            "headers": self._headers,
        }

    def _step(self, step: Step, data: bytes) -> None:
        move = _ROWS[self.state][step]
        if move.refusal:
            raise WsgiProtocolError(move.refusal)
        if move.starts:
            self._emit(self._start_event())
        if move.sends:
            more = not move.last
            self._emit({"type": "http.response.body", "body": data, "more_body": more})
        self.state = move.state


def _not_bytes(data: object) -> str:
    return (
        f"the application produced {type(data).__name__}, not bytes;"
        " encode text before it is yielded or written"
    )


def _length(value: bytes, known: int) -> int:
    if not value.isdigit():
        msg = f"Content-Length {value!r} is not a number"
        raise ContentLengthError(msg)
    length = int(value)
    if known >= 0 and length != known:
        msg = f"two Content-Length fields differ: {known} and {length}"
        raise ContentLengthError(msg)
    return length


def _reraise(exc_info: ExcInfo | None) -> None:
    try:
        if exc_info is None or exc_info[1] is None:
            msg = "start_response() was given an exc_info without an exception"
            raise WsgiProtocolError(msg)
        raise exc_info[1].with_traceback(exc_info[2])
    finally:
        del exc_info  # it refers to the frames that refer to it
