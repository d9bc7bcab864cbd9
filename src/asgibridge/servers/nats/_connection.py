"""Talking to a NATS server."""

import asyncio
import contextlib
import re
from typing import Any, Final, cast, final
from urllib.parse import urlsplit

import attrs
import nats
from nats import errors
from nats.js import errors as js_errors

from ..._options import seconds
from ...errors import SourceError
from .._limits import Backoff
from .._reporter import logger

__all__ = ("NatsConnection", "is_passing")

# Consumers are made the way of 2.9; earlier ones had another request.
MINIMUM_VERSION: Final = (2, 9)
_SCHEMES: Final = ("nats", "tls", "ws", "wss")
_RECONNECT_SECONDS: Final = 0.2
_REFUSED: Final = re.compile("authorization|authentication|credentials", re.IGNORECASE)


def is_passing(exc: BaseException) -> bool:
    """Return whether trying again may help: a server that is away or starting."""
    passing = (
        errors.TimeoutError,
        errors.NoRespondersError,
        errors.ConnectionClosedError,
        errors.ConnectionReconnectingError,
        errors.NoServersError,
        errors.StaleConnectionError,
        js_errors.NoStreamResponseError,
        js_errors.ServiceUnavailableError,
        js_errors.ServerError,
        OSError,
        TimeoutError,
    )
    return isinstance(exc, passing)


@final
@attrs.define(eq=False)
class NatsConnection:
    """A connection that comes back by itself.

    Not thread-safe: for one event loop.

    Args:
        url: ``nats://[user:password@]host:port``, or ``tls://…``.
        timeout: Longest time to wait for an answer, in seconds.
        backoff: The waits between attempts while the server is not reachable.
    """

    url: str
    timeout: float = attrs.field(default=5.0, validator=seconds)
    backoff: Backoff = attrs.field(factory=Backoff)
    # Any: nats-py's types are partly unknown to the checkers, and nothing
    # outside of this package sees them.
    client: Any = attrs.field(default=None, init=False)
    js: Any = attrs.field(default=None, init=False)

    async def open(self) -> None:
        """Connect, and check the server.

        Raises:
            SourceError: If it will never work: credentials, version, no
                JetStream.
            ConnectionError: If the server is not reachable.
        """
        where = _without_password(self.url)
        _check_url(self.url, where)
        client = self.client or await self._connect(where)
        version = client.connected_server_version
        if (version.major, version.minor) < MINIMUM_VERSION:
            wanted = ".".join(map(str, MINIMUM_VERSION))
            msg = (
                f"NATS at {where} has version {version!r}; {wanted} or later is needed"
            )
            raise SourceError(msg)
        try:
            await self.js.account_info()
        except (js_errors.APIError, errors.NoRespondersError) as exc:
            msg = f"NATS at {where} has no JetStream: start it with --jetstream"
            raise SourceError(msg) from exc

    async def _connect(self, where: str) -> Any:  # noqa: ANN401 - see the attribute
        client: Any = cast("Any", nats).NATS()
        try:
            async with asyncio.timeout(self.timeout):
                await client.connect(
                    self.url,
                    error_cb=_log_error,
                    disconnected_cb=self._log_disconnected,
                    reconnected_cb=_log_reconnected,
                    # Only the first time: a wrong password is wrong for ever.
                    allow_reconnect=False,
                    max_reconnect_attempts=1,
                    connect_timeout=self.timeout,
                    reconnect_time_wait=_RECONNECT_SECONDS,
                )
        except (errors.Error, OSError, TimeoutError) as exc:
            await client.close()
            reason: object = client.last_error or exc
            if _REFUSED.search(f"{exc} {reason} {type(reason).__name__}"):
                msg = f"NATS at {where} refuses the credentials: check the URL"
                raise SourceError(msg) from exc
            msg = f"NATS at {where} is not reachable: {reason!r}"
            raise ConnectionError(msg) from exc
        # From here on it comes back, however long that takes.
        client.options["allow_reconnect"] = True
        client.options["max_reconnect_attempts"] = -1
        self.client, self.js = client, client.jetstream(timeout=self.timeout)
        return client

    async def publish(
        self, subject: str, payload: bytes, headers: dict[str, str]
    ) -> None:
        """Publish to a stream, and wait until it is stored.

        Raises:
            ConnectionError: If the server is not reachable.  nats-py would keep
                the message until it is, and send it when this process may not
                have the right to any more.
        """
        if not self.client.is_connected:
            msg = f"NATS at {_without_password(self.url)} is not reachable"
            raise ConnectionError(msg)
        await self.js.publish(subject, payload, headers=headers, timeout=self.timeout)

    async def close(self) -> None:
        """Disconnect."""
        client, self.client, self.js = self.client, None, None
        if client is not None:
            with contextlib.suppress(errors.Error, OSError):
                await client.close()

    async def _log_disconnected(self) -> None:
        if self.client is not None:  # else this is the end
            logger.error("NATS is not reachable")


# nats-py wants coroutine functions.
async def _log_error(exc: Exception) -> None:
    logger.warning("NATS: %r", exc)


async def _log_reconnected() -> None:
    logger.info("NATS is reachable again")


def _check_url(url: str, where: str) -> None:
    """Refuse what nats-py would not understand."""
    try:
        parts = urlsplit(url)
        is_good = parts.scheme in _SCHEMES and bool(parts.hostname)
        is_good = is_good and parts.port is not None
    except ValueError:  # the port is no number
        is_good = False
    if not is_good:
        msg = (
            f"cannot use {where!r} as the address of a NATS server: it should be"
            " like nats://host:4222"
        )
        raise SourceError(msg)


def _without_password(url: str) -> str:
    """Return *url* fit for the log."""
    scheme, separator, rest = url.rpartition("://")
    return f"{scheme}{separator}{rest.rpartition('@')[2]}"
