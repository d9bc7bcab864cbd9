"""Async context managers for blocking code."""

from asyncio import CancelledError
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import Any, Generic, TypeVar, final

from ..errors import AlreadyEnteredError, NotAsyncError, NotEnteredError
from ._actor import Actor
from ._engine import Engine
from ._loop_leases import LoopLease

__all__ = ("LoopManager",)

T = TypeVar("T")
E = TypeVar("E", bound=bool | None)


@final
class LoopManager(Generic[T, E]):
    """An async context manager, entered and left by blocking code.

    Made by `Bridge.enter_sync` and `Portal.wrap_async_context_manager`, used
    with ``with``.  Entering and leaving happen in one task, in one context.
    The block runs on the thread, which runs the thread-sensitive calls of the
    manager while it enters and leaves.

    The manager is left in any case.  If it cancels its task during the block,
    as a timeout does, the block runs to its end, and the manager then sees a
    `asyncio.CancelledError` as if the block had raised it.
    """

    __slots__ = ("_actor", "_engine", "_enter", "_exit", "_lease", "_lend", "_manager")

    def __init__(
        self,
        engine: Engine,
        lend: Callable[[], LoopLease],
        manager: AbstractAsyncContextManager[T, E],
    ) -> None:
        kind = type(manager)
        try:
            self._enter, self._exit = kind.__aenter__, kind.__aexit__
        except AttributeError:
            raise _not_a_manager(manager) from None
        self._engine = engine
        self._lend = lend
        self._manager = manager
        self._actor: Actor | None = None
        self._lease: LoopLease | None = None

    def __enter__(self) -> T:
        """Enter the manager on the loop; return what it returns.

        Raises:
            AlreadyEnteredError: While it is entered.
        """
        if self._actor is not None:
            msg = (
                f"{self._manager!r} is entered already; wrap another one for "
                f"another block"
            )
            raise AlreadyEnteredError(msg)
        lease = self._lease = self._lend()
        actor = self._actor = Actor(
            self._engine, lease.loop, self._give_up, type(self._manager).__qualname__
        )
        try:
            return self._call_enter(actor)
        except BaseException:
            self._finish()
            raise

    def _call_enter(self, actor: Actor) -> T:
        call = self._engine.threads.state.call
        if call is not None:
            call.check_cancelled()
        errand = actor.send(self._enter, self._manager)
        try:
            actor.wait(errand)
        except BaseException as exc:
            if errand.is_ok:  # entered, but there will be no block
                actor.call(self._leave, type(exc), exc, None, to_the_end=True)
            raise
        return actor.take(errand)

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
        /,
    ) -> E:
        """Leave the manager on the loop; return whether it wants silence.

        Raises:
            NotEnteredError: If it is not entered.
        """
        actor = self._actor
        if actor is None:
            msg = f"{self._manager!r} is not entered; use it with `with`"
            raise NotEnteredError(msg)
        try:
            return actor.call(self._leave, exc_type, exc, traceback, to_the_end=True)
        finally:
            self._finish()

    async def _leave(self, *exc_info: Any) -> E:  # noqa: ANN401  # handed on
        pending = self._actor and self._actor.cancellation
        if pending is None or exc_info[1] is not None:
            return await self._exit(self._manager, *exc_info)
        suppresses = await self._exit(self._manager, CancelledError, pending, None)
        if not suppresses:
            raise pending
        return suppresses

    async def _give_up(self) -> bool:
        """The task is cancelled: leave, if nobody else is going to."""
        lease = self._lease
        if lease is None or lease.call is None or not lease.call.is_done:
            return False
        # The blocking call that entered has ended without leaving, and now the
        # loop ends.
        await self._exit(self._manager, CancelledError, CancelledError(), None)
        return True

    def _finish(self) -> None:
        actor, self._actor = self._actor, None
        lease, self._lease = self._lease, None
        assert actor is not None  # noqa: S101  # entered
        assert lease is not None  # noqa: S101  # the same
        try:
            actor.end()
        finally:
            lease.release()


def _not_a_manager(thing: object) -> NotAsyncError:
    msg = f"an async context manager is needed here, got {thing!r}"
    if hasattr(type(thing), "__enter__"):
        msg += ", a plain one: use it with `with`"
    return NotAsyncError(msg)
