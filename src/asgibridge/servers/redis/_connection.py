"""Talking to Redis: scripts, many in one go."""

import asyncio
import contextlib
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Any, Final, cast, final

import attrs
from redis import exceptions
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from ..._options import seconds, whole
from ...errors import SourceError
from .._cancellation import end_task, is_cancelled
from .._limits import Backoff
from .._reporter import logger

__all__ = ("RedisConnection",)

# XAUTOCLAIM came with 6.2.
MINIMUM_VERSION: Final = (6, 2)
# How many scripts go in one go: enough to make the round trip cheap, and few
# enough for one answer to come soon.
_MAX_BATCH: Final = 256
_UNREACHABLE: Final = (
    exceptions.ConnectionError,
    exceptions.TimeoutError,
    OSError,
)


@final
@attrs.define(eq=False)
class _Call:
    """One script to run."""

    script: str
    keys: Sequence[str]
    args: Sequence[bytes | int]
    answer: asyncio.Future[Any]
    outlasts: bool


@final
@attrs.define(eq=False)
class RedisConnection:
    """Runs scripts on a Redis server; those that are waiting go together.

    They run in the order in which they were called.  Not thread-safe: for one
    event loop.

    Args:
        url: ``redis://[user:password@]host:port/db``, ``rediss://…`` or
            ``unix://[user:password@]/path?db=…``.
        timeout: Longest time to wait for an answer, in seconds.
        max_connections: How many connections are made; who wants one more waits.
        backoff: The waits between attempts while the server is not reachable.
    """

    url: str
    timeout: float = attrs.field(default=10.0, validator=seconds)
    max_connections: int = attrs.field(default=8, validator=whole(2))
    backoff: Backoff = attrs.field(factory=Backoff)
    # Any: redis-py's commands have no types that both checkers understand, and
    # nothing outside of this module sees them.
    _client: Any = attrs.field(init=False)
    _calls: deque[_Call] = attrs.field(factory=deque[_Call], init=False)
    _wanted: asyncio.Event = attrs.field(factory=asyncio.Event, init=False)
    _task: asyncio.Task[None] | None = attrs.field(default=None, init=False)

    def __attrs_post_init__(self) -> None:
        try:
            pool: Any = cast("Any", BlockingConnectionPool).from_url(
                self.url,
                max_connections=self.max_connections,
                timeout=self.timeout,
                socket_timeout=self.timeout,
                socket_connect_timeout=self.timeout,
                # Whether trying again is safe, is decided here.
                retry=Retry(NoBackoff(), 0),
                protocol=2,
            )
        except ValueError as exc:
            where = _without_password(self.url)
            msg = f"cannot use {where!r} as the address of a Redis server: {exc}"
            raise SourceError(msg) from exc
        self._client = Redis.from_pool(pool)

    async def open(self) -> None:
        """Check the server, and begin to run scripts.

        Raises:
            SourceError: If it will never work: credentials, version.
        """
        where = _without_password(self.url)
        try:
            info = await self._client.info("server")
        except (exceptions.RedisError, OSError) as exc:
            raise _opening_error(exc, where) from exc
        _check_version(str(info["redis_version"]), where)
        if self._task is None:
            self._task = asyncio.create_task(self._run())

    async def call(
        self,
        script: str,
        keys: Sequence[str],
        args: Sequence[str | int],
        *,
        outlasts: bool = False,
    ) -> Any:  # noqa: ANN401 - whatever the script returns
        """Run a script; return what it returns.

        Args:
            script: In Lua.
            keys: Its KEYS.
            args: Its ARGV.
            outlasts: Whether to try again, for as long as it takes, while the
                server is not reachable.  The script may then run twice.

        Raises:
            redis.exceptions.RedisError: If the script fails.
            redis.exceptions.ConnectionError: If the server is not reachable,
                unless *outlasts*; whether the script ran is not known.
            UnicodeEncodeError: If an argument is not fit for UTF-8.
        """
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        # Encoded here: what cannot be is the caller's trouble, and no other's.
        encoded = [one.encode() if isinstance(one, str) else one for one in args]
        self._calls.append(_Call(script, keys, encoded, answer, outlasts))
        self._wanted.set()
        return await answer

    async def command(self, *parts: str | int) -> Any:  # noqa: ANN401 - whatever Redis answers
        """Run one command at once, on a connection of its own."""
        return await self._client.execute_command(*parts)

    async def commands(self, commands: Iterable[Sequence[str | int]]) -> None:
        """Run commands in one go, in order."""
        pipeline = self._client.pipeline(transaction=False)
        for parts in commands:
            pipeline.execute_command(*parts)
        await pipeline.execute()

    async def close(self) -> None:
        """Disconnect; calls that wait are cancelled."""
        if self._task is not None:
            await end_task(self._task)
            self._task = None
        while self._calls:
            self._calls.popleft().answer.cancel()
        with contextlib.suppress(exceptions.RedisError, OSError):
            await self._client.aclose(close_connection_pool=True)

    async def _run(self) -> None:
        attempt = 0
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            while self._calls:
                calls = self._next_calls()
                try:
                    await self._execute(calls)
                except _UNREACHABLE as exc:
                    attempt += 1
                    logger.error("Redis is not reachable: %s", exc)
                    self._try_again(calls, exc)
                    await asyncio.sleep(self.backoff.delay(attempt))
                except Exception as exc:  # noqa: BLE001 - the callers', who wait
                    for call in calls:
                        _fail(call, exc)
                else:
                    attempt = 0
            if is_cancelled():
                return

    def _next_calls(self) -> list[_Call]:
        calls = [
            self._calls.popleft() for _ in range(min(len(self._calls), _MAX_BATCH))
        ]
        # Whoever has given up does not want it any more.
        return [call for call in calls if not call.answer.done()]

    async def _execute(self, calls: Sequence[_Call]) -> None:
        pipeline = self._client.pipeline(transaction=False)
        for call in calls:
            pipeline.eval(call.script, len(call.keys), *call.keys, *call.args)
        answers = await pipeline.execute(raise_on_error=False)
        for answer in answers:
            # A server that still loads its data says so in each answer.
            if isinstance(answer, exceptions.ConnectionError):
                raise answer
        for call, answer in zip(calls, answers, strict=True):
            if isinstance(answer, Exception):
                _fail(call, answer)
            elif not call.answer.done():
                call.answer.set_result(answer)

    def _try_again(self, calls: Sequence[_Call], exc: BaseException) -> None:
        for call in reversed(calls):
            if call.outlasts:
                self._calls.appendleft(call)  # left out next time if given up
            else:
                _fail(call, exc)


def _fail(call: _Call, exc: BaseException) -> None:
    if not call.answer.done():
        call.answer.set_exception(exc)


def _opening_error(exc: BaseException, where: str) -> Exception:
    """Return what to raise, so that only what may pass is tried again."""
    # redis-py wraps refused credentials into a ConnectionError of its own.
    causes: list[BaseException | None] = [exc, exc.__cause__, exc.__context__]
    if any(isinstance(one, exceptions.AuthenticationError) for one in causes):
        msg = f"Redis at {where} refuses the credentials: {exc}; check the URL"
        return SourceError(msg)
    if isinstance(exc, _UNREACHABLE):
        return ConnectionError(f"Redis at {where} is not reachable: {exc}")
    return SourceError(f"Redis at {where} refuses to work for this user: {exc}")


def _check_version(version: str, where: str) -> None:
    numbers = tuple(int(part) for part in version.split(".")[:2])
    if numbers < MINIMUM_VERSION:
        wanted = ".".join(map(str, MINIMUM_VERSION))
        msg = f"Redis at {where} has version {version}; {wanted} or later is needed"
        raise SourceError(msg)


def _without_password(url: str) -> str:
    """Return *url* fit for the log."""
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}"
