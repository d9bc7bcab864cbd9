"""What a `LoopRunner` promises beyond its type."""

from ._runner_calls import RunnerCalls
from ._runner_ends import RunnerEnds

__all__ = ("RunnerConformance",)


class RunnerConformance(RunnerCalls, RunnerEnds):
    """What a `LoopRunner` promises beyond its type.

    The promises of a crossing, as far as they are the runner's to keep: the
    caller's thread, re-entrancy, context, cancellation, exceptions, no silent
    hang, nothing left behind.  Subclass it, and provide a fixture ``runner``
    that yields a new one for each test and closes it afterwards.

    Attributes:
        shares_loop: All calls run on one loop, and what they started there goes
            on.  Otherwise no call sees anything of an earlier one's.
    """
