"""A WSGI application as an ASGI application."""

import asyncio
import logging
import threading
import weakref
from asyncio import AbstractEventLoop
from collections.abc import Coroutine
from types import TracebackType
from typing import Any, Final, Self, final
from wsgiref.types import ErrorStream

import attrs

from .._options import number, one_of, whole
from ..bridge import Bridge
from ..errors import UnsupportedScopeError
from ..loops import MailboxRegistry
from ..types import BlockingExecutor, WSGIApplication
from ._asgi import Receive, Scope, Send
from ._closing import call_on_close
from ._dispatch import Dispatcher
from ._environ import EnvironBuilder
from ._gate import Gates
from ._header_names import ResponseHeaderNames
from ._inbox import Inbox
from ._limits import WsgiLimits
from ._line import Line
from ._outbox import Outbox
from ._refusals import refusal
from ._request_headers import UnderscorePolicy
from ._response import WsgiResponse
from ._traffic import Traffic
from ._wsgi_task import serve
from ._wsgi_work import WsgiWork

__all__ = ("WsgiToAsgi",)

_logger: Final = logging.getLogger("asgibridge.adapters")

_SERVICE_UNAVAILABLE: Final = 503
_RETRY_AFTER: Final = 1  # second

_frozen = attrs.setters.frozen


