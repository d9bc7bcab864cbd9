"""What a clause is, and what it is tried on."""

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from concurrent.futures import Executor
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from contextvars import Context
from typing import Any, Protocol, TypeAlias

import attrs

from asgibridge.types import BlockingExecutor, CallerExecutor

__all__ = (
    "AsyncCallable",
    "Clause",
    "NotOfferedError",
    "Options",
    "Report",
    "Subject",
    "clauses",
)

AsyncCallable: TypeAlias = Callable[..., Coroutine[Any, Any, Any]]
Report: TypeAlias = Callable[[str], None]


class NotOfferedError(Exception):
    """Raised by a subject for something that its library has no means for."""


@attrs.frozen
class Options:
    """How a subject is to be configured; what is not said is left to the library.

    Args:
        sensitive: Runs thread-sensitive calls that no scope or caller claims.
        most_threads: How many threads scopes may have at once.
        pool_threads: How many threads other calls may have.
        in_thread: Coroutines run in the thread of their blocking caller.
        loop_factory: Makes the loops for coroutines called from blocking code.
        stuck: Is called with a text about a call that waits for long.
        stuck_after: That while, in seconds.
        lending: Blocking code runs in its caller's own `Context`.
    """

    sensitive: BlockingExecutor | None = None
    most_threads: int | None = None
    pool_threads: int | None = None
    in_thread: bool = False
    loop_factory: Callable[[], asyncio.AbstractEventLoop] | None = None
    stuck: Report | None = None
    stuck_after: float | None = None
    lending: bool = False


class Subject(Protocol):
    """A library under test."""

    def configured(self, options: Options, /) -> AbstractContextManager["Subject"]:
        """Provide the same library, configured by *options*."""
        ...

    def sync_to_async(
        self,
        fn: Callable[..., Any],
        /,
        *,
        thread_sensitive: bool = True,
        executor: Executor | None = None,
        context: Context | None = None,
        abandon_on_cancel: bool = False,
    ) -> AsyncCallable:
        """Wrap a blocking function."""
        ...

    def async_to_sync(
        self,
        fn: AsyncCallable,
        /,
        *,
        force_new_loop: bool = False,
        helper_loop: bool = False,
    ) -> Callable[..., Any]:
        """Wrap a coroutine function."""
        ...

    def caller_executor(self) -> CallerExecutor:
        """Return an executor of the current thread, to be pumped by the test."""
        ...

    def thread_sensitive_context(
        self, *, executor: Executor | None = None
    ) -> AbstractAsyncContextManager[object]:
        """Give thread-sensitive calls in a block their own thread."""
        ...


@attrs.frozen
class Clause:
    """One promise, as a function that fails where it is not kept.

    Args:
        group: The heading under which it was promised.
        function: Tries it; its docstring is the promise.
        own_process: It forks, ends its process or is sent signals.
    """

    group: str
    function: Callable[[Subject], None]
    own_process: bool = False

    @property
    def name(self) -> str:
        """What the command line and the tables call it."""
        return self.function.__name__

    @property
    def promise(self) -> str:
        """The promise in one line."""
        return (self.function.__doc__ or "").strip().splitlines()[0]


def clauses(
    group: str,
    functions: Iterable[Callable[[Subject], None]],
    *,
    own_process: bool = False,
) -> tuple[Clause, ...]:
    """Return a clause for each of *functions*."""
    return tuple(Clause(group, function, own_process) for function in functions)
