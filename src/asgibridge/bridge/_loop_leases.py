"""A loop for async code that blocking code comes back to."""

import asyncio
import threading
from asyncio import AbstractEventLoop
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from typing import Any, Protocol, TypeVar, final

import attrs

from ..errors import BridgeClosedError, DeadlockError, NotEnteredError, RunningLoopError
from ..executors import PersistentLoopRunner
from ..loops import running_loop_or_none
from ..types import LoopRunner
from ._awaitables import awaiting
from ._call import BlockingCall
from ._engine import Engine
from ._outermost import OutermostCall

__all__ = ("LoopLease", "SharedLoop", "check_may_block", "lease_loop")

T = TypeVar("T")


class LoopLease(Protocol):
    """The use of a running loop for a while."""

    @property
    def loop(self) -> AbstractEventLoop:
        """The loop; it runs on another thread."""
        ...

    @property
    def call(self) -> BlockingCall[Any] | None:
        """The blocking call that the loop is that of; None for a loop of our own."""
        ...

    def release(self) -> None:
        """End the use; once."""
        ...


@final
@attrs.define(eq=False)
class SharedLoop:
    """A loop that starts with its first user and ends with its last one.

    Thread-safe.

    Args:
        engine: Of the bridge.
    """

    engine: Engine
    _lock: threading.Lock = attrs.field(factory=threading.Lock, init=False)
    # guarded by _lock:
    _users: int = attrs.field(default=0, init=False)
    _runner: PersistentLoopRunner | None = attrs.field(default=None, init=False)
    _loop: AbstractEventLoop | None = attrs.field(default=None, init=False)
    # Tasks that were started and not waited for; only used on the loop.
    _tasks: set[asyncio.Task[Any]] = attrs.field(
        factory=set[asyncio.Task[Any]], init=False
    )

    def acquire(self) -> None:
        """Become a user.

        Raises:
            BridgeClosedError: If the bridge is closed.
        """
        engine = self.engine
        with self._lock:
            if engine.is_closed:
                msg = f"bridge {engine.name!r} is closed and gives no more loops"
                raise BridgeClosedError(msg)
            self._users += 1
            if self._runner is None:
                factory: Callable[[], AbstractEventLoop] | None
                factory = getattr(engine.runner, "loop_factory", None)
                self._runner = PersistentLoopRunner(
                    loop_factory=factory, name=f"{engine.name}-portal"
                )

    def release(self) -> None:
        """Be no user any more.  The last one ends the loop and waits for that.

        Tasks that still run are cancelled and waited for, as with `asyncio.run`.

        Raises:
            NotEnteredError: If there are no users.
            DeadlockError: For the last user, on the loop's own thread.
        """
        with self._lock:
            if not self._users:
                msg = "the portal was left more often than it was entered"
                raise NotEnteredError(msg)
            if self._users == 1 and self._loop is running_loop_or_none() is not None:
                msg = (
                    "a portal was left by its last user on the thread of its own "
                    "loop, which would wait for itself; leave it on another thread"
                )
                raise DeadlockError(msg)
            self._users -= 1
            if self._users:
                return
            runner, self._runner, self._loop = self._runner, None, None
        assert runner is not None  # noqa: S101  # made with the first user
        try:
            if self._tasks:
                self._run_on(runner, _end_tasks, (self._tasks,), {})
        finally:
            runner.close()

    @property
    def runner(self) -> PersistentLoopRunner:
        """Runs coroutines on the loop.

        Raises:
            NotEnteredError: If there are no users.
        """
        runner = self._runner
        if runner is None:
            msg = (
                "the portal is not open: use it inside `with bridge.portal() as portal`"
            )
            raise NotEnteredError(msg)
        return runner

    def running_loop(self) -> AbstractEventLoop:
        """Return the loop, which is started if need be."""
        loop = self._loop
        if loop is None:
            loop = self._loop = self.run(_running_loop, (), {})
        return loop

    def run(
        self,
        fn: Callable[..., Awaitable[T]],
        args: tuple[object, ...],
        kwargs: dict[str, object],
    ) -> T:
        """Run ``fn(*args, **kwargs)`` on the loop, serving the calling thread."""
        return self._run_on(self.runner, fn, args, kwargs)

    def start(
        self,
        fn: Callable[..., Awaitable[T]],
        args: tuple[object, ...],
        kwargs: dict[str, object],
    ) -> "Future[T]":
        """Start ``fn(*args, **kwargs)`` on the loop, in a copy of this context."""
        loop = self.running_loop()
        coro = self._tracked(fn, args, kwargs)
        try:
            return asyncio.run_coroutine_threadsafe(coro, loop)
        except BaseException:
            coro.close()
            raise

    async def _tracked(
        self,
        fn: Callable[..., Awaitable[T]],
        args: tuple[object, ...],
        kwargs: dict[str, object],
    ) -> T:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101  # started as one
        self._tasks.add(task)
        try:
            return await awaiting(fn, args, kwargs, None)
        finally:
            self._tasks.discard(task)

    def _run_on(
        self,
        runner: LoopRunner,
        fn: Callable[..., Awaitable[T]],
        args: tuple[object, ...],
        kwargs: dict[str, object],
    ) -> T:
        engine = self.engine
        call = OutermostCall(engine, engine.threads.state, fn, args, kwargs, runner)
        call.wait()
        exception = call.exception
        if exception is None:
            return call.returned
        try:
            call.exception = None
            raise exception
        finally:
            del exception  # no cycle through this frame


async def _end_tasks(tasks: set[asyncio.Task[Any]]) -> None:
    """Cancel *tasks*, and wait for them as for those that are being cancelled.

    What ends the loop would cancel these once more, in the middle of their
    cleaning up.
    """
    for task in tasks:
        if not task.cancelling():
            task.cancel()
    while tasks:
        await asyncio.wait(tuple(tasks))


async def _running_loop() -> AbstractEventLoop:
    return asyncio.get_running_loop()


@final
@attrs.frozen(eq=False)
class _LoopAbove:
    """The loop of the task that waits for the current blocking call."""

    loop: AbstractEventLoop
    call: BlockingCall[Any] | None

    def release(self) -> None:
        """Do nothing: the loop is somebody else's."""


@final
@attrs.frozen(eq=False)
class _OwnShare:
    """One use of a shared loop."""

    _shared: SharedLoop
    loop: AbstractEventLoop
    call: BlockingCall[Any] | None = None

    def release(self) -> None:
        self._shared.release()


def lease_loop(engine: Engine, shared: SharedLoop | None) -> LoopLease:
    """Return a loop for the blocking code that is running now.

    Args:
        engine: Of the bridge.
        shared: Whose loop; None is the loop above, and a new one where there is
            none.
    """
    call = engine.threads.state.call
    if shared is None:
        if call and call.can_host and (loop := call.mailbox.loop()) is not None:
            return _LoopAbove(loop, call)
        shared = SharedLoop(engine)
    shared.acquire()
    try:
        return _OwnShare(shared, shared.running_loop())
    except BaseException:
        shared.release()
        raise


def check_may_block(what: str) -> None:
    """Raise `RunningLoopError` on a thread that runs an event loop."""
    if running_loop_or_none() is not None:
        msg = (
            f"{what} was used on a thread that runs an event loop, and would block "
            f"it: use the async way there, or say helper_loop=True to block the loop "
            f"on purpose"
        )
        raise RunningLoopError(msg)
