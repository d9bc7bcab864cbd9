"""Running calls on a thread that waits."""

from collections.abc import Callable
from concurrent.futures import Future
from queue import Empty
from threading import get_ident
from types import TracebackType
from typing import Any, Final, ParamSpec, Self, TypeVar, final

from ..errors import ExecutorClosedError, WrongThreadError
from ..types import Outcome, Runnable
from ._inbox import Inbox
from ._work import FutureWork

__all__ = ("CurrentThreadExecutor",)

P = ParamSpec("P")
T = TypeVar("T")

# How often a waiting thread looks whether what it waits for can still come.
CHECK_SECONDS: Final = 0.5


@final
class _FutureDone:
    """The outcome that is a future of the standard library."""

    __slots__ = ("is_done",)

    def __init__(self) -> None:
        self.is_done = False

    def run(self) -> None:
        pass

    def check(self) -> None:
        pass


@final
class CurrentThreadExecutor:
    """Runs calls on the thread that made it, while that thread waits.

    The thread waits in `run_until_future`; every thread may `submit`.  What is
    submitted between two waits runs in the next one, or in `close`.  Waits may
    be nested: what is submitted to an outer one runs in the innermost.

    Args:
        inbox: Where executors of the same thread that are nested in one another
            take their work from.  None makes a new one.
    """

    __slots__ = ("__weakref__", "_has_own_inbox", "inbox", "is_closed", "thread")

    def __init__(self, inbox: Inbox | None = None) -> None:
        self.is_closed: bool = False
        self._has_own_inbox = inbox is None
        self.inbox: Inbox = Inbox() if inbox is None else inbox
        self.thread: Final = self.inbox.thread

    def __repr__(self) -> str:
        state = "closed" if self.is_closed else "open"
        return f"<CurrentThreadExecutor of thread {self.thread}, {state}>"

    @property
    def has_more(self) -> bool:
        """Whether more work waits for the thread."""
        return not self.inbox.queue.empty()

    def post(self, work: Runnable, /) -> None:
        """Schedule *work*.

        Raises:
            ExecutorClosedError: If the executor is closed.  Work that comes while
                it is being closed may be run all the same, so *work* must know
                whether it has been.
        """
        # First the work, then the look: close() does it the other way round,
        # so that either it finds the work or we see that it is closed.
        self.inbox.put(work)
        if self.is_closed:
            msg = f"cannot run {work}: thread {self.thread} no longer waits for calls"
            raise ExecutorClosedError(msg)

    def submit(
        self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs
    ) -> Future[T]:
        """Schedule a call and return the future of its result.

        Waiting for that future on the executor's own thread, without a timeout,
        raises `DeadlockError`.

        Raises:
            ExecutorClosedError: If the executor is closed.
        """
        work = FutureWork(fn, args, kwargs, thread=lambda: self.thread)
        try:
            self.post(work)
        except ExecutorClosedError:
            if work.future.cancel():
                raise
        return work.future

    def run_until_future(self, future: Future[Any], /) -> None:
        """Run submitted calls until *future* is done.

        Raises:
            WrongThreadError: On any thread but the executor's own.
        """
        outcome = _FutureDone()

        def announce(_: Future[Any]) -> None:
            outcome.is_done = True
            self.wake(outcome)

        future.add_done_callback(announce)
        self.run_until(outcome)

    def run_until(self, outcome: Outcome) -> None:
        """Run submitted calls until *outcome* is done.

        Raises:
            WrongThreadError: On any thread but the executor's own.
        """
        if get_ident() != self.thread:
            msg = (
                f"calls of thread {self.thread} cannot be run by thread "
                f"{get_ident()}; wait on the thread that made the executor"
            )
            raise WrongThreadError(msg)
        if self.inbox.driver is not None:
            self.inbox.driver.drive(outcome)
            return
        get = self.inbox.queue.get
        while not outcome.is_done:
            try:
                get(CHECK_SECONDS).run()
            except Empty:
                outcome.check()

    def wake(self, outcome: Outcome) -> None:
        """Have the wait look at *outcome*, which is done; never fails."""
        self.inbox.put(outcome)

    def close(self) -> None:
        """Run what was accepted, and accept nothing more."""
        self.is_closed = True
        queue = self.inbox.queue
        while not queue.empty():
            try:
                queue.get_nowait().run()
            except Empty:  # somebody else shares the inbox, and was faster
                break
        if self._has_own_inbox:
            queue.let_go()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
