"""The thread that a test runs on, as an executor."""

from typing import final

import attrs

from ..executors import CurrentThreadExecutor
from ..types import BlockingExecutor, CallerExecutor
from ._inline import InlineExecutor

__all__ = ("TestThread",)


@final
@attrs.define(eq=False)
class TestThread:
    """The thread that a test runs on, which is the one that makes this object.

    A test that runs a loop on its thread runs blocking code there at once.  One
    without a loop runs it while it waits, see `LoopThread`.

    Args:
        is_own: Whether thread-sensitive code is to run on this thread.
        has_loop: Whether the test's own code runs on an event loop.
    """

    __test__ = False  # for pytest: no tests in here

    is_own: bool
    has_loop: bool
    caller: CallerExecutor = attrs.field(factory=CurrentThreadExecutor, init=False)

    @property
    def executor(self) -> BlockingExecutor | None:
        """The executor for thread-sensitive code; None is the bridge's own."""
        if not self.is_own:
            return None
        return InlineExecutor() if self.has_loop else self.caller
