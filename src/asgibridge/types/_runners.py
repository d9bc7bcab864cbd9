"""Where coroutines run that blocking code waits for."""

from collections.abc import Coroutine
from contextvars import Context
from typing import Any, Protocol, TypeVar, runtime_checkable

from ._executors import CallerExecutor

__all__ = ("LoopRunner", "SingleThreadRunner", "SupportsSingleThread")

T = TypeVar("T")


class LoopRunner(Protocol):
    """Runs a coroutine to its end on behalf of a blocked caller.

    Callers may rely on `run` not returning before the coroutine has ended, and
    on calls submitted to *caller* meanwhile being run on the calling thread.
    They may not rely on which thread or loop the coroutine sees.

    The simplest one, around a loop that runs on another thread::

        class MyRunner:
            def run(self, coro, /, *, context, caller):
                future = context.run(asyncio.run_coroutine_threadsafe, coro, my_loop)
                caller.run_until_future(future)
                return future.result()
    """

    def run(
        self,
        coro: Coroutine[Any, Any, T],
        /,
        *,
        context: Context,
        caller: CallerExecutor,
    ) -> T:
        """Run *coro* as a task in *context*; return or raise what it does.

        Args:
            coro: Owned by the runner from here on: it is run or closed.
            context: The context of the task.  The runner enters it, nobody else
                does meanwhile; what the coroutine sets can be read from it
                afterwards.
            caller: The calling thread, which must serve it until the end.
        """
        ...


class SingleThreadRunner(LoopRunner, Protocol):
    """A runner whose loops all run on one thread, one after the other."""

    def release(self) -> None:
        """Give the thread back; does not wait.  A second time does nothing."""
        ...


@runtime_checkable
class SupportsSingleThread(Protocol):
    """A runner that can do the same on one thread only."""

    def on_one_thread(self) -> SingleThreadRunner:
        """Return a runner for one thread, which is taken at its first call."""
        ...
