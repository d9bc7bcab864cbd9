"""One request as a WSGI application sees it: a piece of work on one thread."""

import logging
from collections import deque
from collections.abc import Callable, Iterable
from threading import Lock, get_ident
from typing import Any, Final, final

import attrs

from ..bridge import DetachedCall
from ..errors import (
    BodyTooLargeError,
    ClientDisconnectedError,
    RequestRefusedError,
)
from ..types import WSGIApplication
from ._asgi import Scope
from ._environ import EnvironBuilder
from ._files import FileWrapper, file_event
from ._inbox import Inbox
from ._input import BodyInput
from ._line import Line
from ._outbox import Outbox
from ._refusals import refusal
from ._response import ExcInfo, WsgiResponse
from ._transitions import State

__all__ = ("WsgiWork",)

_logger: Final = logging.getLogger("asgibridge.adapters")
_CONTENT_TOO_LARGE: Final = 413


@final
@attrs.define(eq=False)
class WsgiWork:
    """Calls the application, iterates over its result and closes it.

    `run` does all of it on the thread that it is called on.

    Args:
        app: The application.
        scope: The request.
        environs: Builds the environ.
        line: Wakes the request's task.
        inbox: The request body.
        outbox: Takes the response; its end is put there last.
        response: Puts events into *outbox*.
        queued: An item for each request that waits for its thread.
        on_end: Called after everything else.
    """

    _app: WSGIApplication
    _scope: Scope
    _environs: EnvironBuilder
    _line: Line
    _inbox: Inbox
    _outbox: Outbox
    _response: WsgiResponse
    _queued: deque[None]
    _on_end: Callable[["WsgiWork"], object]
    # What runs this, unless it is a crossing that the task itself awaits.
    call: DetachedCall | None = attrs.field(default=None, init=False)
    _begun: bool = attrs.field(default=False, init=False)
    _abandoned: bool = attrs.field(default=False, init=False)
    # At most one; whoever takes it, which is atomic, answers for it.
    _errors: list[BaseException] | None = attrs.field(default=None, init=False)

    def run(self) -> None:
        """Serve the request; never raises."""
        self._begun = True
        self._queued.pop()
        if not self._line.gone:
            try:
                self._serve()
            except BaseException as exc:  # noqa: BLE001 # handed to the task
                self._errors = [exc]
        self.finish()

    def finish(self) -> None:
        """Tell the task that nothing more comes."""
        self._outbox.events.append(None)
        # This thread takes the next one, most likely.
        self._line.ring(goes_on=bool(self._queued))
        self._on_end(self)
        if self._abandoned:
            self.report()

    def fail(self, error: BaseException) -> None:
        """End a request that no thread will run; one that has run has ended."""
        if self._begun:
            return  # a crossing that is cancelled says so after the function's end
        self._errors = [error]
        self._queued.pop()
        self.finish()

    def take_error(self) -> BaseException | None:
        """Return what the application raised; a second time, None."""
        if self._errors is None:
            return None
        try:
            return self._errors.pop()
        except IndexError:
            return None

    def abandon(self) -> None:
        """Nobody waits any more: log what the application raises from here on.

        A coroutine that the application waits for is cancelled.
        """
        self._abandoned = True
        if self.call is not None:
            self.call.cancel()
        self._line.hang_up()
        self.report()

    def report(self) -> None:
        """Log what the application raised, if nobody was told of it."""
        error = self.take_error()
        if error is not None:
            _logger.error(
                "WSGI application %r failed after its request had been cancelled",
                self._app,
                exc_info=error,
            )

    def _serve(self) -> None:
        try:
            environ = self._environ()
        except RequestRefusedError as exc:
            self._refuse(exc.status, str(exc))
            return
        try:
            self._respond(self._app(environ, self._start_response))
        except ClientDisconnectedError:
            if not self._line.gone:
                raise  # not ours
        except BodyTooLargeError as exc:
            if self._response.state > State.HELD:
                raise
            self._refuse(_CONTENT_TOO_LARGE, str(exc))

    def _environ(self) -> dict[str, Any]:
        environ = self._environs.build(self._scope)
        self._inbox.home = get_ident()
        environ["wsgi.input"] = BodyInput(self._inbox.pull, Lock())
        environ["asgi.client_disconnected"] = self._client_disconnected
        if "http.response.early_hint" in (self._scope.get("extensions") or ()):
            environ["wsgi.early_hints"] = self._early_hints
        return environ

    def _respond(self, result: Iterable[bytes]) -> None:
        try:
            if isinstance(result, (list, tuple)) and len(result) == 1:
                self._response.whole(result[0])
            elif not (isinstance(result, FileWrapper) and self._send_file(result)):
                self._iterate(result)
        finally:
            close: Callable[[], object] | None = getattr(result, "close", None)
            if close is not None:
                self._line.ring(goes_on=True)  # what is there need not wait for it
                close()

    def _iterate(self, result: Iterable[bytes]) -> None:
        response, line = self._response, self._line
        take, flush = response.block, self._outbox.flush
        if response.state is State.DONE:
            return  # all of it was written
        for block in result:
            if line.gone or take(block):
                break
            if block:
                flush()
        if response.overrun:
            _logger.warning(
                "WSGI application %r produced more than its Content-Length;"
                " the rest was not sent",
                self._app,
            )
        if not line.gone:
            response.end()

    def _send_file(self, wrapper: FileWrapper) -> bool:
        offered = frozenset(self._scope.get("extensions") or ())
        if not self._response.takes_file:
            return False
        event = file_event(wrapper, offered, self._response.content_length)
        if event is None:
            return False
        self._response.send_file(event)
        self._outbox.wait_sent()  # the file is closed after it
        return True

    def _start_response(
        self,
        status: str,
        headers: Iterable[tuple[str, str]],
        exc_info: ExcInfo | None = None,
        /,
    ) -> Callable[[bytes], object]:
        try:
            self._response.start(status, headers, exc_info)
        finally:
            del exc_info
        return self._write

    def _write(self, data: bytes) -> None:
        if self._line.gone:
            msg = "the client left before the response was complete"
            raise ClientDisconnectedError(msg)
        try:
            self._response.write(data)
        finally:
            self._outbox.flush()

    def _early_hints(self, headers: Iterable[tuple[str, str]]) -> None:
        self._response.early_hints(headers)
        self._outbox.flush()

    def _client_disconnected(self) -> bool:
        """Return whether the client has left, as far as is known.

        The first call begins to watch for it.
        """
        if not self._inbox.watched:
            self._inbox.watched = True
            self._line.ring(goes_on=True)
        return self._line.gone

    def _refuse(self, status: int, reason: str) -> None:
        _logger.warning("request refused with %d: %s", status, reason)
        for event in refusal(status, reason):
            self._outbox.put(event)
