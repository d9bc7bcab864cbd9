"""One coroutine that a blocked thread waits for."""

import asyncio
from asyncio import AbstractEventLoop
from collections.abc import Callable, Coroutine
from contextlib import suppress
from contextvars import Context
from threading import get_ident
from types import TracebackType
from typing import Any, Final, Generic, TypeVar, final

from ..errors import LoopStoppedError, NoThreadError
from ..types import CallerExecutor

__all__ = ("LoopCall",)

T = TypeVar("T")

# Shared by all, and always empty: of calls that nobody else can start.
_NO_TICKET: Final[list[bool]] = []


@final
class LoopCall(Generic[T]):
    """Carries a coroutine to a loop, and its outcome back to the caller.

    The loop's thread calls `claim`, `start`, `collect` and `announce`, in this
    order; the caller's thread calls `wait`.
    """

    __slots__ = (
        "_caller",
        "_context",
        "_coro",
        "_exception",
        "_has_cancelled",
        "_is_cancelled",
        "_loop",
        "_name",
        "_result",
        "_stopped_looks",
        "_task",
        "_ticket",
        "is_done",
    )

    def __init__(
        self, coro: Coroutine[Any, Any, T], context: Context, caller: CallerExecutor
    ) -> None:
        self.is_done = False
        self._name: str = getattr(coro, "__qualname__", "coroutine")
        self._coro: Coroutine[Any, Any, T] | None = coro
        self._context = context
        self._caller = caller
        self._loop: AbstractEventLoop | None = None
        self._task: asyncio.Task[T] | None = None
        self._exception: BaseException | None = None
        self._result: T
        self._stopped_looks = 0
        self._ticket = _NO_TICKET
        self._is_cancelled = False
        self._has_cancelled = False  # only on the loop's thread

    def __str__(self) -> str:
        return self._name

    def expect(self, loop: AbstractEventLoop) -> None:
        """Have `check` look at *loop*, which is to start the call soon."""
        self._loop = loop

    def claim(self) -> bool:
        """Take the right to start it, or to see that nobody does; only one can."""
        try:
            self._ticket.pop()  # atomic, with a GIL and without
        except IndexError:
            return False
        return True

    def start(self, loop: AbstractEventLoop) -> asyncio.Task[T]:
        """Make the task on *loop*."""
        self._loop = loop
        coro, self._coro = self._coro, None
        assert coro is not None  # noqa: S101  # started once
        self._task = loop.create_task(coro, name=self._name, context=self._context)
        if self._is_cancelled:
            self._cancel_here()
        return self._task

    @property
    def has_ended(self) -> bool:
        """Whether the task is done."""
        return self._task is not None and self._task.done()

    def needs_this_thread(self) -> bool:
        """Whether the current thread is the one that waits for it."""
        waiting: int | None = getattr(self._caller, "thread", None)
        return not self.is_done and waiting == get_ident()

    def collect(self, failure: BaseException | None = None) -> None:
        """Take the outcome from the task and let go of it.

        Args:
            failure: What ended the loop before the task, if anything did.
        """
        task, self._task, self._loop = self._task, None, None
        self._close()
        if task is None or not task.done():
            self._exception = failure or self.stopped()
            return
        try:
            self._result = task.result()
        except BaseException as exc:  # noqa: BLE001  # the caller gets it
            self._exception = exc.with_traceback(_below(exc))
            del exc

    def give_up(self) -> None:
        """End the wait without the task: its loop has stopped."""
        self._close()
        if not self.is_done:
            self._exception = self.stopped()
            self.announce()

    def finish_here(self) -> None:
        """Take the outcome, on the caller's own thread."""
        self.collect()
        self.is_done = True

    def announce(self) -> None:
        """Tell the caller; nothing may follow on the loop's side."""
        self.is_done = True
        self._caller.wake(self)

    def wait(self, begin: Callable[[], object] | None = None) -> T:
        """Serve the caller's thread until the end; return or raise the outcome.

        What is raised into the wait (Ctrl-C, on the main thread) cancels the
        coroutine, waits for it to end, and is raised then.  Raised a second
        time it ends the wait at once.

        Args:
            begin: Has the call started, by whoever can `claim` it, if it is not
                yet.  It may be interrupted as well, before or after it has.  What
                it raises is raised here.
        """
        try:
            if begin is not None:
                self._ticket = [True]
                begin()
            self._caller.run_until(self)
        except NoThreadError:  # then somebody else runs it
            raise
        except LoopStoppedError:
            if self.claim():
                self._close()
            raise
        except BaseException:
            if self.claim():  # nobody has started it, so nobody will
                self._close()
                raise
            self._cancel()
            self._caller.run_until(self)
            raise
        exception, self._exception = self._exception, None
        if exception is None:
            return self._result
        try:
            raise exception
        finally:
            del exception  # no cycle through this frame

    def run(self) -> None:
        """Do nothing: being taken from the inbox is all it is for."""

    def check(self) -> None:
        """Raise if the loop has ended, or does not run any more."""
        loop = self._loop
        if loop is None or self.is_done:
            return
        # Twice, since a loop may be between two runs.
        self._stopped_looks = 0 if loop.is_running() else self._stopped_looks + 1
        if loop.is_closed() or self._stopped_looks > 1:
            raise self.stopped()

    def stopped(self) -> LoopStoppedError:
        """Return the error for a loop that stopped before the coroutine ended."""
        msg = (
            f"{self._name} cannot finish: the loop it was started on no longer runs; "
            f"do not stop a loop that others wait for"
        )
        return LoopStoppedError(msg)

    def _close(self) -> None:
        """End the coroutine if the task was never made."""
        if self._coro is not None:
            self._coro.close()

    def _cancel(self) -> None:
        # First the flag, then the look; start() does it the other way round.
        self._is_cancelled = True
        loop = self._loop
        if loop is not None:
            with suppress(RuntimeError):  # it has ended, and its loop with it
                loop.call_soon_threadsafe(self._cancel_here)

    def _cancel_here(self) -> None:
        task = self._task
        if task is not None and not self._has_cancelled:
            self._has_cancelled = True
            task.cancel()


def _below(exc: BaseException) -> TracebackType | None:
    """Return the traceback of *exc* without the frame that caught it."""
    traceback = exc.__traceback__
    return traceback.tb_next if traceback is not None else None
