"""asgiref's `AsyncToSync`: async code for blocking callers."""

import asyncio
import inspect
import sys
import warnings
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from contextvars import Context, copy_context
from functools import partial, update_wrapper
from typing import Any, Final, Generic, ParamSpec, TypeVar

from ..loops import running_loop_or_none
from ._default import DEFAULT, UNMADE
from ._marks import is_async, runs_when_awaited
from ._state import (
    ASYNC_SINGLE_THREAD_CONTEXT,
    LOOP_THREAD_EXECUTORS,
    SINGLE_THREAD_CONTEXT_EXECUTORS,
)
from ._sync_to_async import ExcInfo
from ._views import Executors

__all__ = ("AsyncToSync",)

P = ParamSpec("P")
R = TypeVar("R")


class AsyncToSync(Generic[P, R]):
    """Makes an async function blocking: it runs on the loop of the default bridge.

    That is the loop above, if the caller is inside of one, or one of its own.
    The calling thread runs thread-sensitive code meanwhile.

    A subclass, or whoever patches this class, may replace `main_wrap`, which
    then is called for every call.

    Args:
        awaitable: An async callable; a warning is given if it is not marked as
            one.
        force_new_loop: Use a loop of its own in any case.
    """

    executors: Executors = Executors()
    loop_thread_executors = LOOP_THREAD_EXECUTORS
    async_single_thread_context = ASYNC_SINGLE_THREAD_CONTEXT
    context_to_thread_executor = SINGLE_THREAD_CONTEXT_EXECUTORS

    def __init__(
        self,
        awaitable: Callable[P, Awaitable[R]],
        force_new_loop: bool = False,  # noqa: FBT001, FBT002  # asgiref's signature
    ) -> None:
        if not is_async(awaitable):
            warnings.warn(
                "async_to_sync was passed a non-async-marked callable", stacklevel=2
            )
        self.awaitable = awaitable
        self.force_new_loop = force_new_loop
        self._runs_when_awaited = runs_when_awaited(awaitable)
        # Both at once: other threads may call this as well.
        self._crossing: tuple[object, Callable[..., R]] = UNMADE
        owner = getattr(awaitable, "__self__", None)
        if owner is not None:
            self.__self__ = owner

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Run the async function to its end, and return what it returns.

        Raises:
            RuntimeError: On a thread that runs an event loop.
        """
        __traceback_hide__ = True  # debug pages ask for it
        # As in SyncToAsync: whatever is in the class, bound or not.
        if type(self).main_wrap is not _MAIN_WRAP or "main_wrap" in self.__dict__:
            return self._call_wrapped(*args, **kwargs)
        if not self._runs_when_awaited:
            # Its first part runs here, as it always did.
            self._check_no_loop()
            result: R = self._wait_for(self.awaitable(*args, **kwargs))
            return result
        made_for, crossing = self._crossing
        if made_for is not DEFAULT.current:
            choice = DEFAULT.choose()
            crossing = choice.inside.unchecked_sync(
                self.awaitable, force_new_loop=self.force_new_loop
            )
            self._crossing = choice, crossing
        return crossing(*args, **kwargs)

    def __get__(self, parent: Any, objtype: object) -> Callable[..., R]:  # noqa: ANN401  # an instance of whatever has the method
        """Bind the instance, for methods."""
        return update_wrapper(partial(self.__call__, parent), self.awaitable)

    async def main_wrap(
        self,
        call_result: "Future[R]",
        exc_info: ExcInfo,  # for those who override it
        task_context: "list[asyncio.Task[Any]] | None",  # see above
        context: list[Context],
        awaitable: Awaitable[R],
    ) -> None:
        """Await *awaitable* and put what comes of it into *call_result*.

        Called on the calling thread, awaited on the loop.  May be overridden.

        Args:
            call_result: Gets the result or the exception.
            exc_info: What the caller is handling; the bridge sees to it.
            task_context: Empty: the bridge passes cancellation on by itself.
            context: Gets the context at the end, in place of the caller's.
            awaitable: What the async function returned.
        """
        __traceback_hide__ = True  # debug pages ask for it
        try:
            result = await awaitable
        except BaseException as exc:  # noqa: BLE001  # the caller gets it
            call_result.set_exception(exc)
        else:
            call_result.set_result(result)
        finally:
            context[0] = copy_context()

    def _call_wrapped(self, *args: P.args, **kwargs: P.kwargs) -> R:
        __traceback_hide__ = True  # debug pages ask for it
        self._check_no_loop()
        call_result: Future[R] = Future()
        wrapped: Awaitable[None] = self.main_wrap(
            call_result,
            sys.exc_info(),
            [],
            [copy_context()],
            self.awaitable(*args, **kwargs),
        )
        self._wait_for(wrapped)
        try:
            return call_result.result()
        finally:
            del call_result  # no cycle through this frame

    def _wait_for(self, awaitable: Awaitable[Any]) -> Any:  # noqa: ANN401  # what it gives
        __traceback_hide__ = True  # debug pages ask for it
        crossing: Callable[..., Any] = DEFAULT.get().unchecked_sync(
            _await, force_new_loop=self.force_new_loop
        )
        try:
            return crossing(awaitable)
        finally:
            if inspect.iscoroutine(awaitable):
                awaitable.close()  # in case nobody has come to await it

    def _check_no_loop(self) -> None:
        if running_loop_or_none() is not None:
            msg = (
                "You cannot use AsyncToSync in the same thread as an async event "
                "loop - just await the async function directly."
            )
            raise RuntimeError(msg)


_MAIN_WRAP: Final[object] = AsyncToSync.__dict__["main_wrap"]


async def _await(awaitable: Awaitable[Any]) -> object:
    return await awaitable
