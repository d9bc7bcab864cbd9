"""A loop on the caller's own thread."""

import asyncio
import sys
import threading
from asyncio import AbstractEventLoop
from collections.abc import Coroutine
from contextvars import Context, copy_context
from functools import partial
from typing import Any, TypeVar, final

import attrs
from typing_extensions import override

from ..errors import NoThreadError, OptionError
from ..loops import (
    RecyclableLoop,
    asyncgen_hooks,
    end_tasks,
    retire,
    signals_of,
)
from ..types import CallerExecutor
from ._caller import CurrentThreadExecutor
from ._drive import Drive
from ._loop_call import LoopCall
from ._loop_owner import LoopOwner

__all__ = ("InThreadLoopRunner",)

T = TypeVar("T")


@final
@attrs.define(eq=False, weakref_slot=True)
class InThreadLoopRunner(LoopOwner):
    """Runs each coroutine on the caller's thread, on a loop no other call can see.

    The fastest way, since no thread is needed: thread-sensitive calls run on the
    same thread while the loop stands still.  If anything could happen on the
    loop meanwhile, it moves to a thread of its own and goes on there.

    What differs from `PerCallLoopRunner`: the coroutine runs on the caller's
    thread, so it can use ``loop.add_signal_handler`` on the main thread, and
    sees the caller's `threading.local`; it may see its thread change once.

    Thread-safe.  Creating a runner starts nothing; a forked child starts clean.
    Whoever creates a runner closes it.

    Args:
        loop_factory: Makes the loops, each for one call.  None takes those of
            the standard library, which are used again where nothing of a call
            is left in them.  Others move at the first thread-sensitive call.
        max_idle: How many idle loops are kept.
        idle_timeout: How long an idle thread is kept, in seconds.
        name: The beginning of the threads' names.
    """

    name: str = attrs.field(
        default="asgibridge-moved-loop", kw_only=True, on_setattr=attrs.setters.frozen
    )
    # One for all drives: that loops move is rare, and a lock is as large as the
    # arguments of a call.
    _moving: threading.Lock = attrs.field(
        factory=threading.Lock, init=False, repr=False
    )

    @override
    def forget(self) -> None:
        """Become as new, in a forked child."""
        super().forget()
        self._moving = threading.Lock()

    def run(
        self,
        coro: Coroutine[Any, Any, T],
        /,
        *,
        context: Context,
        caller: CallerExecutor,
    ) -> T:
        """Run *coro* on this thread, and calls of *caller* in between.

        Raises:
            ExecutorClosedError: After `close`.
            LoopStoppedError: If the coroutine stops its loop.
        """
        if not isinstance(caller, CurrentThreadExecutor):
            coro.close()
            msg = f"only a CurrentThreadExecutor can be driven, got {caller!r}"
            raise OptionError(msg)
        try:
            self._threads.check_is_open()
        except BaseException:
            coro.close()
            raise
        loop = self._loops.take()
        call = LoopCall(coro, context, caller)
        if not isinstance(loop, RecyclableLoop):
            try:
                drive = Drive(loop, caller.inbox, self._threads, self._moving)
                return self._drive(loop, drive, call, caller)
            finally:
                self._retire(loop, caller)
        loop.driver = drive = Drive(loop, caller.inbox, self._threads, self._moving)
        loop.note()
        hooks = sys.get_asyncgen_hooks()
        sys.set_asyncgen_hooks(*asyncgen_hooks(loop))
        try:
            return self._drive(loop, drive, call, caller)
        finally:
            sys.set_asyncgen_hooks(*hooks)
            # The same frame that noted it: references are being counted.
            is_clean = loop.is_clean()
            loop.driver = None
            if not (is_clean and self._loops.keep(loop)):
                self._retire(loop, caller)

    def _drive(
        self,
        loop: AbstractEventLoop,
        drive: Drive,
        call: LoopCall[T],
        caller: CurrentThreadExecutor,
    ) -> T:
        inbox = caller.inbox
        outer, inbox.driver = inbox.driver, drive
        try:
            _begin(loop, drive, call)
            return call.wait()
        finally:
            drive.end()
            inbox.driver = outer

    def _retire(self, loop: AbstractEventLoop, caller: CurrentThreadExecutor) -> None:
        """End *loop* on another thread: its tasks may need this one to end."""
        for number in signals_of(loop):
            loop.remove_signal_handler(number)  # only possible here
        lease = self._threads.lease(outlives_close=True)
        work = _Retirement(loop, caller)
        try:
            lease.post(work)
        except NoThreadError:  # at the end of the interpreter: then on this one
            if asyncio.all_tasks(loop):
                # Their last calls need a thread that takes turns.
                drive = Drive(loop, caller.inbox, self._threads, self._moving)
                ending = LoopCall(end_tasks(), copy_context(), caller)
                self._drive(loop, drive, ending, caller)
            work.run()
        caller.run_until(work)
        lease.release()


def _begin(loop: AbstractEventLoop, drive: Drive, call: LoopCall[Any]) -> None:
    """Take the first steps, which may be all.

    A frame of its own, which lets go of the task: what the coroutine raised may
    keep the frames below it, and the task keeps what it raised.
    """
    task = call.start(loop)
    drive.take_first_turn()
    if task.done():
        call.finish_here()
    else:
        task.add_done_callback(partial(_finish, call, drive))
    del task


def _finish(call: LoopCall[Any], drive: Drive, _task: object) -> None:
    if drive.has_moved:
        call.collect()
        call.announce()
    else:  # on this thread, which need not be told by way of its inbox
        call.finish_here()
        drive.ring()


@final
class _Retirement:
    """Ends a loop on another thread, while its caller serves the last calls."""

    __slots__ = ("_caller", "_loop", "is_done")

    def __init__(self, loop: AbstractEventLoop, caller: CurrentThreadExecutor) -> None:
        self._loop = loop
        self._caller = caller
        self.is_done = False

    def run(self) -> None:
        """End the loop, and be taken from the inbox afterwards."""
        if self.is_done:
            return
        try:
            retire(self._loop)
        finally:
            self.is_done = True
            self._caller.wake(self)

    def check(self) -> None:
        """Nothing can keep the thread from ending the loop."""
