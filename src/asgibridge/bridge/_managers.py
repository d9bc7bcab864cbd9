"""Blocking context managers for async code."""

from asyncio import CancelledError
from collections.abc import Callable
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any, Generic, TypeVar, final

from ..errors import AlreadyEnteredError, NotEnteredError, NotSyncError
from ._stepwise import Stepwise

__all__ = ("ThreadManager",)

T = TypeVar("T")
E = TypeVar("E", bound=bool | None)


@final
class ThreadManager(Generic[T, E]):
    """A blocking context manager, entered and left on a thread.

    Made by `Bridge.enter`, used with ``async with``, in one task.  Entering and
    leaving happen on the same thread and in the same context; context variables
    that the manager sets are seen in the block.  The block itself runs in the
    task, its exception is handed to the manager, which decides about it.

    The manager is left in any case, also if the block or the leaving itself is
    cancelled.  If the entering is cancelled, the manager is left at once.
    """

    __slots__ = ("_enter", "_exit", "_make_steps", "_manager", "_steps")

    def __init__(
        self,
        make_steps: Callable[[], Stepwise],
        manager: AbstractContextManager[T, E],
    ) -> None:
        kind = type(manager)
        try:
            self._enter, self._exit = kind.__enter__, kind.__exit__
        except AttributeError:
            raise _not_a_manager(manager) from None
        self._manager = manager
        self._make_steps = make_steps
        self._steps: Stepwise | None = None

    async def __aenter__(self) -> T:
        """Enter the manager on its thread; return what it returns.

        Raises:
            AlreadyEnteredError: While it is entered.
        """
        if self._steps is not None:
            msg = (
                f"{self._manager!r} is entered already; make another with "
                f"Bridge.enter for another block"
            )
            raise AlreadyEnteredError(msg)
        steps = self._steps = self._make_steps()
        entered: list[T] = []
        try:
            task, cancellation = await steps.run(
                lambda: entered.append(self._enter(self._manager)), may_cancel=True
            )
            try:
                if not entered:
                    task.result()
            finally:
                del task  # it holds the exception, which holds this frame
        except BaseException:
            self._release(steps)
            raise
        if cancellation is not None:
            # Entered, but there will be no block.
            await self._leave(CancelledError, cancellation, None)
            raise cancellation
        return entered[0]

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
        /,
    ) -> E:
        """Leave the manager on its thread; return whether it wants silence.

        Raises:
            NotEnteredError: If it is not entered.
        """
        return await self._leave(exc_type, exc, traceback)

    async def _leave(self, *exc_info: Any) -> E:  # noqa: ANN401  # handed on
        steps = self._steps
        if steps is None:
            msg = f"{self._manager!r} is not entered; use it with `async with`"
            raise NotEnteredError(msg)
        try:
            task, cancellation = await steps.run(self._exit, self._manager, *exc_info)
        finally:
            self._release(steps)
        try:
            if cancellation is not None:
                raise cancellation from task.exception()
            return task.result()
        finally:
            del task, cancellation

    def _release(self, steps: Stepwise) -> None:
        self._steps = None
        steps.release()


def _not_a_manager(thing: object) -> NotSyncError:
    msg = f"enter needs a context manager, got {thing!r}"
    if hasattr(type(thing), "__aenter__"):
        msg += ", an async one: use it with `async with`, without enter"
    return NotSyncError(msg)
