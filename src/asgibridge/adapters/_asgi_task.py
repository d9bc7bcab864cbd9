"""One call of an ASGI application: the end on the loop."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from contextvars import Context
from typing import Final

import attrs

from ..errors import AsgiProtocolError, ClientDisconnectedError
from ..loops import Mailbox
from ._asgi import ASGIApp, Event, Scope
from ._gate import Gate

__all__ = ("AsgiTask",)

_logger: Final = logging.getLogger("asgibridge.adapters")


# deque[Event]() takes three times as long as deque(), once for each request.


def _no_chunks() -> deque[Event]:
    return deque()


def _no_events() -> deque[Event | None]:
    return deque()


def _nobody() -> list[asyncio.Future[None]]:
    return []


@attrs.define(eq=False)
class AsgiTask:
    """Runs the application, which receives the body and sends the response.

    `AsgiCall` adds the other end, that of the thread which waits for the response.
    Each field has one writer, the task or the thread.  Who changes one for the
    other looks afterwards whether that one sleeps; who is about to sleep says so
    first and looks at the fields once more.

    Args:
        app: The application.
        scope: The request.
        context: The context of the task.
        mailbox: That of the application's loop.
        tasks: Keeps the task alive while it runs.
        left: How much of the body is to be read; None up to its end.
        window: How many bytes of response may wait before the application is held
            back.
    """

    _app: ASGIApp
    _scope: Scope
    _context: Context
    _mailbox: Mailbox
    _tasks: set[asyncio.Task[None]]
    _left: int | None
    _window: int
    goes_on: bool = attrs.field(default=False, init=False)
    """As a letter: whether the thread that posts it has more to do."""
    _task: asyncio.Task[None] | None = attrs.field(default=None, init=False)

    # The thread's.
    # Where it has slept, and may do so again.
    _gate: Gate | None = attrs.field(default=None, init=False)
    _chunks: deque[Event] = attrs.field(factory=_no_chunks, init=False)
    _taken: int = attrs.field(default=0, init=False)  # bytes of response
    _gone: bool = attrs.field(default=False, init=False)
    _is_heard: bool = attrs.field(default=True, init=False)
    _is_cancelled: bool = attrs.field(default=False, init=False)

    # The task's, for the thread.
    _events: deque[Event | None] = attrs.field(factory=_no_events, init=False)
    _sent: int = attrs.field(default=0, init=False)  # bytes of response
    # Set by the task, taken back by the thread.
    _wants_body: bool = attrs.field(default=False, init=False)
    _error: BaseException | None = attrs.field(default=None, init=False)

    # The task's own.
    _has_body: bool = attrs.field(default=True, init=False)  # or has yet to get it
    _is_started: bool = attrs.field(default=False, init=False)
    _is_complete: bool = attrs.field(default=False, init=False)
    _waiting: list[asyncio.Future[None]] = attrs.field(factory=_nobody, init=False)

    def __str__(self) -> str:
        """Return what to call it in messages."""
        method, path = self._scope["method"], self._scope["path"]
        return f"{method} {path!r} of ASGI application {self._app!r}"

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

    def _wake_thread(self) -> None:
        if self._gate is not None:
            self._gate.wake()

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
        if (
            self._gone
            or self._is_complete
            or not self._is_started
            or event["type"] != "http.response.body"
        ):
            self._send_other(event)
            return
        body = event.get("body")
        if body:
            self._sent += len(body)
        self._events.append(event)
        if event.get("more_body"):
            gate = self._gate
            if gate is not None and gate.is_idle:  # wake() would look again
                gate.wake(goes_on=True)
            if self._sent - self._taken >= self._window:
                await self._wait(self._can_send)
        else:
            self._wake_thread()
            self._is_complete = True
            self._wake_task()  # whoever waits for the disconnect

    def _send_other(self, event: Event) -> None:
        """Take what is no part of a body that somebody waits for."""
        if self._is_complete:
            return  # as the specification has it
        if self._gone:
            msg = f"the client of {self} has left"
            raise ClientDisconnectedError(msg)
        kind: str = event["type"]
        offered = self._scope.get("extensions") or ()
        if self._is_started or not (kind == "http.response.start" or kind in offered):
            when = "after" if self._is_started else "before"
            msg = f"{self} sent {kind!r} {when} 'http.response.start'"
            raise AsgiProtocolError(msg)
        self._is_started = kind == "http.response.start"
        self._events.append(event)
        if not self._is_started:  # of the start it only makes use with a body
            self._wake_thread()

    def _can_receive(self) -> bool:
        if self._chunks or self._gone or self._is_complete:
            return True
        if self._has_body and not self._wants_body:
            self._wants_body = True
            self._wake_thread()
        return False

    def _can_send(self) -> bool:
        return self._gone or self._has_room()

    def _has_room(self) -> bool:
        # Half, so that it is not one wake-up for each part.
        return self._sent - self._taken <= self._window // 2

    async def _wait(self, ready: Callable[[], bool]) -> None:
        loop = asyncio.get_running_loop()
        while not ready():
            future = loop.create_future()
            self._waiting.append(future)
            # Announced first, asked second; the thread does it the other way
            # round.
            if not ready():
                await future
