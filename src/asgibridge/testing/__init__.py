"""What to test your own code with: executors, a clock, observers, conversations."""

from ._calls import PendingCall as PendingCall
from ._clock import ManualClock as ManualClock
from ._communicator import ApplicationCommunicator as ApplicationCommunicator
from ._crossing import FakeCrossing as FakeCrossing
from ._inline import InlineExecutor as InlineExecutor
from ._leaks import LeakCheck as LeakCheck
from ._manual import ManualExecutor as ManualExecutor
from ._recording import (
    ObservedStep as ObservedStep,
    RecordingObserver as RecordingObserver,
    Step as Step,
)
from ._scopes import (
    http_scope as http_scope,
    lifespan_scope as lifespan_scope,
    websocket_scope as websocket_scope,
)
from ._sequencer import ThreadSequencer as ThreadSequencer
from ._sync_communicator import (
    LoopThread as LoopThread,
    SyncApplicationCommunicator as SyncApplicationCommunicator,
)
from ._test_thread import TestThread as TestThread

__all__ = (
    "ApplicationCommunicator",
    "FakeCrossing",
    "InlineExecutor",
    "LeakCheck",
    "LoopThread",
    "ManualClock",
    "ManualExecutor",
    "ObservedStep",
    "PendingCall",
    "RecordingObserver",
    "Step",
    "SyncApplicationCommunicator",
    "TestThread",
    "ThreadSequencer",
    "http_scope",
    "lifespan_scope",
    "websocket_scope",
)
