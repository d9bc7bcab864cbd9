"""One call of an ASGI application on a loop, made by a blocking thread."""

from contextlib import suppress
from typing import Final, NoReturn, final
from wsgiref.types import InputStream

import attrs

from ..errors import (
    ApplicationExitError,
    ApplicationTimeoutError,
    IncompleteResponseError,
)
from ._asgi import Event
from ._asgi_task import AsgiTask
from ._gate import Gates

__all__ = ("AsgiCall",)

_READ_BYTES: Final = 64 * 1024


@final
@attrs.define(eq=False)
class AsgiCall(AsgiTask):
    """Carries events between the application's task and the calling thread.

    The thread reads the body when the application asks for it, and takes the
    response; the task is held back while too much of that waits.

    Args:
        body: The request body, read by the thread.
        timeout: How long the thread waits for the next event, in seconds; None
            for ever.
        gates: That of the thread is among them.
    """

    _body: InputStream
    _timeout: float | None
    _gates: Gates

    def start(self) -> None:
        """Begin the call."""
        self._mailbox.post(self)

    def take(self) -> Event:
        """Return the next event of the response; waits for it.

        Raises:
            ApplicationTimeoutError: If there is none in time.
            IncompleteResponseError: If the application ended before it.
            Exception: What the application raised.
        """
        while not self._events:
            if self._wants_body:
                self._read()
            elif not self._wait_for_news():
                msg = f"{self} sent nothing for {self._timeout} seconds"
                raise ApplicationTimeoutError(msg)
        event = self._events.popleft()
        if event is None:
            self._raise_end()
        return event

    def take_body(self) -> tuple[bytes, bool]:
        """Return the next part of the body, and whether more follows.

        Parts that wait together are returned as one.

        Raises: As `take` does.
        """
        event = self.take()
        body = event.get("body") or b""
        more = bool(event.get("more_body"))
        if more and self._events:
            body, more = self._join(body)
        self._taken += len(body)
        if self._waiting and self._has_room():
            self.goes_on = True
            self._mailbox.post(self)
            self.goes_on = False
        return bytes(body), more

    def hang_up(self, *, cancel: bool = False) -> None:
        """Stop listening: the application is told that the client left.

        What it raises from here on is logged.

        Args:
            cancel: Cancel the application's task as well.
        """
        self._is_heard = False
        self._gone = True
        self._is_cancelled = cancel
        with suppress(RuntimeError):  # the loop is closed: nobody is left to tell
            self._mailbox.post(self)

    def _join(self, first: bytes) -> tuple[bytes, bool]:
        """Return *first* with what waits behind it, and whether more follows."""
        parts = [first]
        events = self._events
        # As many as wait now: more come as fast as these are taken.
        for _ in range(len(events)):
            event = events[0]
            if event is None:
                break  # the end is raised when it is asked for
            events.popleft()
            body = event.get("body")
            if body:
                parts.append(body)
            if not event.get("more_body"):
                return b"".join(parts), False
        return b"".join(parts), True

    def _read(self) -> None:
        left = self._left
        size = _READ_BYTES if left is None else min(_READ_BYTES, left)
        data = self._body.read(size) if size else b""
        if left is not None:
            left -= len(data)
        # First: once the task has the chunk it may want the next.
        self._wants_body = False
        if not data and left:
            self._gone = True  # it promised more
        else:
            more = bool(data) and left != 0
            self._chunks.append(
                {"type": "http.request", "body": data, "more_body": more}
            )
        self._left = left  # last: nothing left and no chunk is the end
        self._mailbox.post(self)

    def _wait_for_news(self) -> bool:
        # The task reads it after its change, the look for news comes after this.
        gate = self._gate = self._gates.gate
        return gate.wait(self._has_news, self._timeout)

    def _has_news(self) -> bool:
        return bool(self._events) or self._wants_body

    def _raise_end(self) -> NoReturn:
        error, self._error = self._error, None
        try:
            if error is None:
                msg = f"{self} ended without a complete response"
                raise IncompleteResponseError(msg)
            if isinstance(error, Exception):
                raise error
            # The WSGI server would take these for its own.
            msg = f"{self} raised {type(error).__name__}: {error}"
            raise ApplicationExitError(msg) from error
        finally:
            del error  # its traceback refers to this frame
