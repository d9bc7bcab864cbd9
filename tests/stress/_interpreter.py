"""Running programs with a bridge."""

import asyncio
import threading
from asyncio import CancelledError
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final, cast, final

import attrs

from asgibridge import Bridge
from tests.stress._logs import Entry, Log
from tests.stress._programs import (
    VARIABLES,
    AsyncBody,
    Background,
    CancelOneself,
    Catch,
    Gather,
    Raise,
    Read,
    Scope,
    Set,
    Spawn,
    SyncBody,
    TimeOut,
    ToAsync,
    ToSync,
    With,
    Withdraw,
)

__all__ = ("STRESS_VARIABLES", "Interpreter")

PATIENCE: Final = 20.0
STRESS_VARIABLES: Final = tuple(
    ContextVar(f"stress_{number}", default=0) for number in range(VARIABLES)
)


class _BoomError(Exception):
    """Raised by programs."""


def _outcome_of(exception: BaseException | None) -> str:
    """Return the outcome in words."""
    if exception is None:
        return "returned"
    if isinstance(exception, CancelledError):
        return "cancelled"
    if isinstance(exception, _BoomError):
        return f"raised {exception}"
    return f"unexpected {exception!r}"


@final
@attrs.define(eq=False)
class _Home:
    """The outermost body of a loop, which background tasks outlive."""

    _ended: asyncio.Event = attrs.field(factory=asyncio.Event, init=False)
    _tasks: list[asyncio.Task[None]] = attrs.field(
        factory=list[asyncio.Task[None]], init=False
    )

    async def run(self, body: Awaitable[None]) -> None:
        """Run *body*, and then what it left in the background."""
        try:
            await body
        finally:
            self._ended.set()
            while self._tasks:
                await asyncio.gather(self._tasks.pop(0), return_exceptions=True)

    def leave(self, late: Callable[[], Awaitable[None]]) -> None:
        """Have *late* run in the background, when the body has ended."""

        async def background() -> None:
            await self._ended.wait()
            await late()

        self._tasks.append(asyncio.create_task(background()))


