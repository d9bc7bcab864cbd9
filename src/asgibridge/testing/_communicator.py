"""A conversation with an application, driven by a test."""

import asyncio
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Final, Generic, Self, TypeVar, final, overload

from ..adapters import ASGIValidator
from ..errors import ApplicationEndedError, OptionError
from ..types import (
    ASGIApp,
    HTTPReceiveEvent,
    HTTPScope,
    HTTPSendEvent,
    LifespanReceiveEvent,
    LifespanScope,
    LifespanSendEvent,
    WebSocketReceiveEvent,
    WebSocketScope,
    WebSocketSendEvent,
)
from ._exchange import Exchange
from ._running import RunningApplication

__all__ = ("ApplicationCommunicator",)

ReceiveT = TypeVar("ReceiveT")
SendT = TypeVar("SendT")

Validator = Callable[[ASGIApp], ASGIApp]
VALIDATED: Final = frozenset({"http", "websocket", "lifespan"})


@final
class ApplicationCommunicator(Generic[ReceiveT, SendT]):
    """Talks to one instance of an application, event by event, as a server does.

    ::

        async with ApplicationCommunicator(app, http_scope("/hello")) as client:
            await client.send_input({"type": "http.request"})
            start = await client.receive_output()
            assert start["status"] == 200

    The type of the scope chooses those of the events; a scope of any other
    protocol makes them `Any`.  The application runs as a task of the running
    loop, started by ``async with`` or the first call.  At the end of the block
    it is cancelled if it still runs; an exception of its own that nobody has
    seen yet is raised there.

    A timeout only ends the wait: the application runs on, and the test may try
    again.  What the application sent is delivered before its exception is
    raised.  A cancellation that the application ends with is raised as
    `ApplicationCancelledError`, so that the test's own task is not taken to be
    cancelled.

    Not thread-safe: for the tasks of one loop.  `SyncApplicationCommunicator`
    is the same for tests without a loop.

    Args:
        application: Any ASGI 3 application.  It is not owned.
        scope: What it is called with; see `http_scope` and its like.
        timeout: How long each call waits if it does not say otherwise, in
            seconds: a safety net, not a measure.
        max_queued: How many events each side may be ahead of the other.  Beyond
            that ``send()`` and `send_input` wait.
        validator: Wraps the application to check both sides; None checks nothing.
            The default is not asked about protocols that it has no rules for.
        disconnect_at: Asked about each event that the application sends; with
            the first one that it returns True for, the client goes away, and
            the event is lost.
    """

    @overload
    def __init__(
        self: "ApplicationCommunicator[HTTPReceiveEvent, HTTPSendEvent]",
        application: ASGIApp,
        scope: HTTPScope,
        *,
        timeout: float = ...,
        max_queued: int = ...,
        validator: Validator | None = ...,
        disconnect_at: Callable[[HTTPSendEvent], bool] | None = ...,
    ) -> None: ...

    @overload
    def __init__(
        self: "ApplicationCommunicator[WebSocketReceiveEvent, WebSocketSendEvent]",
        application: ASGIApp,
        scope: WebSocketScope,
        *,
        timeout: float = ...,
        max_queued: int = ...,
        validator: Validator | None = ...,
        disconnect_at: Callable[[WebSocketSendEvent], bool] | None = ...,
    ) -> None: ...

    @overload
    def __init__(
        self: "ApplicationCommunicator[LifespanReceiveEvent, LifespanSendEvent]",
        application: ASGIApp,
        scope: LifespanScope,
        *,
        timeout: float = ...,
        max_queued: int = ...,
        validator: Validator | None = ...,
        disconnect_at: Callable[[LifespanSendEvent], bool] | None = ...,
    ) -> None: ...

    @overload
    def __init__(
        self: "ApplicationCommunicator[Any, Any]",
        application: ASGIApp,
        # A Mapping would match the typed scopes, too, and mypy would give up.
        scope: dict[str, Any],
        *,
        timeout: float = ...,
        max_queued: int = ...,
        validator: Validator | None = ...,
        disconnect_at: Callable[[Any], bool] | None = ...,
    ) -> None: ...

    def __init__(
        self,
        application: ASGIApp,
        scope: Any,
        *,
        timeout: float = 1.0,
        max_queued: int = 100,
        validator: Validator | None = ASGIValidator,
        disconnect_at: Callable[[Any], bool] | None = None,
    ) -> None:
        """Prepare the conversation; nothing is started yet."""
        self._scope: Mapping[str, Any] = scope
        if validator is ASGIValidator and scope.get("type") not in VALIDATED:
            validator = None
        app = application if validator is None else validator(application)
        self._exchange = Exchange[ReceiveT, SendT].of(
            scope, max_queued=max_queued, disconnect_at=disconnect_at
        )

        async def call() -> None:
            await app(scope, self._exchange.receive, self._exchange.send)

        self._app = RunningApplication(
            repr(application), call, timeout, self._exchange.changed
        )

    async def __aenter__(self) -> Self:
        """Start the application."""
        self.start()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End the application; raise its exception if nobody has seen it."""
        await self.aclose(exceptions=exc is None)

    @property
    def is_running(self) -> bool:
        """Whether the application was started and has not ended."""
        return self._app.is_started and not self._app.has_ended

    def start(self) -> None:
        """Start the application, once.  Every other method does so too."""
        self._app.start()

    async def send_input(self, event: ReceiveT, timeout: float | None = None) -> None:
        """Give the application an event.

        It is queued: an application that has ended never takes it.

        Args:
            event: What ``receive()`` is to return.
            timeout: Longest time to wait, in seconds; None is the default.

        Raises:
            TimeoutError: If too many events are queued all that time.
        """
        app = self._started()
        await app.within(timeout, self._exchange.put(event), "did not take its events")

    async def receive_output(self, timeout: float | None = None) -> SendT:
        """Return the next event that the application sends.

        Args:
            timeout: Longest time to wait, in seconds; None is the default.

        Raises:
            ApplicationEndedError: If the application returned without sending
                any more.  If it raised an exception, that is raised.
            ApplicationCancelledError: If it ended with a cancellation.
            TimeoutError: If nothing was sent in time; the application runs on.
        """
        ended = "returned without sending any more events"
        return await self._started().output(self._exchange, timeout, ended)

    async def receive_all(self, timeout: float | None = None) -> list[SendT]:
        """Return all events until the application ends.

        Args:
            timeout: Longest time to wait for each, in seconds.

        Raises:
            ApplicationCancelledError: If it ended with a cancellation; if it
                raised an exception, that is raised.
            TimeoutError: If it neither sent an event nor ended in time.
        """
        events: list[SendT] = []
        try:
            while True:
                events.append(await self.receive_output(timeout))
        except ApplicationEndedError:
            return events

    async def receive_nothing(
        self, timeout: float = 0.1, interval: float | None = None
    ) -> bool:
        """Say whether the application sends nothing for a while.

        At once, if there is an event, or the application has ended.

        Args:
            timeout: How long to wait, in seconds.
            interval: Not used: nothing is polled.  asgiref has it.
        """
        del interval
        app = self._started()
        try:
            async with asyncio.timeout(timeout):
                await self._exchange.output_or_end(lambda: app.has_ended)
        except TimeoutError:
            return True
        return not self._exchange.sent

    async def disconnect(self, event: ReceiveT | None = None) -> None:
        """Let the client go away.

        ``receive()`` then returns the events that are queued, and the
        disconnect event from there on; ``send()`` raises
        `ClientDisconnectedError` (does nothing, before version 2.4).

        Args:
            event: The disconnect event; None is the protocol's own.

        Raises:
            OptionError: If there is none, and the protocol has none.
        """
        self.start()
        if event is None and self._exchange.disconnect_event is None:
            msg = (
                f"the protocol {self._scope.get('type')!r} has no disconnect event; "
                f"pass the one to use"
            )
            raise OptionError(msg)
        self._exchange.disconnect(event)

    async def wait(self, timeout: float | None = None) -> None:
        """Wait until the application has ended.

        Args:
            timeout: Longest time to wait, in seconds; None is the default.

        Raises:
            ApplicationCancelledError: If it ended with a cancellation; if it
                raised an exception, that is raised.
            TimeoutError: If it did not end in time; it runs on.
        """
        app = self._started()
        await app.wait(timeout)
        app.check_end()

    def stop(self, *, exceptions: bool = True) -> None:
        """Cancel the application if it runs; do not wait for its end.

        Args:
            exceptions: Raise the exception that it has ended with before, if
                nobody has seen it.
        """
        if not self._app.cancel() and exceptions and not self._app.is_end_seen:
            self._app.check_end()

    async def aclose(self, *, exceptions: bool = True) -> None:
        """Cancel the application if it runs, and wait for its end.

        Args:
            exceptions: Raise the exception it ends with, if nobody has seen it.

        Raises:
            TimeoutError: If it does not end in time.
        """
        await self._app.aclose(exceptions=exceptions)

    def _started(self) -> RunningApplication:
        self._app.start()
        return self._app
