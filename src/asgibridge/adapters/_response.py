"""What a WSGI application does with its response, as ASGI events.

The order of things is the table in `_transitions`.  Nothing here waits, or knows
of threads and loops: events are handed to a callable.
"""

from collections.abc import Callable, Iterable
from http import HTTPStatus
from types import TracebackType
from typing import Final, TypeAlias, final

import attrs

from ..errors import ContentLengthError, WsgiBodyTypeError, WsgiProtocolError
from ._asgi import Event
from ._header_names import ResponseHeaderNames, header_value
from ._transitions import ROWS, TOO_LONG, State, Step

__all__ = ("WsgiResponse",)

ExcInfo: TypeAlias = (
    tuple[type[BaseException], BaseException, TracebackType] | tuple[None, None, None]
)

_BODILESS: Final = frozenset({HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED})

# Each look at a member of an enum costs as much as a small function.
_IDLE: Final = State.IDLE
_HELD: Final = State.HELD
_OPEN: Final = State.OPEN
_DONE: Final = State.DONE
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
        return self.state is _HELD and not self._bodiless

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
        if self.state is not _IDLE:
            self._check_restart(exc_info)
        code = self._names.status_codes[status]
        self._headers, self._left = self._names.fields(headers)
        self._status = code
        self._bodiless = self._method == "HEAD" or code in _BODILESS
        self.state = _HELD  # where the table leads from IDLE, and from itself

    def write(self, data: bytes) -> bool:
        """Take a block from the `write` callable; return whether it was sent.

        Raises:
            ContentLengthError: If it goes beyond Content-Length.  What fits is
                sent.
        """
        if self._bodiless and self.state is _DONE:
            return False
        self.block(data)
        if self.overrun:
            raise ContentLengthError(TOO_LONG)
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
        if self.state is _HELD and not self._bodiless and isinstance(data, bytes):
            if self._left < 0:
                self._promise(len(data))
            if 0 < self._left == len(data):  # as the table has it: most come here
                self._emit(self._start_event())
                self._emit(
                    {"type": "http.response.body", "body": data, "more_body": False}
                )
                self.state = _DONE
                self._left = 0
                return
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
        if self.state is _HELD and self._left < 0 and not self._bodiless:
            self._promise(0)
        self._step(_END, b"")

    def send_file(self, event: Event) -> None:
        """Send *event* in place of the body; see `takes_file`."""
        self._emit(self._start_event())
        self._emit(event)
        self.state = _DONE
        self._left = 0

    def early_hints(self, headers: Iterable[tuple[str, str]]) -> None:
        """Send the ``Link`` fields among *headers* ahead of the response."""
        links = [
            header_value(name, value)
            for name, value in headers
            if name.lower() == "link"
        ]
        if links and self.state < _OPEN:
            self._emit({"type": "http.response.early_hint", "links": links})

    def _check_restart(self, exc_info: ExcInfo | None) -> None:
        move = ROWS[self.state][Step.START if exc_info is None else Step.RESTART]
        if move.refusal:
            raise WsgiProtocolError(move.refusal)
        if move.reraises:
            _reraise(exc_info)

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
        move = ROWS[self.state][step]
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


def _reraise(exc_info: ExcInfo | None) -> None:
    try:
        if exc_info is None or exc_info[1] is None:
            msg = "start_response() was given an exc_info without an exception"
            raise WsgiProtocolError(msg)
        raise exc_info[1].with_traceback(exc_info[2])
    finally:
        del exc_info  # it refers to the frames that refer to it