@final
@attrs.frozen(eq=False)
class Interpreter:
    """Runs programs with one bridge, and writes what happened."""

    bridge: Bridge

    async def root(self, body: AsyncBody) -> Log:
        """Run *body* as the outermost coroutine of the current loop."""
        log: Log = []
        with _swallowed():
            await self._at_home(body, log)
        return log

    def blocking_root(self, body: SyncBody) -> Log:
        """Run *body* as blocking code with nothing above it."""
        log: Log = []
        with _swallowed():
            self.blocking(body, log)
        return log

    # -- blocking bodies --

    def blocking(self, body: SyncBody, log: Log, home: _Home | None = None) -> None:
        """Run *body* on this thread.

        Args:
            body: What to do.
            log: Is written to.
            home: That of the coroutine that waits for this.
        """
        for op in body:
            entry = Entry(type(op).__name__)
            log.append(entry)
            match op:
                case ToAsync():
                    self._to_async(op, entry, home)
                case With():
                    token = STRESS_VARIABLES[op.variable].set(op.value)
                    try:
                        self.blocking(_sync(op.body), _branch(entry), home)
                    finally:
                        STRESS_VARIABLES[op.variable].reset(token)
                case Catch():
                    try:
                        self.blocking(_sync(op.body), _branch(entry), home)
                    except (_BoomError, CancelledError) as exc:
                        entry.detail = _outcome_of(exc)
                case _:
                    _simple(op, entry)

    def _to_async(self, op: ToAsync, entry: Entry, home: _Home | None) -> None:
        async def there(result: int) -> int:
            inner = _branch(entry)
            if home is None or op.wants_new_loop:
                await self._at_home(op.body, inner)
            else:
                await self._flow(op.body, inner, home)
            return result

        cross = self.bridge.async_to_sync(there, force_new_loop=op.wants_new_loop)
        with _noting(entry):
            assert cross(len(op.body)) == len(op.body)

    # -- bodies of coroutines --

    async def _at_home(self, body: AsyncBody, log: Log) -> None:
        home = _Home()
        await home.run(self._flow(body, log, home))

    async def _flow(self, body: AsyncBody, log: Log, home: _Home) -> None:
        spawned: list[asyncio.Task[None]] = []
        try:
            for op in body:
                entry = Entry(type(op).__name__)
                log.append(entry)
                if isinstance(op, Spawn):
                    spawned.append(
                        asyncio.create_task(self._noted(op.body, entry, home))
                    )
                elif isinstance(op, (With, Catch, Scope)):
                    await self._block(op, entry, home)
                else:
                    await self._step(op, entry, home)
        finally:
            await asyncio.gather(*spawned, return_exceptions=True)

    async def _block(self, op: With | Catch | Scope, entry: Entry, home: _Home) -> None:
        inner = _branch(entry)
        body = _async(op.body)
        match op:
            case With():
                token = STRESS_VARIABLES[op.variable].set(op.value)
                try:
                    await self._flow(body, inner, home)
                finally:
                    STRESS_VARIABLES[op.variable].reset(token)
            case Catch():
                try:
                    await self._flow(body, inner, home)
                except (_BoomError, CancelledError) as exc:
                    entry.detail = _outcome_of(exc)
            case Scope():
                async with self.bridge.thread_sensitive_context():
                    await self._flow(body, inner, home)

    async def _step(self, op: Any, entry: Entry, home: _Home) -> None:  # noqa: ANN401 - the rest of AsyncOp
        match op:
            case ToSync():
                await self._to_sync(op, entry, home)
            case Gather():
                await self._gather(op, entry, home)
            case Background():
                home.leave(lambda: self._noted(op.body, entry, home))
            case CancelOneself():
                task = asyncio.current_task()
                assert task is not None
                task.cancel()
                await asyncio.sleep(0)
            case TimeOut():
                entry.detail = await self._time_out(op)
            case Withdraw():
                entry.detail = await self._withdraw()
            case _:
                _simple(op, entry)

    async def _to_sync(self, op: ToSync, entry: Entry, home: _Home) -> None:
        def there(result: int) -> int:
            entry.thread = threading.get_ident()
            self.blocking(op.body, _branch(entry), home)
            return result

        cross = self.bridge.sync_to_async(there, thread_sensitive=op.is_sensitive)
        with _noting(entry):
            assert await cross(len(op.body)) == len(op.body)

    async def _gather(self, op: Gather, entry: Entry, home: _Home) -> None:
        branches = [Entry("branch") for _ in op.bodies]
        entry.inner.append(branches)
        await asyncio.gather(
            *(
                self._noted(body, branch, home)
                for body, branch in zip(op.bodies, branches, strict=True)
            ),
            return_exceptions=True,
        )

    async def _noted(self, body: AsyncBody, entry: Entry, home: _Home) -> None:
        with _noting(entry):
            await self._flow(body, _branch(entry), home)

    # -- operations that stage a race --

    async def _time_out(self, op: TimeOut) -> str:
        gate = _Gate()
        call = self.bridge.sync_to_async(gate, thread_sensitive=op.is_sensitive)
        opener = asyncio.create_task(gate.open_after_timeout())
        try:
            async with asyncio.timeout(None) as gate.limit:
                await call()
        except TimeoutError:
            # The thread may not have noticed yet that it is the last one.
            return "timed out" if gate.is_left else "left a running call"
        finally:
            await opener
        return "in time"

    async def _withdraw(self) -> str:
        gate, ran = _Gate(), list[str]()
        first = asyncio.create_task(self.bridge.sync_to_async(gate)())
        await gate.entered.wait()
        second = asyncio.create_task(self.bridge.sync_to_async(ran.append)("ran"))
        for _ in range(3):
            await asyncio.sleep(0)
        second.cancel()
        await asyncio.wait([second])
        gate.opened.set()
        await first
        await self.bridge.sync_to_async(str)()  # behind it, had it stayed
        return f"cancelled {second.cancelled()}, ran {len(ran)}"


@final
class _Gate:
    """A blocking function that is let out by the loop."""

    def __init__(self) -> None:
        self.entered = asyncio.Event()
        self.opened = threading.Event()
        self.limit: asyncio.Timeout | None = None
        self.is_left = False
        self._loop = asyncio.get_running_loop()

    def __call__(self) -> None:
        self._loop.call_soon_threadsafe(self.entered.set)
        assert self.opened.wait(PATIENCE), "nobody let it out"
        self.is_left = True

    async def open_after_timeout(self) -> None:
        """Let the timeout expire while the function runs, then let it out."""
        await self.entered.wait()
        assert self.limit is not None
        self.limit.reschedule(self._loop.time())
        for _ in range(5):
            await asyncio.sleep(0)
        self.opened.set()


def _simple(op: object, entry: Entry) -> None:
    """Do what is the same in both colours."""
    match op:
        case Set():
            STRESS_VARIABLES[op.variable].set(op.value)
        case Read():
            entry.detail = STRESS_VARIABLES[op.variable].get()
        case Raise():
            raise _BoomError(op.number)
        case _:
            raise AssertionError(op)


@contextmanager
def _noting(entry: Entry) -> Iterator[None]:
    """Write the outcome of a block to *entry*, and hand it on."""
    try:
        yield
    except BaseException as exc:
        entry.detail = _outcome_of(exc)
        raise
    entry.detail = "returned"


@contextmanager
def _swallowed() -> Iterator[None]:
    """Keep what a program raised: it is in the log."""
    try:
        yield
    except (_BoomError, CancelledError):
        return


def _branch(entry: Entry) -> Log:
    inner: Log = []
    entry.inner.append(inner)
    return inner


def _sync(body: "SyncBody | AsyncBody") -> SyncBody:
    """Tell the type checker what the strategies see to."""
    return cast("SyncBody", body)


def _async(body: "SyncBody | AsyncBody") -> AsyncBody:
    """Tell the type checker what the strategies see to."""
    return cast("AsyncBody", body)
