"""An httpx transport to an ASGI application in this process."""

from collections.abc import Callable
from types import TracebackType
from typing import Self, cast, final

import attrs
import httpx

from ..._options import one_of, whole
from ...adapters import ASGIValidator
from ...types import ASGIApp
from ._lifespan import Lifespan, LifespanDriver
from ._request import ResponseStream, Served, scope_of

__all__ = ("ASGITransport",)


@final
@attrs.define(eq=False)
class ASGITransport(httpx.AsyncBaseTransport):
    """An httpx transport that streams both ways and runs the lifespan.

    Each part of the request's body is read when the application asks for it,
    each part of the response is there as soon as it is sent, and an application
    that sends faster than the response is read waits.  Closing a response early
    disconnects.  Entering the client starts the application up, leaving it
    shuts it down; each request gets a copy of the lifespan's state.

    For the tasks of one loop.  The application is not owned.

    Args:
        app: The ASGI application.
        lifespan: ``auto`` also serves applications that refuse the lifespan,
            ``on`` does not, ``off`` does without.
        raise_app_exceptions: Raise what the application raises; otherwise it is
            answered with the status 500, as servers do.
        root_path: Where the application is mounted.
        max_queued: How many events the application may be ahead of the reader.
        timeout: How long to wait for the application each time, in seconds: a
            safety net, not a measure.
        validator: Wraps the application to check both sides; None checks nothing.
    """

    _app: ASGIApp = attrs.field(alias="app")
    lifespan: Lifespan = attrs.field(
        default="auto",
        kw_only=True,
        validator=one_of("auto", "on", "off"),
    )
    raise_app_exceptions: bool = attrs.field(default=True, kw_only=True)
    root_path: str = attrs.field(default="", kw_only=True)
    max_queued: int = attrs.field(default=1, kw_only=True, validator=whole(1))
    timeout: float = attrs.field(default=5.0, kw_only=True)
    _validator: Callable[[ASGIApp], ASGIApp] | None = attrs.field(
        default=ASGIValidator, kw_only=True, alias="validator"
    )
    _lifespan: LifespanDriver | None = attrs.field(default=None, init=False)

    async def __aenter__(self) -> Self:
        """Start the application up."""
        driver = LifespanDriver(self._app, self.lifespan, self.timeout, self._validator)
        await driver.startup()
        self._lifespan = driver
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc_value: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        """Shut the application down."""
        await self.aclose()

    async def aclose(self) -> None:
        """Shut the application down; a second time does nothing."""
        driver, self._lifespan = self._lifespan, None
        if driver is not None:
            await driver.shutdown()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Serve one request, up to the start of its response."""
        state = None if self._lifespan is None else self._lifespan.state
        app = self._app if self._validator is None else self._validator(self._app)
        served = Served(
            app,
            scope_of(request, state, self.root_path),
            aiter(cast("httpx.AsyncByteStream", request.stream)),
            self.max_queued,
            self.timeout,
        )
        try:
            start = await served.start()
        except BaseException as exc:
            await served.abort()
            if self.raise_app_exceptions or not isinstance(exc, Exception):
                raise
            return httpx.Response(500, request=request)
        return httpx.Response(
            start["status"],
            headers=[(bytes(n), bytes(v)) for n, v in start.get("headers", ())],
            stream=ResponseStream(served, self.raise_app_exceptions),
            request=request,
        )
