"""The two ends of one request: the loop's task, and the worker thread."""

from collections.abc import Callable
from typing import final

import attrs

from ._bell import Bell
from ._gate import Gate, Gates

__all__ = ("Line",)


@final
@attrs.define(eq=False)
class Line(Bell):
    """Lets a task and a thread sleep until the other has something for them.

    Either end changes its data first and calls the other second; see `Bell` for
    one direction, `Gate` for the other.

    Args:
        gates: That of the thread is among them.
    """

    _gates: Gates
    gone: bool = attrs.field(default=False, init=False)
    """Whether nobody waits for the response any more.  Set by the task only."""
    gate: Gate | None = attrs.field(default=None, init=False)
    """Where a thread has slept, and may do so again."""

    def wait(self, ready: Callable[[], object]) -> None:
        """Sleep until *ready* returns something true, or the client is gone."""
        # The task reads it after its change, *ready* is asked after this: one of
        # them sees the other.
        gate = self.gate = self._gates.gate
        gate.wait(lambda: self.gone or ready())

    def wake(self, *, goes_on: bool = False) -> None:
        """Let the thread look at what the task has for it; see `Gate.wake`."""
        if self.gate is not None:
            self.gate.wake(goes_on=goes_on)

    def hang_up(self) -> None:
        """Tell the thread to come to an end."""
        self.gone = True
        self.wake()
