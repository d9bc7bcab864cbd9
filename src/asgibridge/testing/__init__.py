"""What to test your own code with: executors, a clock, observers, conversations."""

from ._calls import PendingCall as PendingCall
from ._clock import ManualClock as ManualClock
from ._crossing import FakeCrossing as FakeCrossing
from ._inline import InlineExecutor as InlineExecutor
from ._manual import ManualExecutor as ManualExecutor
from ._recording import (
    ObservedStep as ObservedStep,
    RecordingObserver as RecordingObserver,
    Step as Step,
)
from ._sequencer import ThreadSequencer as ThreadSequencer

__all__ = (
    "FakeCrossing",
    "InlineExecutor",
    "ManualClock",
    "ManualExecutor",
    "ObservedStep",
    "PendingCall",
    "RecordingObserver",
    "Step",
    "ThreadSequencer",
)
