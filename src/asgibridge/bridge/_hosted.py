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
        "_interrupted",
        "_is_claimed",
        "_kwargs",
        "_stopped_looks",
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
        self.frame = Frame(state.inbox, nearest_alive(engine.affinity))
        self.frame.call = call
        self._fn = fn
        self._args = args
        self._kwargs = kwargs
        self._context = copy_context()
        self._handling = sys.exception()
        self._changes: tuple[Context, Context] | None = None
        self.exception: BaseException | None = None
        self.returned: T
        self._interrupted = False
        self._stopped_looks = 0
        # The task that runs the coroutine, once it does.
        self.host: asyncio.Task[Any] | None = None
        self.is_done = False
        self._is_claimed = False
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
                call.mailbox.post(call)
            except RuntimeError as exc:
                raise self._stopped() from exc
            self._serve_thread()
        finally:
            call.hosted = None
            self.frame.close()
        if self._changes is not None:
            write_back(*self._changes)

    def _serve_thread(self) -> None:
        try:
            self.frame.executor.run_until(self)
        except (KeyboardInterrupt, SystemExit):
            # Ctrl-C while the main thread waits here: the coroutine is
            # cancelled, and the interrupt goes on when it has ended.
            self._interrupt()
            self.frame.executor.run_until(self)
            raise

    def _interrupt(self) -> None:
        self._interrupted = True
        loop, host = self._call.mailbox.loop(), self.host
        if loop is not None and host is not None:
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(host.cancel)

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
        was_claimed, self._is_claimed = self._is_claimed, True
        return not was_claimed

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
            self.host = host = None
            self._end()
        return self._context

    def _awaited(self) -> Generator[Any, None, T]:
        return awaiting(self._fn, self._args, self._kwargs, self._handling).__await__()

    def _take(self, exception: BaseException, host: "asyncio.Task[Any] | None") -> None:
        traceback = exception.__traceback__
        self.exception = exception.with_traceback(traceback and traceback.tb_next)
        if isinstance(exception, CancelledError) and host is not None:
            if self._interrupted:
                host.uncancel()  # it was us
            elif host.cancelling():
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
