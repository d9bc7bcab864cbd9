"""Blocking code that is left and entered again: one thread, one context."""

import asyncio
from asyncio import CancelledError
from collections.abc import Callable
from contextvars import Context, copy_context
from typing import Any, TypeVar, final

from ..loops import context_unchanged
from ._cancellation import shielded
from ._context import write_back
from ._engine import Engine
from ._pinning import PinnedRoute
from ._sync_to_async import SyncToAsync
from ._tokens import Tokens

__all__ = ("Stepwise", "outlast")

T = TypeVar("T")


@final
class CarriedContext:
    """The context of code that runs in steps, apart from that of its callers.

    All steps run in the same `Context` object, so that the code can reset what
    it has set.  Before each step it gets what the caller has changed since the
    last, and afterwards the caller gets what the step has changed.
    """

    __slots__ = ("_agreed", "_context", "_entered", "_tokens")

    def __init__(self) -> None:
        self._context: Context | None = None
        self._agreed: Context  # the caller's, when the last step had ended
        self._entered: Context  # our own, when this step began
        self._tokens = Tokens()

    def bring_in(self) -> Context:
        """Return the context for a step that the current code is about to make."""
        caller = copy_context()
        if self._context is None:
            self._context = caller
        else:
            self._context.run(write_back, caller, self._agreed)
        self._entered = self._context.copy()
        return self._context

    def bring_out(self) -> None:
        """Let the current code see what the step has changed."""
        context = self._context
        assert context is not None  # noqa: S101  # brought in before
        if not context_unchanged(context, self._entered):
            self._tokens.take_over(context, self._entered)
        self._agreed = copy_context()


async def outlast(
    task: "asyncio.Task[Any]", *, may_cancel: bool = False
) -> CancelledError | None:
    """Wait until *task* is done, also if the waiting task is cancelled.

    Args:
        task: What to wait for.
        may_cancel: Whether to cancel it then, and so withdraw a step that is
            still queued; one that runs is waited for in any case.

    Returns:
        The cancellation that came meanwhile.  Whoever called raises it when
        everything is in order.
    """
    try:
        await asyncio.wait((task,))
    except CancelledError as exc:
        cancellation = CancelledError(*exc.args)
    else:
        return None
    if may_cancel:
        task.cancel()
    with shielded():
        while not task.done():
            try:
                await asyncio.wait((task,))
            except CancelledError:
                continue  # once more; the first one is raised in the end
    return cancellation


@final
class Stepwise:
    """Runs the steps of one piece of blocking code, one after the other.

    Used by one task at a time, on one loop.

    Args:
        engine: Of the bridge.
        route: Leads to the thread; released with this object.
        name: Of the code, for messages and observers.
    """

    __slots__ = ("_carried", "_crossing", "_name", "_route")

    def __init__(self, engine: Engine, route: PinnedRoute, name: str) -> None:
        self._carried = CarriedContext()
        self._route = route
        self._name = name
        self._crossing = SyncToAsync(engine, route)

    def begin(self, fn: Callable[..., T], *args: object) -> "asyncio.Task[T]":
        """Return the task of a step.  Call `end` when it is done.

        A task of its own: cancelling whoever waits for it is not to withdraw a
        step that has to be made.
        """
        context = self._carried.bring_in()

        def step(*args: object) -> T:
            return context.run(fn, *args)

        step.__qualname__ = self._name
        return asyncio.create_task(self._crossing.bind(step)(*args))

    def end(self) -> None:
        """Take over what the step has changed; no other step begins before."""
        self._carried.bring_out()

    async def run(
        self, fn: Callable[..., T], *args: object, may_cancel: bool = False
    ) -> "tuple[asyncio.Task[T], CancelledError | None]":
        """Make a step to its end.

        Args:
            fn: What to run.
            args: Its arguments.
            may_cancel: Whether a cancellation withdraws it, if it is queued.

        Returns:
            The task, which is done, and the cancellation that came meanwhile.
        """
        task = self.begin(fn, *args)
        cancellation = await outlast(task, may_cancel=may_cancel)
        self.end()
        return task, cancellation

    def release(self) -> None:
        """Give back the thread, after the last step."""
        self._route.release()
