"""A task that runs coroutines for blocked threads, one after the other."""

import asyncio
from asyncio import AbstractEventLoop, CancelledError
from collections import deque
from collections.abc import Awaitable, Callable
from contextvars import Context, copy_context
from typing import Any, TypeVar, final

from ..errors import LoopStoppedError
from ..executors import CurrentThreadExecutor
from ._engine import Engine
from ._errand import Errand, Wait
from ._places import Frame, nearest_alive
from ._tokens import Tokens

__all__ = ("Actor",)

T = TypeVar("T")


@final
class Actor:
    """One task on a running loop that does errands for blocked threads.

    What is entered in one errand can so be left in another: cancel scopes,
    timeouts and task groups belong to a task, tokens to a context.

    Args:
        engine: Of the bridge.
        loop: Runs on another thread, and goes on until `end`.
        give_up: Called in the task when it is cancelled while it has nothing to
            do.  If it returns True the task ends, else it remembers the
            cancellation, for the next errand to find.
        name: Of the task.
    """

    __slots__ = (
        "_agreed",
        "_current",
        "_engine",
        "_give_up",
        "_inbox",
        "_loop",
        "_name",
        "_stopped_looks",
        "_task",
        "_tokens",
        "_waiter",
        "cancellation",
    )

    def __init__(
        self,
        engine: Engine,
        loop: AbstractEventLoop,
        give_up: Callable[[], Awaitable[bool]],
        name: str,
    ) -> None:
        self._engine = engine
        self._loop = loop
        self._give_up = give_up
        self._name = name
        # The calling thread's context at the end of the last errand.
        self._agreed = copy_context()
        self._tokens = Tokens()
        self._stopped_looks = 0
        # all only used on the loop:
        self._inbox: deque[Errand[Any] | None] = deque()
        self._task: asyncio.Task[None] | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._current: Errand[Any] | None = None
        self.cancellation: CancelledError | None = None
        self._call_soon(self._start, self._agreed.copy())

    # -- on a blocked thread, one at a time --

    def call(
        self, fn: Callable[..., Awaitable[T]], *args: object, to_the_end: bool = False
    ) -> T:
        """Run ``fn(*args)`` in the task and wait for it; this thread serves it.

        Args:
            fn: The async function.
            args: Its arguments.
            to_the_end: Do not cancel it with the blocking call that this thread
                is in.
        """
        if not to_the_end and (call := self._engine.threads.state.call) is not None:
            call.check_cancelled()
        errand = self.send(fn, *args)
        self.wait(errand, to_the_end=to_the_end)
        return self.take(errand)

    def send(self, fn: Callable[..., Awaitable[T]], *args: object) -> Errand[T]:
        """Have ``fn(*args)`` run in the task, without waiting."""
        engine = self._engine
        frame = Frame(engine.threads.state.inbox, nearest_alive(engine.affinity))
        errand = Errand(frame, copy_context(), self._agreed, fn, args)
        try:
            self._call_soon(self._deliver, errand)
        except BaseException:
            frame.close()
            raise
        return errand

    def wait(
        self,
        errand: Errand[Any],
        is_enough: Callable[[], bool] = lambda: False,
        *,
        to_the_end: bool = False,
    ) -> None:
        """Serve this thread until *errand* is done, or told that *is_enough*.

        An interrupt cancels the errand, and goes on when that has ended.
        """
        state = self._engine.threads.state
        executor = errand.frame.executor
        if errand.frame.thread != state.ident:  # to close what another has begun
            executor = CurrentThreadExecutor(state.inbox)
        wait = errand.waiting = Wait(executor, self._check)
        if errand.is_done or is_enough():
            errand.waiting = None
            return
        call = None if to_the_end else state.call
        try:
            if call is not None:
                call.inner_cancel = lambda: self.recall(errand)
                if call.is_cancelled:  # the other side looks in the other order
                    self.recall(errand)
            executor.run_until(wait)
        except (KeyboardInterrupt, SystemExit):
            self.recall(errand)
            self.wait(errand, to_the_end=True)
            raise
        finally:
            if call is not None:
                call.inner_cancel = None

    def take(self, errand: Errand[T]) -> T:
        """Take over what *errand*, which is done, has changed; return its result."""
        try:
            return errand.take(self._tokens)
        finally:
            self._agreed = copy_context()

    def recall(self, errand: Errand[Any]) -> None:
        """Cancel *errand*, unless it is done; from any thread."""
        self._call_soon(self._recall, errand)

    def end(self) -> None:
        """End the task after what was sent; does not wait."""
        self._call_soon(self._deliver, None)

    def _call_soon(self, fn: Callable[..., object], *args: object) -> None:
        try:
            self._loop.call_soon_threadsafe(fn, *args)
        except RuntimeError as exc:
            raise self._stopped() from exc

    def _check(self) -> None:
        # Twice, since a loop may be between two runs.
        looks = 0 if self._loop.is_running() else self._stopped_looks + 1
        self._stopped_looks = looks
        if self._loop.is_closed() or looks > 1:
            raise self._stopped()

    def _stopped(self) -> LoopStoppedError:
        msg = (
            f"{self._name} cannot go on: the event loop it was begun on no longer "
            f"runs; close it before that loop ends"
        )
        return LoopStoppedError(msg)

    # -- on the loop --

    def _start(self, context: Context) -> None:
        self._task = self._loop.create_task(
            self._main(), name=self._name, context=context
        )
        self._engine.keep(self._task)

    def _deliver(self, errand: Errand[Any] | None) -> None:
        if self._task is not None and self._task.done():
            if errand is not None:
                errand.refuse(self.cancellation or self._stopped())
            return
        self._inbox.append(errand)
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _recall(self, errand: Errand[Any]) -> None:
        if self._current is errand and self._task is not None:
            errand.is_recalled = True
            self._task.cancel()
        elif not errand.is_done:
            errand.is_recalled = True

    async def _main(self) -> None:
        while (errand := await self._next()) is not None:
            self._current = errand
            is_late = errand.is_recalled
            await errand.serve(self._engine)
            self._current = None
            if errand.is_recalled and not is_late and self._task is not None:
                self._task.uncancel()  # it was us
            del errand

    async def _next(self) -> Errand[Any] | None:
        while not self._inbox:
            self._waiter = self._loop.create_future()
            try:
                await self._waiter
            except CancelledError as exc:
                self.cancellation = CancelledError(*exc.args)
                if await self._give_up():
                    return None
        return self._inbox.popleft()
