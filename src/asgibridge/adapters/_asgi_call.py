"""One call of an ASGI application on a loop, made by a blocking thread."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from contextvars import Context
from typing import Final, NoReturn, final
from wsgiref.types import InputStream

import attrs

from ..errors import (
    ApplicationExitError,
    ApplicationTimeoutError,
    AsgiProtocolError,
    ClientDisconnectedError,
    IncompleteResponseError,
)
from ..loops import Mailbox
from ._asgi import ASGIApp, Event, Scope
from ._gate import Gate, Gates

__all__ = ("AsgiCall",)

_logger: Final = logging.getLogger("asgibridge.adapters")

_READ_BYTES: Final = 64 * 1024


# deque[Event]() takes three times as long as deque(), once for each request.


def _no_chunks() -> deque[Event]:
    return deque()


def _no_events() -> deque[Event | None]:
    return deque()


def _nobody() -> list[asyncio.Future[None]]:
    return []


@final
@attrs.define(eq=False)
class AsgiCall:
    """Carries events between the application's task and the calling thread.

    The thread reads the body when the application asks for it, and takes the
    response; the task is held back while too much of that waits.

    Args:
        app: The application.
        scope: The request.
        context: The context of the task.
        mailbox: That of the application's loop.
        tasks: Keeps the task alive while it runs.
        body: The request body, read by the thread.
        left: How much of it there is; None up to its end.
        window: How many bytes of response may wait.
        timeout: How long the thread waits for the next event, in seconds; None
            for ever.
        gates: That of the thread is among them.
    """

    _app: ASGIApp
    _scope: Scope
    _context: Context
    _mailbox: Mailbox
    _tasks: set[asyncio.Task[None]]
    _body: InputStream
    _left: int | None
    _window: int
    _timeout: float | None
    _gates: Gates
    # Where the thread has slept, and may do so again.
    _gate: Gate | None = attrs.field(default=None, init=False)
    goes_on: bool = attrs.field(default=False, init=False)
    """As a letter: whether the thread that posts it has more to do."""
    _task: asyncio.Task[None] | None = attrs.field(default=None, init=False)

    # Thread to task.
    _chunks: deque[Event] = attrs.field(factory=_no_chunks, init=False)
    _taken: int = attrs.field(default=0, init=False)  # bytes of response
    _gone: bool = attrs.field(default=False, init=False)
    _is_heard: bool = attrs.field(default=True, init=False)
    _is_cancelled: bool = attrs.field(default=False, init=False)

    # Task to thread.
    _events: deque[Event | None] = attrs.field(factory=_no_events, init=False)
    _sent: int = attrs.field(default=0, init=False)  # bytes of response
    _wants_body: bool = attrs.field(default=False, init=False)
    _error: BaseException | None = attrs.field(default=None, init=False)

    # The task's own.
    _has_body: bool = attrs.field(default=True, init=False)  # or has yet to get it
    _is_started: bool = attrs.field(default=False, init=False)
    _is_complete: bool = attrs.field(default=False, init=False)
    _waiting: list[asyncio.Future[None]] = attrs.field(factory=_nobody, init=False)

    # The thread's end.

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
        self._taken += len(event.get("body") or b"")
        if self._waiting and self._has_room():
            self.goes_on = True
            self._mailbox.post(self)
            self.goes_on = False
        return event

    def take_body(self) -> tuple[bytes, bool]:
        """Return the next part of the body, and whether more follows.

        Parts that wait together are returned as one.

        Raises: As `take` does.
        """
        event = self.take()
        more = bool(event.get("more_body"))
        if not (more and self._events):
            return bytes(event.get("body") or b""), more
        parts = [event.get("body") or b""]
        # As many as wait now: more come as fast as these are taken.
        for _ in range(len(self._events)):
            if not more or self._events[0] is None:
                break
            event = self.take()
            parts.append(event.get("body") or b"")
            more = bool(event.get("more_body"))
        return b"".join(parts), more

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

    def __str__(self) -> str:
        """Return what to call it in messages."""
        method, path = self._scope["method"], self._scope["path"]
        return f"{method} {path!r} of ASGI application {self._app!r}"

    def _read(self) -> None:
        left = self._left
        size = _READ_BYTES if left is None else min(_READ_BYTES, left)
        data = self._body.read(size) if size else b""
        if left is not None:
            self._left = left - len(data)
        self._wants_body = False
        if not data and self._left:
            self._gone = True  # it promised more
        else:
            more = bool(data) and self._left != 0
            self._chunks.append(
                {"type": "http.request", "body": data, "more_body": more}
            )
        self._mailbox.post(self)

    def _wait_for_news(self) -> bool:
        # The task reads it after its change, the look for news comes after this.
        gate = self._gate = self._gates.gate
        return gate.wait(self._has_news, self._timeout)

    def _has_news(self) -> bool:
        return bool(self._events) or self._wants_body

    def _has_room(self) -> bool:
        return self._sent - self._taken <= self._window // 2

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

    # The loop's end.

    def deliver(self) -> None:
        """Start the task, or let it look; called by the mailbox, on the loop."""
        if self._task is None:
            loop = asyncio.get_running_loop()
            self._task = loop.create_task(self._run(), context=self._context)
            self._tasks.add(self._task)
            self._task.add_done_callback(self._tasks.discard)
        elif self._is_cancelled:
            self._task.cancel()
        else:
            self._wake_task()

    def _wake_thread(self, *, goes_on: bool = False) -> None:
        if self._gate is not None:
            self._gate.wake(goes_on=goes_on)

    def _wake_task(self) -> None:
        waiting, self._waiting = self._waiting, []
        for future in waiting:
            if not future.done():
                future.set_result(None)

    async def _run(self) -> None:
        try:
            await self._app(self._scope, self._receive, self._send)
        except BaseException as exc:  # noqa: BLE001 # the thread raises it
            if self._is_complete or not self._is_heard:
                self._report(exc)
            else:
                self._error = exc
        self._events.append(None)
        self._wake_thread()

    def _report(self, error: BaseException) -> None:
        if self._is_cancelled or isinstance(error, ClientDisconnectedError):
            return
        _logger.error("%s failed when nobody waited for it", self, exc_info=error)

    async def _receive(self) -> Event:
        if self._left == 0 and self._has_body and not self._chunks:
            self._has_body = False
            return {"type": "http.request", "body": b"", "more_body": False}
        await self._wait(self._can_receive)
        if self._chunks and not self._is_complete:
            event = self._chunks.popleft()
            self._has_body = event["more_body"]
            return event
        return {"type": "http.disconnect"}

    async def _send(self, event: Event) -> None:
        if self._is_complete:
            return  # as the specification has it
        if self._gone:
            msg = f"the client of {self} has left"
            raise ClientDisconnectedError(msg)
        if event["type"] != "http.response.body":
            self._send_head(event)
            return
        if not self._is_started:
            raise AsgiProtocolError(self._misplaced(event))
        body = event.get("body")
        if body:
            self._sent += len(body)
        self._events.append(event)
        more = bool(event.get("more_body"))
        self._wake_thread(goes_on=more)
        if not more:
            self._is_complete = True
            self._wake_task()  # whoever waits for the disconnect
        elif self._sent - self._taken >= self._window:
            await self._wait(self._can_send)

    def _send_head(self, event: Event) -> None:
        kind: str = event["type"]
        offered = self._scope.get("extensions") or ()
        if self._is_started or not (kind == "http.response.start" or kind in offered):
            raise AsgiProtocolError(self._misplaced(event))
        self._is_started = kind == "http.response.start"
        self._events.append(event)
        if not self._is_started:  # of the start it only makes use with a body
            self._wake_thread()

    def _misplaced(self, event: Event) -> str:
        when = "after" if self._is_started else "before"
        return f"{self} sent {event['type']!r} {when} 'http.response.start'"

    def _can_receive(self) -> bool:
        if self._chunks or self._gone or self._is_complete:
            return True
        if self._has_body and not self._wants_body:
            self._wants_body = True
            self._wake_thread()
        return False

    def _can_send(self) -> bool:
        return self._gone or self._has_room()

    async def _wait(self, ready: Callable[[], bool]) -> None:
        loop = asyncio.get_running_loop()
        while not ready():
            future = loop.create_future()
            self._waiting.append(future)
            # Announced first, asked second; the thread does it the other way
            # round.
            if not ready():
                await future
