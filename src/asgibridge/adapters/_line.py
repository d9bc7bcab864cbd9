"""The two ends of one request: the loop's task, and its threads."""

from collections.abc import Callable
from typing import final

import attrs

from ._bell import Bell
from ._gate import Gate, Gates

__all__ = ("Line",)


def _no_sleepers() -> list[Gate]:
    return []


@final
@attrs.define(eq=False)
class Line(Bell):
    """Lets a task and a thread sleep until the other has something for them.

    The application may have several threads work on one request, such as one that
    reads while another writes; each is woken.

    Either end changes its data first and calls the other second; see `Bell` for
    one direction, `Gate` for the other.

    Args:
        gates: Those of the threads.
    """

    _gates: Gates
    gone: bool = attrs.field(default=False, init=False)
    """Whether nobody waits for the response any more.  Set by the task only."""
    sleepers: list[Gate] = attrs.field(factory=_no_sleepers, init=False)
    """Where threads have slept, and may do so again; it only grows."""

    def wait(self, ready: Callable[[], object]) -> None:
        """Sleep until *ready* returns something true, or the client is gone."""
        gate = self._gates.gate
        # No other thread adds this one; adding is atomic.  The task looks there
        # after its change, *ready* is asked after this: one of them sees the
        # other.
        if gate not in self.sleepers:
            self.sleepers.append(gate)
        gate.wait(lambda: self.gone or ready())

    def wake(self, *, goes_on: bool = False) -> None:
        """Let the threads look at what the task has for them; see `Gate.wake`."""
        for gate in self.sleepers:
            gate.wake(goes_on=goes_on)

    def hang_up(self) -> None:
        """Tell the threads to come to an end."""
        self.gone = True
        self.wake()
