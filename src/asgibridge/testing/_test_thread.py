"""The thread that a test runs on, as an executor."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import ParamSpec, TypeVar, final

import attrs

from ..executors import CurrentThreadExecutor
from ..types import BlockingExecutor, CallerExecutor
from ._inline import InlineExecutor

__all__ = ("TestThread",)

P = ParamSpec("P")
T = TypeVar("T")


@final
@attrs.define(eq=False)
class _OwnThread:
    """Runs calls on one thread: at once from there, while it waits from elsewhere.

    Args:
        caller: The thread, which is the one that makes this object.
    """

    _caller: CallerExecutor = attrs.field(alias="caller")
    _thread: int = attrs.field(factory=threading.get_ident, init=False)
    _at_once: InlineExecutor = attrs.field(factory=InlineExecutor, init=False)

    def submit(
        self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs
    ) -> Future[T]:
        """Run ``fn(*args, **kwargs)`` on the thread; see the class."""
        # A thread that submits does not wait, and nobody else would run the call.
        is_there = threading.get_ident() == self._thread
        chosen: BlockingExecutor = self._at_once if is_there else self._caller
        return chosen.submit(fn, *args, **kwargs)


@final
@attrs.define(eq=False)
class TestThread:
    """The thread that a test runs on, which is the one that makes this object.

    A test that runs a loop on its thread runs blocking code there at once.  For
    loops on other threads, a test that has none of its own runs blocking code
    while it waits, see `LoopThread`.

    Args:
        is_own: Whether thread-sensitive code is to run on this thread.
        has_loop: Whether the test's own code runs on an event loop.
    """

    __test__ = False  # for pytest: no tests in here

    is_own: bool
    has_loop: bool
    caller: CallerExecutor = attrs.field(factory=CurrentThreadExecutor, init=False)
    _executor: BlockingExecutor = attrs.field(init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        self._executor = InlineExecutor() if self.has_loop else _OwnThread(self.caller)

    @property
    def executor(self) -> BlockingExecutor | None:
        """The executor for thread-sensitive code; None is the bridge's own."""
        return self._executor if self.is_own else None
