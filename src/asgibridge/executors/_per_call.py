"""A loop for each call."""

import asyncio
import sys
from asyncio import AbstractEventLoop
from collections.abc import Coroutine
from contextvars import Context
from typing import Any, TypeVar, final

import attrs

from ..errors import NoThreadError
from ..loops import LoopCache, RecyclableLoop, asyncgen_hooks, retire, turn
from ..types import CallerExecutor, SingleThreadRunner
from ._drive import ROUNDS
from ._in_thread import InThreadLoopRunner
from ._loop_call import LoopCall
from ._loop_owner import LoopOwner
from ._threads import ThreadCache, ThreadLease
from ._worker import WorkerThread

__all__ = ("PerCallLoopRunner",)

T = TypeVar("T")


@final
@attrs.define(eq=False, weakref_slot=True)
class PerCallLoopRunner(LoopOwner):
    """Runs each coroutine on a loop that no other call can see.

    The loop runs on a thread of its own, never on the caller's, which serves
    thread-sensitive calls meanwhile.  Threads are reused.  So are loops of the
    standard library, where nothing of a call is left in them and nobody holds
    on to them; otherwise they end as with `asyncio.run`: tasks are cancelled,
    asynchronous generators and the default executor are shut down.

    Thread-safe.  Creating a runner starts nothing; a forked child starts clean.
    Whoever creates a runner closes it.

    Args:
        loop_factory: Makes the loops, each for one call, for example
            ``uvloop.new_event_loop``.  None takes those of the standard library.
        max_idle: How many idle loops are kept.
        idle_timeout: How long an idle thread is kept, in seconds.
        name: The beginning of the threads' names.
    """

    name: str = attrs.field(
        default="asgibridge-loop", kw_only=True, on_setattr=attrs.setters.frozen
    )

    def run(
        self,
        coro: Coroutine[Any, Any, T],
        /,
        *,
        context: Context,
        caller: CallerExecutor,
    ) -> T:
        """Run *coro* on a loop of its own and serve *caller* meanwhile.

        Raises:
            ExecutorClosedError: After `close`.
        """
        call = LoopCall(coro, context, caller)
        visit = _Visit(call, self._loops, self._threads)
        try:
            return call.wait(visit.begin)
        except NoThreadError:
            if not call.claim():  # it is the coroutine's own
                raise
        # At the end of the interpreter: then without one.
        with InThreadLoopRunner(loop_factory=self.loop_factory) as runner:
            return runner.run(coro, context=context, caller=caller)

    def run_on(
        self,
        lease: ThreadLease,
        coro: Coroutine[Any, Any, T],
        context: Context,
        caller: CallerExecutor,
    ) -> T:
        """Run *coro* as `run` does, on the thread of *lease*."""
        call = LoopCall(coro, context, caller)
        visit = _Visit(call, self._loops, self._threads)
        try:
            return call.wait(lambda: lease.post(visit))
        except NoThreadError:
            if call.claim():  # else it is the coroutine's own
                coro.close()
            raise

    def on_one_thread(self) -> SingleThreadRunner:
        """Return a runner whose loops all run on one thread of this one."""
        return _OneThread(self, self._threads.lease())


@final
@attrs.frozen(eq=False)
class _OneThread:
    """Runs coroutines of a `PerCallLoopRunner` on one leased thread."""

    _runner: PerCallLoopRunner
    _lease: ThreadLease

    def run(
        self,
        coro: Coroutine[Any, Any, T],
        /,
        *,
        context: Context,
        caller: CallerExecutor,
    ) -> T:
        return self._runner.run_on(self._lease, coro, context, caller)

    def release(self) -> None:
        self._lease.release()


@final
class _Visit:
    """What the loop's thread does for one call."""

    __slots__ = ("_call", "_loops", "_threads", "is_done", "worker")

    def __init__(
        self, call: LoopCall[Any], loops: LoopCache, threads: ThreadCache
    ) -> None:
        self._call = call
        self._loops = loops
        self._threads = threads
        # The thread, if it was taken for this call.
        self.worker: WorkerThread | None = None
        # Whether nothing follows but telling the caller.
        self.is_done: bool = False

    def __str__(self) -> str:
        return str(self._call)

    def needs_this_thread(self) -> bool:
        """Whether the current thread is the one that waits for the call."""
        return not self.is_done and self._call.needs_this_thread()

    def begin(self) -> None:
        """Have a thread do it."""
        self._threads.send(self)

    def run(self) -> None:
        """Take a loop, run the coroutine, leave the loop as it was or retire it."""
        call = self._call
        if not call.claim():  # its caller was interrupted
            self._give_back()
            return
        try:
            self._run()
        except BaseException as exc:  # noqa: BLE001  # the caller gets it
            call.collect(exc)
        # Before the caller can make another call, which then finds the thread.
        self._give_back()
        call.announce()

    def _give_back(self) -> None:
        self.is_done = True
        worker, self.worker = self.worker, None
        if worker is not None:
            self._threads.give_back(worker)

    def _run(self) -> None:
        loop = self._loops.take()
        if not isinstance(loop, RecyclableLoop):
            return self._run_and_retire(loop)
        loop.note()
        try:
            _run_task(loop, self._call)
        finally:
            # The same frame that noted it: references are being counted.
            if not (loop.is_clean() and self._loops.keep(loop)):
                retire(loop)
        return None

    def _run_and_retire(self, loop: AbstractEventLoop) -> None:
        try:
            _run_task(loop, self._call)
        finally:
            retire(loop)


def _run_task(loop: AbstractEventLoop, call: LoopCall[Any]) -> None:
    """Run the call's task on an idle loop, in this thread, until it is done."""
    try:
        _begin(loop, call)
        if not call.has_ended:
            loop.run_forever()
    except BaseException as exc:  # noqa: BLE001  # the caller gets it
        call.collect(exc)
    else:
        call.collect()


def _begin(loop: AbstractEventLoop, call: LoopCall[Any]) -> None:
    """Take the first steps, which may be all: then the loop need not be entered.

    A frame of its own, which lets go of the task: what the coroutine raised may
    keep the frames below it, and the task keeps what it raised.
    """
    task = call.start(loop)
    if isinstance(loop, RecyclableLoop) and loop.can_be_turned():
        hooks = sys.get_asyncgen_hooks()
        sys.set_asyncgen_hooks(*asyncgen_hooks(loop))
        try:
            turn(loop, ROUNDS)
        finally:
            sys.set_asyncgen_hooks(*hooks)
    if not task.done():
        task.add_done_callback(_stop)
    del task


def _stop(task: asyncio.Task[Any]) -> None:
    task.get_loop().stop()
