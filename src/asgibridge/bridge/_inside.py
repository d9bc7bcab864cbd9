"""A bridge seen from inside, for a layer that gives it another face."""

from asyncio import AbstractEventLoop
from collections.abc import Awaitable, Callable, Coroutine
from contextvars import Context
from typing import Any, TypeVar, final

import attrs

from ..types import BlockingExecutor
from ._async_to_sync import AsyncToSync
from ._bridge import Bridge
from ._engine import Engine
from ._places import ExecutorPlace, Frame, Place
from ._routes import poster

__all__ = ("Inside",)

T = TypeVar("T")


# pyright: reportPrivateUsage=false
# What is private to Bridge is private to this package.


@final
@attrs.frozen(eq=False)
class Inside:
    """What the public methods of a bridge do not offer: no checks, and a view.

    Args:
        bridge: Is neither changed nor closed.
    """

    bridge: Bridge

    @property
    def _engine(self) -> Engine:
        return self.bridge._engine  # noqa: SLF001  # of this package

    def binder(
        self,
        *,
        thread_sensitive: bool,
        executor: BlockingExecutor | None,
        context: Context | None,
        abandon_on_cancel: bool,
    ) -> Callable[[Callable[..., Any]], Callable[..., Coroutine[Any, Any, Any]]]:
        """Return what makes async functions of blocking ones, all with these options.

        As `Bridge.sync_to_async` does, but whatever they look like, and what it
        makes looks like nothing: for wrappers that look like it already.
        """
        bridge = self.bridge
        mode = bridge._context if context is None else context  # noqa: SLF001
        route = bridge._route(thread_sensitive, executor)  # noqa: SLF001
        # A call that shares its caller's context cannot be left behind.
        may_abandon = abandon_on_cancel and mode != "share"
        return bridge._wrapper(route, mode, may_abandon).bind  # noqa: SLF001

    def unchecked_sync(
        self, fn: Callable[..., Awaitable[T]], *, force_new_loop: bool
    ) -> Callable[..., T]:
        """Do what `Bridge.async_to_sync` does, whatever *fn* looks like.

        What it returns looks like nothing, as with `binder`.
        """
        make = AsyncToSync(self._engine, force_new_loop, False)  # noqa: FBT003  # attrs: by position
        return make.bind(fn)

    @property
    def sensitive_executor(self) -> BlockingExecutor:
        """Where thread-sensitive code runs that is inside of nothing."""
        return self._engine.thread_sensitive

    @property
    def place(self) -> Place | None:
        """The innermost place that the current code is inside of."""
        return self._engine.affinity.get()

    def waiting_executor(self) -> BlockingExecutor | None:
        """Return what runs calls on the thread that waits for the current code.

        None if none does, or a block with an executor of its own is between.
        """
        place = self.place
        while place is not None:
            if isinstance(place, Frame):
                if place.is_alive:
                    return place.executor
            elif place.is_alive and place.is_final:
                return None
            place = place.parent
        return None

    def put_inside(self, executor: BlockingExecutor | None) -> None:
        """Send the thread-sensitive calls of the current code to *executor*.

        None lets the current code be inside of nothing.
        """
        place = None if executor is None else ExecutorPlace(executor, poster(executor))
        self._engine.affinity.set(place)

    @property
    def caller_loop(self) -> AbstractEventLoop | None:
        """The loop of the task that waits for the function on this thread."""
        call = self._engine.threads.state.call
        return None if call is None else call.get_loop()
