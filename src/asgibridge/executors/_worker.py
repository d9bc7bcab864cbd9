"""One thread and its inbox."""

import threading
from collections.abc import Callable, Iterable
from queue import Empty
from threading import get_ident
from typing import Protocol, final

from ..errors import DeadlockError, NoThreadError
from ..types import Runnable
from ._queue import WorkQueue

__all__ = ("WorkerOwner", "WorkerThread", "deadlock_at_close", "join_all", "start")


class WorkerOwner(Protocol):
    """Decides what becomes of a worker that had nothing to do for a while."""

    def may_end(self, worker: "WorkerThread", /) -> bool:
        """Whether *worker* ends now.  Before True it is said to be stopped."""
        ...


def start(thread: threading.Thread) -> None:
    """Start *thread*.

    Raises:
        NoThreadError: If the system or the interpreter has no more threads to
            give: since Python 3.12 none can be started while it exits.
    """
    try:
        thread.start()
    except RuntimeError as exc:
        msg = f"thread {thread.name!r} cannot be started: {exc}"
        raise NoThreadError(msg) from exc


@final
class WorkerThread:
    """A daemon thread that runs what is put into its inbox, in order.

    Daemon, so that the interpreter can always exit; whoever owns it ends it
    with `stop` before that.  It does not start before there is work.
    """

    __slots__ = (
        "__weakref__",
        "_idle_timeout",
        "_owner",
        "_thread",
        "current",
        "ident",
        "inbox",
        "is_stopped",
        "name",
    )

    def __init__(
        self,
        name: str,
        owner: WorkerOwner | None = None,
        idle_timeout: float = 10.0,
        *,
        comes_alone: bool = False,
    ) -> None:
        """Start the thread.

        Args:
            name: Of the thread.
            owner: Asked when nothing came for a while; None keeps the thread.
            idle_timeout: That while, in seconds.
            comes_alone: Whether it mostly gets one piece of work at a time.
        """
        self.name: str = name
        self.inbox: WorkQueue[Runnable | None] = WorkQueue(comes_alone=comes_alone)
        # What is being run; None between two pieces of work.
        self.current: Runnable | None = None
        self.is_stopped: bool = False
        self._owner = owner
        self._idle_timeout = idle_timeout if owner is not None else None
        self._thread = threading.Thread(target=self._main, name=name, daemon=True)
        start(self._thread)
        self.ident: int | None = self._thread.ident

    @property
    def is_busy(self) -> bool:
        """Whether it runs something or has something to run.

        Not if what it runs says that it is done: whoever was told of the end may
        be faster than the thread that has told.
        """
        current = self.current
        is_free = current is None or getattr(current, "is_done", False)
        return not (is_free and self.inbox.empty())

    @property
    def needs_this_thread(self) -> bool:
        """Whether it is the current thread, or runs what cannot end without that."""
        if self.ident == get_ident():
            return True
        needs: Callable[[], bool] | None
        needs = getattr(self.current, "needs_this_thread", None)
        return needs is not None and needs()

    def put(self, work: Runnable) -> bool:
        """Have *work* run, once; False if it never will be: the thread is ending."""
        # First the work, then the look; stop() does it the other way round.  So
        # work that lies behind the end is seen here, and taken back.
        self.inbox.put(work)
        return not (self.is_stopped and self.inbox.withdraw(work))

    def stop(self) -> None:
        """End the thread after the work that is in its inbox; does not wait."""
        self.is_stopped = True
        self.inbox.put(None)

    def join(self) -> None:
        """Wait until the thread has ended."""
        self._thread.join()

    def _main(self) -> None:
        self._work()
        self.inbox.let_go()

    def _work(self) -> None:
        get, timeout = self.inbox.get, self._idle_timeout
        items = self.inbox.items
        take = items.popleft
        while True:
            try:
                work = take() if items else get(timeout)
            except IndexError:  # withdrawn just now
                continue
            except Empty:
                if self._owner is None or self._owner.may_end(self):
                    return
                continue
            if work is None:
                return
            self.current = work
            work.run()
            # Drop it before the next wait: arguments must not live on here.
            self.current = work = None


def join_all(workers: Iterable[WorkerThread], owner: str) -> None:
    """Wait until threads have ended that were told to.

    Args:
        workers: The threads.
        owner: What they belong to, for messages.

    Raises:
        DeadlockError: If one of them cannot end before the current thread goes on.
    """
    workers = tuple(workers)
    for worker in workers:
        if worker.needs_this_thread:
            raise deadlock_at_close(owner, worker.name)
    for worker in workers:
        worker.join()


def deadlock_at_close(owner: str, thread: str) -> DeadlockError:
    """Return the error for who closes *owner* and would wait for itself."""
    msg = (
        f"{owner!r} was closed from one of its own threads, or by what one of them "
        f"waits for: thread {thread!r} cannot end before this one goes on; close "
        f"it from another, or when the call has ended"
    )
    return DeadlockError(msg)
