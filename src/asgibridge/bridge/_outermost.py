"""Async code for blocking callers that have no loop above them."""

import asyncio
import sys
from asyncio import CancelledError
from collections.abc import Awaitable, Callable
from contextvars import copy_context
from typing import TYPE_CHECKING, Any, TypeVar

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

__all__ = ("run_outermost",)

T = TypeVar("T")


def run_outermost(
    engine: Engine,
    state: ThreadState,
    fn: Callable[..., Awaitable[T]],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> T:
    """Run ``fn(*args, **kwargs)`` with the bridge's runner, serving this thread."""
    parent = nearest_alive(engine.affinity)
    frame = Frame(state.inbox, parent)
    runner = engine.runner
    if (own_runner := engine.own_runner.get()) is not None:
        _check_is_free(own_runner, parent, fn)
        runner = frame.runner = own_runner
    context = copy_context()
    context.run(engine.affinity.set, frame)
    base = context.copy()
    coro = _main(engine, frame, state.call, fn, args, kwargs, sys.exception())
    try:
        return runner.run(coro, context=context, caller=frame.executor)
    finally:
        frame.close()
        write_back(context, base)


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


async def _main(
    engine: Engine,
    frame: Frame,
    outer: "BlockingCall[Any] | None",
    fn: Callable[..., Awaitable[T]],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    handling: BaseException | None,
) -> T:
    """What the runner's task does: make the loop known, then the user's part."""
    loop = asyncio.get_running_loop()
    if outer is not None:
        _pass_cancellation_on(outer)
    home = engine.homes.setdefault(id(loop), frame)
    try:
        return await awaiting(fn, args, kwargs, handling)
    finally:
        if home is frame:
            del engine.homes[id(loop)]
        if outer is not None:
            outer.inner_cancel = None


def _pass_cancellation_on(outer: "BlockingCall[Any]") -> None:
    """Have this task cancelled when the task that waits for *outer* is."""
    task = asyncio.current_task()
    assert task is not None  # noqa: S101  # runners run tasks
    loop = task.get_loop()
    outer.inner_cancel = lambda: loop.call_soon_threadsafe(task.cancel)
    # Looked at after it was set: the other side does it in the other order.
    if outer.is_cancelled:
        raise CancelledError
