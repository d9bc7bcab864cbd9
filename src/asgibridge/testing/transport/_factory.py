"""Clients for the applications of one test."""

from types import TracebackType
from typing import Self, final

import attrs
import httpx

from ...types import ASGIApp, CallerExecutor
from .. import LoopThread
from ._sync import SyncASGITransport
from ._transport import ASGITransport

__all__ = ("ClientFactory",)


@final
@attrs.define(eq=False)
class ClientFactory:
    """Makes httpx clients that talk to applications in this process.

    What it made for blocking tests and was not closed is closed with it.

    Args:
        caller: The executor of the thread that waits for blocking clients.
    """

    _caller: CallerExecutor = attrs.field(alias="caller")
    _loop: LoopThread | None = attrs.field(default=None, init=False)
    _blocking: list[httpx.Client] = attrs.field(factory=list[httpx.Client], init=False)

    def __call__(
        self, app: ASGIApp | ASGITransport, *, base_url: str = "http://testserver"
    ) -> httpx.AsyncClient:
        """Return a client for async tests, to be used in ``async with``.

        Args:
            app: The application, or a transport to it with options of its own.
            base_url: What relative addresses are relative to.
        """
        return httpx.AsyncClient(transport=_transport(app), base_url=base_url)

    def blocking(
        self, app: ASGIApp | ASGITransport, *, base_url: str = "http://testserver"
    ) -> httpx.Client:
        """Return a client for tests without a loop, to be used in ``with``.

        Args:
            app: The application, or a transport to it with options of its own.
            base_url: What relative addresses are relative to.
        """
        if self._loop is None:
            self._loop = LoopThread(self._caller)
        transport = SyncASGITransport(_transport(app), loop=self._loop)
        client = httpx.Client(transport=transport, base_url=base_url)
        self._blocking.append(client)
        return client

    def close(self) -> None:
        """Close the blocking clients, and end the thread of their loop."""
        for client in self._blocking:
            client.close()
        if self._loop is not None:
            self._loop.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def _transport(app: ASGIApp | ASGITransport) -> ASGITransport:
    return app if isinstance(app, ASGITransport) else ASGITransport(app)
