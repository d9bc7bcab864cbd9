"""The same transport for clients without a loop."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from types import TracebackType
from typing import Self, cast, final

import attrs
import httpx

from ...types import CallerExecutor
from .. import LoopThread
from ._transport import ASGITransport

__all__ = ("SyncASGITransport",)


@final
@attrs.define(eq=False)
class SyncASGITransport(httpx.BaseTransport):
    """`ASGITransport` for `httpx.Client`, and tests without a loop::

        with httpx.Client(transport=SyncASGITransport(ASGITransport(app))) as client:
            response = client.get("http://testserver/")

    The application runs on a loop in a thread of its own.  Request bodies are
    read on the thread of the client.  For one thread.

    Args:
        transport: What serves the requests.
        loop: Where; it is not closed with this object.  None makes one that
            lives until the client is closed.
    """

    _transport: ASGITransport = attrs.field(alias="transport")
    _given: LoopThread | None = attrs.field(default=None, alias="loop", kw_only=True)
    _loop: LoopThread = attrs.field(init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        self._loop = LoopThread() if self._given is None else self._given

    def __enter__(self) -> Self:
        """Start the application up."""
        try:
            self._loop.run(self._transport.__aenter__)
        except BaseException:
            self._close_loop()
            raise
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc_value: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        """Shut the application down."""
        self.close()

    def close(self) -> None:
        """Shut the application down; a second time does nothing."""
        try:
            self._loop.run(self._transport.aclose)
        finally:
            self._close_loop()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Serve one request, up to the start of its response."""
        body = cast("httpx.SyncByteStream", request.stream)
        streamed = httpx.Request(
            request.method,
            request.url,
            headers=request.headers,
            stream=_OnThread(body, self._loop.caller),
            extensions=request.extensions,
        )
        response = self._loop.run(
            lambda: self._transport.handle_async_request(streamed)
        )
        stream = cast("httpx.AsyncByteStream", response.stream)
        return httpx.Response(
            response.status_code,
            headers=response.headers,
            stream=_Blocking(stream, self._loop),
            request=request,
        )

    def _close_loop(self) -> None:
        if self._given is None:
            self._loop.close()


@final
@attrs.frozen(eq=False)
class _OnThread(httpx.AsyncByteStream):
    """A blocking stream, read on the thread that waits for the response."""

    _stream: httpx.SyncByteStream
    _caller: CallerExecutor

    async def __aiter__(self) -> AsyncIterator[bytes]:
        parts = iter(self._stream)
        while True:
            read = self._caller.submit(next, parts, None)
            chunk = await asyncio.wrap_future(read)
            if chunk is None:
                return
            yield chunk


@final
@attrs.frozen(eq=False)
class _Blocking(httpx.SyncByteStream):
    """An asynchronous stream, waited for part by part."""

    _stream: httpx.AsyncByteStream
    _loop: LoopThread

    def __iter__(self) -> Iterator[bytes]:
        parts = aiter(self._stream)

        async def read() -> bytes | None:
            return await anext(parts, None)

        while (chunk := self._loop.run(read)) is not None:
            yield chunk

    def close(self) -> None:
        self._loop.run(self._stream.aclose)
