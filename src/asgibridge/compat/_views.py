"""What asgiref keeps in class attributes, read from the default bridge."""

import os
from asyncio import AbstractEventLoop
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import ParamSpec, TypeVar, final

from ..types import BlockingExecutor
from ._default import DEFAULT
from .current_thread_executor import CurrentThreadExecutor, view_of

__all__ = ("Executors", "SingleThreadExecutor", "ThreadView")

P = ParamSpec("P")
T = TypeVar("T")


@final
class Executors:
    """``AsyncToSync.executors``: has the executor of the waiting thread."""

    @property
    def current(self) -> "CurrentThreadExecutor | None":
        """What runs calls on the thread that waits for the current code.

        None if none does.  Setting it sends the thread-sensitive calls of the
        current code elsewhere; None lets them go where nothing is above them.
        """
        executor = DEFAULT.get().waiting_executor()
        return None if executor is None else view_of(executor)

    @current.setter
    def current(self, executor: BlockingExecutor | None) -> None:
        DEFAULT.get().put_inside(executor)

    @current.deleter
    def current(self) -> None:
        DEFAULT.get().put_inside(None)


@final
class ThreadView:
    """``SyncToAsync.threadlocal``: what the current thread works for."""

    @property
    def main_event_loop(self) -> AbstractEventLoop:
        """The loop whose task waits for the function on this thread."""
        loop = DEFAULT.get().caller_loop
        if loop is None:
            msg = "no task waits for this thread"
            raise AttributeError(msg, name="main_event_loop", obj=self)
        return loop

    @property
    def main_event_loop_pid(self) -> int:
        """The process of that loop, which is this one."""
        _ = self.main_event_loop
        return os.getpid()


@final
class SingleThreadExecutor(Executor):
    """``SyncToAsync.single_thread_executor``: the default bridge's shared thread."""

    def submit(
        self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs
    ) -> Future[T]:
        """Schedule a call on the thread for thread-sensitive code."""
        future: Future[T] = DEFAULT.get().sensitive_executor.submit(fn, *args, **kwargs)
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: FBT001, FBT002  # as in the standard library
        """Do nothing: the thread is the bridge's."""
