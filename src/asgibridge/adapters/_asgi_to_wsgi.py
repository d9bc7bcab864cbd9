"""An ASGI application as a WSGI application."""

import asyncio
import threading
import weakref
from asyncio import AbstractEventLoop
from collections.abc import Callable, Iterable, Iterator
from contextvars import copy_context
from http import HTTPStatus
from types import TracebackType
from typing import Any, Final, Literal, Self, final
from wsgiref.types import StartResponse

import attrs

from .._options import number, one_of, seconds, whole
from ..bridge import Bridge
from ..errors import ApplicationTimeoutError, DeadlockError
from ._asgi import ASGIApp, Event
from ._asgi_call import AsgiCall
from ._asgi_service import AsgiService
from ._closing import Finalizer, call_on_close
from ._gate import Gates
from ._header_names import HOP_BY_HOP
from ._scope import HeaderVariables, body_length, http_scope

__all__ = ("AsgiToWsgi",)

# PEP 3333 forbids these to applications, ASGI does not.
_HOP_BY_HOP: Final = frozenset(name.encode("ascii") for name in HOP_BY_HOP)

_STATUS_LINES: Final = {
    status.value: f"{status.value} {status.phrase}" for status in HTTPStatus
}

_frozen = attrs.setters.frozen


@final
@attrs.define(eq=False, weakref_slot=True)
class AsgiToWsgi:
    """Presents an ASGI application as a WSGI application (PEP 3333).

    All requests share one event loop, on a thread of its own, so that clients
    and connection pools live from request to request.  Both bodies are streamed.
    What the application does after its response goes on.  It runs in a copy of
    the context of the WSGI call.

    The lifespan is started with the first request, or with `start`, and shut
    down with `close`, with the bridge, or at the end of the process; each
    request gets a copy of its state.  Applications without one are served as
    well.  A forked child starts with a loop and a lifespan of its own.

    If the WSGI server closes the response early the application receives
    ``http.disconnect``, and its next `send` raises `ClientDisconnectedError`.
    What the application raises before its response begins is raised to the
    server, as it is; later, out of the iteration.

    Thread-safe.  Creating it starts nothing.

    Args:
        app: The ASGI application.
        bridge: The adapter is closed with it.
        loop_factory: Makes the loop, for example ``uvloop.new_event_loop``.
        lifespan: ``"auto"`` goes on without a lifespan if the application raises
            on it; ``"off"`` does not ask.
        timeout: How long a request waits for the application's next event, in
            seconds; its task is cancelled then.  None waits for ever.
        drain_timeout: How long `close` waits for requests, and for what they
            left running, in seconds.
        response_window_bytes: How much of a response may wait to be sent before
            the application is held back.
    """

    app: ASGIApp = attrs.field(on_setattr=_frozen)
    _bridge: Bridge = attrs.field(kw_only=True, alias="bridge")
    loop_factory: Callable[[], AbstractEventLoop] = attrs.field(
        default=asyncio.new_event_loop, kw_only=True, on_setattr=_frozen
    )
    lifespan: Literal["auto", "off"] = attrs.field(
        default="auto",
        kw_only=True,
        validator=one_of("auto", "off"),
        on_setattr=_frozen,
    )
    timeout: float | None = attrs.field(
        default=None,
        kw_only=True,
        validator=attrs.validators.optional(seconds),
        on_setattr=_frozen,
    )
    response_window_bytes: int = attrs.field(
        default=64 * 1024,
        kw_only=True,
        validator=whole(1),
        on_setattr=_frozen,
    )
    drain_timeout: float = attrs.field(
        default=30.0,
        kw_only=True,
        validator=number(0),
        on_setattr=_frozen,
    )
    _gates: Gates = attrs.field(factory=Gates, init=False, repr=False)
    _names: HeaderVariables = attrs.field(
        factory=HeaderVariables, init=False, repr=False
    )
    _lock: threading.Lock = attrs.field(factory=threading.Lock, init=False, repr=False)
    # Guarded by _lock when written:
    _service: AsgiService | None = attrs.field(default=None, init=False, repr=False)
    _ending: Finalizer = attrs.field(init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        """Have the bridge close the adapter."""
        call_on_close(self._bridge, self.close)

    def __call__(
        self, environ: dict[str, Any], start_response: StartResponse, /
    ) -> Iterable[bytes]:
        """Serve one request, as PEP 3333 asks.

        Raises:
            ApplicationTimeoutError: If the application takes too long.
            IncompleteResponseError: If it ends without a response.
            LifespanFailedError: If it failed to start.
            Exception: What it raised.
        """
        service = self._service
        if service is None or not service.is_of_this_process:
            service = self._start()
        call = AsgiCall(
            self.app,
            http_scope(environ, service.state, self._names),
            copy_context(),
            service.mailbox,
            service.tasks,
            body_length(environ),
            self.response_window_bytes,
            environ["wsgi.input"],
            self.timeout,
            self._gates,
        )
        call.start()
        try:
            start, first = _begin(call, environ)
            start_response(*_head(start))
        except BaseException as exc:
            call.hang_up(cancel=isinstance(exc, ApplicationTimeoutError))
            raise
        body, more = first
        return _Body(self, call, body) if more else [body]

    def start(self) -> None:
        """Start the loop and the lifespan, unless they have been.

        Raises:
            LifespanFailedError: If the application failed to start.
        """
        self._start()

    def close(self) -> None:
        """Shut the lifespan down and end the loop.

        Requests in flight, and what they left running, may end first, for
        *drain_timeout* seconds.  The adapter can be used again afterwards.

        Raises:
            DeadlockError: On the thread of the loop, which would wait for itself.
        """
        with self._lock:
            service = self._service
            if service is None:
                return
            if service.is_current:
                msg = (
                    f"the adapter of {self.app!r} was closed from its own loop,"
                    " which would wait for itself; close it from another thread"
                )
                raise DeadlockError(msg)
            self._service = None
            self._ending.detach()
        service.stop(self.drain_timeout)

    def __enter__(self) -> Self:
        """Start the adapter and return it."""
        self.start()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the adapter."""
        self.close()

    def _start(self) -> AsgiService:
        with self._lock:
            service = self._service
            if service is None or not service.is_of_this_process:
                service = AsgiService(
                    self.app, self.loop_factory, self.lifespan == "auto"
                )
                self._service = service
                # Also when the process ends, or the adapter is forgotten.
                self._ending = weakref.finalize(self, service.stop)
            return service


@final
class _Body:
    """The response body that a WSGI server iterates over, and closes."""

    __slots__ = ("_call", "_first", "_is_complete", "_owner")

    def __init__(self, owner: AsgiToWsgi, call: AsgiCall, first: bytes) -> None:
        self._owner = owner  # which ends, with its loop, when it is forgotten
        self._call = call
        self._first: bytes | None = first
        self._is_complete = False

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        if self._first is not None:
            first, self._first = self._first, None
            return first
        if self._is_complete:
            raise StopIteration
        try:
            body, more = self._call.take_body()
        except BaseException as exc:
            self._is_complete = True
            self._call.hang_up(cancel=isinstance(exc, ApplicationTimeoutError))
            raise
        self._is_complete = not more
        return body

    def close(self) -> None:
        """Tell the application that the client left, if it has not finished."""
        if not self._is_complete:
            self._is_complete = True
            self._call.hang_up()


def _begin(call: AsgiCall, environ: dict[str, Any]) -> tuple[Event, tuple[bytes, bool]]:
    """Return the start of the response and of its body; pass early hints on.

    Both, before the server is told of the first: what goes wrong in between
    can still become an error page.
    """
    while (start := call.take())["type"] != "http.response.start":
        links = [("Link", link.decode("latin-1")) for link in start["links"]]
        environ["wsgi.early_hints"](links)
    return start, call.take_body()


def _head(start: Event) -> tuple[str, list[tuple[str, str]]]:
    """Return what `start_response` takes."""
    status: int = start["status"]
    headers: Iterable[tuple[bytes, bytes]] = start.get("headers") or ()
    return _STATUS_LINES.get(status) or f"{status} Unknown", [
        (name.decode("latin-1"), value.decode("latin-1"))
        for name, value in headers
        if name.lower() not in _HOP_BY_HOP
    ]
