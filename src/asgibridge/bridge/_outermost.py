"""Async code for blocking callers that have no loop above them."""

import asyncio
import sys
from asyncio import CancelledError
from collections.abc import Awaitable, Callable
from contextvars import copy_context
from typing import TYPE_CHECKING, Any, Generic, TypeVar, final

from ..errors import DeadlockError
from ..executors import name_of
from ..types import LoopRunner
from ._awaitables import awaiting
from ._context import write_back
from ._engine import Engine
from ._places import Frame, Place, nearest_alive
from ._threads import ThreadState

if TYPE_CHECKING:
    from ._call import BlockingCall

__all__ = ("OutermostCall",)

T = TypeVar("T")


@final
class OutermostCall(Generic[T]):
    """Runs a coroutine with the bridge's runner, and serves the calling thread."""

    __slots__ = (
        "_args",
        "_engine",
        "_fn",
        "_frame",
        "_handling",
        "_kwargs",
        "_runner",
        "exception",
        "returned",
    )

    def __init__(
        self,
        engine: Engine,
        state: ThreadState,
        fn: Callable[..., Awaitable[T]],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        runner: LoopRunner | None = None,
    ) -> None:
        parent = nearest_alive(engine.affinity)
        self._engine = engine
        self._fn = fn
        self._args = args
        self._kwargs = kwargs
        self._handling = sys.exception()
        self._frame = frame = Frame(state, parent)
        frame.call = state.call
        self._runner = runner or engine.runner
        if runner is None and (own_runner := engine.own_runner.get()) is not None:
            _check_is_free(own_runner, parent, fn)
            self._runner = frame.runner = own_runner
        self.exception: BaseException | None = None
        self.returned: T

    def wait(self) -> None:
        """Have the coroutine run, and serve this thread meanwhile.

        What it raised is in `exception` then, what it returned in `returned`.
        """
        engine, frame = self._engine, self._frame
        context = copy_context()
        context.run(engine.affinity.set, frame)
        base = context.copy()
        coro: Any = self._main()
        coro.__qualname__ = name_of(self._fn)  # which becomes the task's name
        try:
            self._runner.run(coro, context=context, caller=frame.executor)
        finally:
            frame.close()
            write_back(context, base)

    async def _main(self) -> None:
        """Make the loop known, then do the user's part; the runner's task."""
        homes, frame = self._engine.homes, self._frame
        key = id(asyncio.get_running_loop())
        is_home = homes.setdefault(key, frame) is frame
        try:
            if frame.call is not None:
                _pass_cancellation_on(frame.call)
            self.returned = await awaiting(
                self._fn, self._args, self._kwargs, self._handling
            )
        except BaseException as exc:  # noqa: BLE001  # the caller gets it
            traceback = exc.__traceback__
            self.exception = exc.with_traceback(traceback and traceback.tb_next)
            del exc, traceback
        finally:
            if is_home:
                del homes[key]
                if frame.watch is not None:
                    frame.watch.end()
                    frame.watch = None
            if frame.call is not None:
                frame.call.inner_cancel = None


def _check_is_free(
    runner: LoopRunner, place: Place | None, fn: Callable[..., Any]
) -> None:
    """Raise if a runner with one thread is waiting for the current code."""
    while place is not None:
        if isinstance(place, Frame) and place.runner is runner and place.is_alive:
            msg = (
                f"{name_of(fn)} needs the one thread of the enclosing "
                f"async_single_thread_context, which runs the code that thread "
                f"{place.thread} waits for, and that code waits for {name_of(fn)}: "
                f"leave out force_new_loop, or the context"
            )
            raise DeadlockError(msg)
        place = place.parent


def _pass_cancellation_on(outer: "BlockingCall[Any]") -> None:
    """Have this task cancelled when the task that waits for *outer* is."""
    task = asyncio.current_task()
    assert task is not None  # noqa: S101  # runners run tasks
    loop = task.get_loop()
    outer.inner_cancel = lambda: loop.call_soon_threadsafe(task.cancel)
    # Looked at after it was set: the other side does it in the other order.
    if outer.is_cancelled:
        raise CancelledError
