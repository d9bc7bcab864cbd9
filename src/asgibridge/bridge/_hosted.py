"""One coroutine that a blocking call waits for, run in the task it parked."""

import asyncio
import sys
from asyncio import AbstractEventLoop, CancelledError
from collections.abc import Awaitable, Callable, Generator
from contextlib import suppress
from contextvars import Context, Token, copy_context
from typing import TYPE_CHECKING, Any, Generic, TypeVar, final

from ..errors import LoopStoppedError
from ..executors import name_of
from ..loops import context_unchanged
from ._awaitables import awaiting
from ._context import write_back
from ._places import Frame, nearest_alive
from ._threads import ThreadState

if TYPE_CHECKING:
    from ._call import BlockingCall
    from ._engine import Engine

__all__ = ("HostedCall",)

T = TypeVar("T")


@final
class HostedCall(Generic[T]):
    """Has the parked task run a coroutine for the function it waits for.

    No task is made: cancellation, `asyncio.timeout`, `asyncio.current_task` and
    the context are those of the task, as if it had awaited the coroutine
    itself.  The thread of the function waits in `wait` and runs calls of the
    coroutine meanwhile.
    """

    __slots__ = (
        "_args",
        "_call",
        "_changes",
        "_context",
        "_engine",
        "_fn",
        "_handling",
        "_has_cancelled",
        "_kwargs",
        "_stopped_looks",
        "_ticket",
        "cancel_args",
        "exception",
        "frame",
        "host",
        "is_done",
        "returned",
    )

    def __init__(
        self,
        engine: "Engine",
        call: "BlockingCall[Any]",
        state: ThreadState,
        fn: Callable[..., Awaitable[T]],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> None:
        self._engine = engine
        self._call = call
        self.frame: Frame = Frame(state, nearest_alive(engine.affinity))
        self.frame.call = call
        self._fn = fn
        self._args = args
        self._kwargs = kwargs
        self._context = copy_context()
        self._handling = sys.exception()
        self._changes: tuple[Context, Context] | None = None
        self.exception: BaseException | None = None
        self.returned: T
        # Whether an interrupt has cancelled the task; only on the loop's thread.
        self._has_cancelled = False
        self._stopped_looks = 0
        # The task that runs the coroutine, once it does.
        self.host: asyncio.Task[Any] | None = None
        self.is_done: bool = False
        self._ticket = [True]
        # What the coroutine raised CancelledError with because the task was
        # cancelled, and not for reasons of its own.
        self.cancel_args: tuple[Any, ...] | None = None

    def __str__(self) -> str:
        return name_of(self._fn)

    # -- on the thread of the blocking function --

    def wait(self) -> None:
        """Have the coroutine run, and serve this thread meanwhile.

        What it raised is in `exception` then, what it returned in `returned`.
        """
        call = self._call
        call.hosted = self
        try:
            try:
                self._ask()
                self.frame.executor.run_until(self)
            except (KeyboardInterrupt, SystemExit):
                # Ctrl-C while the main thread waits here, or is about to: the
                # coroutine is cancelled, and when it has ended the interrupt
                # goes on.
                self._interrupt()
                self.frame.executor.run_until(self)
                raise
        finally:
            call.hosted = None
            self.frame.close()
        if self._changes is not None:
            write_back(*self._changes)

    def _ask(self) -> None:
        try:
            self._call.mailbox.post(self._call)
        except RuntimeError as exc:
            raise self._stopped() from exc

    def _interrupt(self) -> None:
        if self.claim():
            self._end()  # nobody has begun it, so nobody will
            return
        loop = self._call.mailbox.loop()
        if loop is not None:
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(self._cancel_host)

    def run(self) -> None:
        """Do nothing: being taken from the inbox is all it is for."""

    def check(self) -> None:
        """Raise if the loop that is to run the coroutine has stopped."""
        loop = self._call.mailbox.loop()
        # Twice, since a loop may be between two runs.
        if loop is not None and loop.is_running():
            self._stopped_looks = 0
        else:
            self._stopped_looks += 1
        if loop is None or loop.is_closed() or self._stopped_looks > 1:
            raise self._stopped()

    def _stopped(self) -> LoopStoppedError:
        msg = (
            f"{self} cannot run: the event loop of the task that called "
            f"{self._call} has stopped; let the task end before stopping its loop"
        )
        return LoopStoppedError(msg)

    # -- on the loop's thread --

    def claim(self) -> bool:
        """Whether this is for the asker to run: only the first one is told so."""
        try:
            self._ticket.pop()  # atomic: an interrupted thread asks as well
        except IndexError:
            return False
        return True

    def _cancel_host(self) -> None:
        # Only while it runs the coroutine: afterwards it is not ours to cancel.
        if self.host is not None and not self._has_cancelled:
            self._has_cancelled = True
            self.host.cancel()

    def serve(
        self, base: Context, tokens: list[Token[Any]]
    ) -> Generator[Any, None, Context]:
        """Run the coroutine, in the parked task.

        Args:
            base: The context up to which the function's changes are known here.
            tokens: Gets those of variables that are set here and may have to be
                taken back when the function has ended.

        Returns:
            The new base.
        """
        self.host = host = asyncio.current_task()
        affinity = self._engine.affinity
        # The coroutine sees what the function has set so far.
        tokens += write_back(self._context, base)
        token = affinity.set(self.frame)
        before = copy_context()
        try:
            self.returned = yield from self._awaited()
        except GeneratorExit:
            self.exception = self._stopped()
            raise
        except BaseException as exc:  # noqa: BLE001  # the blocking function gets it
            self._take(exc, host)
            del exc
        finally:
            after = copy_context()
            affinity.reset(token)
            if not context_unchanged(after, before):
                self._changes = (after, before)
            if self._has_cancelled and host is not None:
                host.uncancel()  # it was us
            self.host = host = None
            # Before the function goes on, which it does at once.
            if self.cancel_args is not None:
                self._call.heed(self.cancel_args)
            self._end()
        return self._context

    def _awaited(self) -> Generator[Any, None, T]:
        return awaiting(self._fn, self._args, self._kwargs, self._handling).__await__()

    def _take(self, exception: BaseException, host: "asyncio.Task[Any] | None") -> None:
        traceback = exception.__traceback__
        self.exception = exception.with_traceback(traceback and traceback.tb_next)
        if (
            isinstance(exception, CancelledError)
            and host is not None
            and host.cancelling() > self._has_cancelled
        ):
            self.cancel_args = exception.args

    def refuse(self, exception: BaseException) -> None:
        """Answer with *exception* instead of running the coroutine."""
        self.exception = exception
        self._end()

    def adopt(self, loop: AbstractEventLoop) -> asyncio.Task[None]:
        """Run the coroutine in a task of its own: the parked one cannot."""
        coro = self._serve_alone()
        self._context.run(self._engine.affinity.set, self.frame)
        task = loop.create_task(coro, name=str(self), context=self._context)
        self._engine.keep(task)
        return task

    async def _serve_alone(self) -> None:
        before = copy_context()
        self.host = host = asyncio.current_task()
        try:
            self.returned = await awaiting(
                self._fn, self._args, self._kwargs, self._handling
            )
        except BaseException as exc:  # noqa: BLE001  # the blocking function gets it
            self._take(exc, host)
            del exc
        finally:
            self._changes = (copy_context(), before)
            self.host = host = None
            self._end()

    def _end(self) -> None:
        self.is_done = True
        self.frame.executor.wake(self)
