"""A blocking call that nobody awaits, and that still belongs to a loop."""

from asyncio import get_running_loop
from collections.abc import Callable
from typing import TypeVar, final

import attrs
from typing_extensions import override

from ._call import BlockingCall
from ._engine import Engine
from ._late import report_late
from ._places import Place

__all__ = ("DetachedCall", "Detacher")

T = TypeVar("T")


@final
@attrs.frozen(eq=False)
class Detacher:
    """Starts blocking calls on one executor without awaiting them.

    Made by `Bridge.detacher`.
    """

    _engine: Engine
    _place: Place

    def start(self, fn: Callable[[], object], /) -> "DetachedCall[object]":
        """Run *fn* on the executor, for the loop that runs on this thread.

        The function sees the caller's context variables, in a copy.  What it
        raises is logged.

        Returns:
            The call; its ``cancel()`` withdraws it, or cancels the coroutine
            that it waits for.
        """
        loop = get_running_loop()
        mailbox = self._engine.mailbox_of(loop)
        call = DetachedCall[object](self._engine, loop, mailbox, fn, (), {}, False)  # noqa: FBT003  # by position, as everywhere
        call.place = self._place
        self._place.post(call)
        return call


@final
class DetachedCall(BlockingCall[T]):
    """Runs its function on behalf of a loop whose task does something else.

    For adapters that tell a task of the progress of a call in a way of their
    own.  Async code that the function calls runs on the loop, in tasks of its
    own, since there is no parked one.
    """

    __slots__ = ()

    @override
    def _complete(self) -> None:
        self._args, self._kwargs = (), {}
        self.is_done = True
        exception, self.exception = self.exception, None
        report_late(self, exception, None)

    @override
    def deliver(self) -> None:
        hosted = self.hosted
        if hosted is None or not hosted.claim():
            return
        if self.is_cancelled:
            hosted.refuse(self.cancellation())
        else:
            self.inner_cancel = hosted.adopt(self._loop).cancel

    @override
    def cancel(self, msg: object = None) -> bool:
        """Cancel the coroutine that the function waits for, and refuse more.

        On the loop's thread.  A function that has not begun never runs.
        """
        if self.is_cancelled or self.is_done:
            return False
        self.is_cancelled = True
        self._cancel_args = () if msg is None else (msg,)
        if self.claim():
            self.is_done = True
        elif self.inner_cancel is not None:
            self.inner_cancel()
        return True