@final
@attrs.define(eq=False, weakref_slot=True)
class WsgiToAsgi:
    """Presents a WSGI application (PEP 3333) as an ASGI application.

    Each request is one piece of work on one thread: the call of the application,
    the iteration over its result and ``close()``.  It runs in a copy of the
    context of the ASGI call.  The body is received while the application reads
    it and the response is sent while it is produced; little of either is ever in
    memory.

    If the client leaves, reading and writing raise `ClientDisconnectedError`,
    and the iteration ends; ``environ["asgi.client_disconnected"]()`` tells
    beforehand.  If the ASGI task is cancelled it ends at once; the application is
    stopped in the same way, at its next block, on its own thread.  What it raises
    after that is logged.  Otherwise its exceptions are raised to the server, as
    they are.

    ``lifespan`` is answered: its shutdown waits for the requests in flight.
    ``websocket`` connections are refused.

    Thread-safe; one adapter serves any number of event loops.  Creating it
    starts nothing.  Threads end when idle, and with `close`, the
    bridge's `close` or the last lifespan's shutdown.

    Args:
        app: The WSGI application.
        bridge: Runs the requests of a *thread_sensitive* adapter.  The adapter
            is closed with it, not the other way round.
        executor: Runs the requests of any other adapter; it is not closed with
            the adapter.  None stands for a `WorkerPool` of the adapter's own.
        max_workers: Size of that pool: how many requests run at once.
        thread_sensitive: Run all requests on the bridge's thread-sensitive
            thread, one after the other, for applications that need it.
        limits: What one client may ask for.
        underscores: What happens to header names with an underscore, which can
            pass for another header: ``"drop"``, ``"keep"`` or ``"refuse"``.
        multiprocess: The value of ``wsgi.multiprocess``: whether other processes
            may serve the same application.
        errors: The value of ``wsgi.errors``; None stands for ``sys.stderr``.
        drain_timeout: How long the lifespan's shutdown waits for requests in
            flight, in seconds.
    """

    app: WSGIApplication = attrs.field(on_setattr=_frozen)
    _bridge: Bridge = attrs.field(kw_only=True, alias="bridge")
    _executor: BlockingExecutor | None = attrs.field(
        default=None, kw_only=True, alias="executor"
    )
    max_workers: int = attrs.field(
        default=32,
        kw_only=True,
        validator=whole(1),
        on_setattr=_frozen,
    )
    thread_sensitive: bool = attrs.field(
        default=False, kw_only=True, on_setattr=_frozen
    )
    limits: WsgiLimits = attrs.field(
        factory=WsgiLimits, kw_only=True, on_setattr=_frozen
    )
    underscores: UnderscorePolicy = attrs.field(
        default="drop",
        kw_only=True,
        validator=one_of("drop", "keep", "refuse"),
        on_setattr=_frozen,
    )
    multiprocess: bool = attrs.field(default=True, kw_only=True, on_setattr=_frozen)
    errors: ErrorStream | None = attrs.field(
        default=None, kw_only=True, on_setattr=_frozen
    )
    drain_timeout: float = attrs.field(
        default=30.0,
        kw_only=True,
        validator=number(0),
        on_setattr=_frozen,
    )
    _environs: EnvironBuilder = attrs.field(init=False, repr=False)
    _names: ResponseHeaderNames = attrs.field(
        factory=ResponseHeaderNames, init=False, repr=False
    )
    _mailboxes: MailboxRegistry = attrs.field(
        factory=MailboxRegistry, init=False, repr=False
    )
    _traffic: weakref.WeakKeyDictionary[AbstractEventLoop, Traffic] = attrs.field(
        factory=weakref.WeakKeyDictionary[AbstractEventLoop, Traffic],
        init=False,
        repr=False,
    )
    _gates: Gates = attrs.field(factory=Gates, init=False, repr=False)
    _dispatcher: Dispatcher = attrs.field(init=False, repr=False)
    _lock: threading.Lock = attrs.field(factory=threading.Lock, init=False, repr=False)
    # Guarded by _lock:
    _lifespans: int = attrs.field(default=0, init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        """Prepare what all requests share."""
        self._dispatcher = Dispatcher(
            self.app,
            self._bridge,
            self._executor,
            self.max_workers,
            self.thread_sensitive,
        )
        self._environs = EnvironBuilder(
            limits=self.limits,
            underscores=self.underscores,
            multithread=not self._dispatcher.is_one_by_one,
            multiprocess=self.multiprocess,
            errors=self.errors,
        )
        call_on_close(self._bridge, self.close)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection, as ASGI asks.

        Raises:
            UnsupportedScopeError: For a scope other than http, websocket and
                lifespan.
            Exception: What the application raised.
        """
        kind: str = scope["type"]
        if kind == "http":
            if self._is_full():
                await self._refuse(send)
            else:
                await self._serve(scope, receive, send)
        elif kind == "lifespan":
            await self._live(receive, send)
        elif kind == "websocket":
            # Refusing before the connect event is an error, and so is sending
            # anything to a client that has left meanwhile.
            if (await receive())["type"] == "websocket.connect":
                await send({"type": "websocket.close", "code": 1000, "reason": ""})
        else:
            msg = (
                f"WsgiToAsgi was given a scope of type {kind!r};"
                " it serves http and lifespan, and refuses websocket"
            )
            raise UnsupportedScopeError(msg)

    def close(self) -> None:
        """End the adapter's own threads, after the requests that have begun.

        Does not wait.  The adapter can be used again afterwards.
        """
        self._dispatcher.close()

    def __enter__(self) -> Self:
        """Return the adapter."""
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the adapter."""
        self.close()

    def _traffic_of(self, loop: AbstractEventLoop) -> Traffic:
        traffic = self._traffic.get(loop)
        if traffic is None:
            traffic = self._traffic[loop] = Traffic(self._mailboxes.of(loop))
        return traffic

    def _is_full(self) -> bool:
        most = self.limits.max_queued
        return most is not None and len(self._dispatcher.queued) >= most

    async def _refuse(self, send: Send) -> None:
        _logger.warning(
            "request refused with 503: %d wait for a thread",
            len(self._dispatcher.queued),
        )
        reason = "too many requests wait to be served"
        for event in refusal(_SERVICE_UNAVAILABLE, reason, retry_after=_RETRY_AFTER):
            await send(event)

    def _serve(
        self, scope: Scope, receive: Receive, send: Send
    ) -> Coroutine[Any, Any, None]:
        loop = asyncio.get_running_loop()
        traffic = self._traffic_of(loop)
        line = Line(loop, traffic.mailbox, self._gates)
        inbox = Inbox(line, receive, self.limits)
        outbox = Outbox(line, self.limits.response_window_bytes)
        work = WsgiWork(
            self.app,
            scope,
            self._environs,
            line,
            inbox,
            outbox,
            WsgiResponse(outbox.put, scope["method"], self._names),
            self._dispatcher.queued,
            traffic.end,
        )
        self._dispatcher.start(work, traffic)
        return serve(work, line, inbox, outbox, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        with self._lock:
            self._lifespans += 1
        try:
            while (await receive())["type"] != "lifespan.shutdown":
                await send({"type": "lifespan.startup.complete"})
            traffic = self._traffic_of(asyncio.get_running_loop())
            if not await traffic.drain(self.drain_timeout):
                _logger.warning(
                    "%d requests were still running %s seconds after the shutdown",
                    len(traffic),
                    self.drain_timeout,
                )
        finally:
            with self._lock:
                self._lifespans -= 1
                last = not self._lifespans
            if last:
                self.close()
        await send({"type": "lifespan.shutdown.complete"})
