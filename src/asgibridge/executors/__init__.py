"""Where code runs.  Pick an executor or runner, configure it, hand it to a bridge."""

from ._caller import CurrentThreadExecutor as CurrentThreadExecutor
from ._forks import forget_after_fork as forget_after_fork
from ._in_thread import InThreadLoopRunner as InThreadLoopRunner
from ._inbox import Inbox as Inbox
from ._per_call import PerCallLoopRunner as PerCallLoopRunner
from ._persistent import PersistentLoopRunner as PersistentLoopRunner
from ._pool import WorkerPool as WorkerPool
from ._sensitive import ThreadSensitivePool as ThreadSensitivePool
from ._threads import ThreadLease as ThreadLease
from ._work import name_of as name_of

__all__ = (
    "CurrentThreadExecutor",
    "InThreadLoopRunner",
    "Inbox",
    "PerCallLoopRunner",
    "PersistentLoopRunner",
    "ThreadLease",
    "ThreadSensitivePool",
    "WorkerPool",
    "forget_after_fork",
    "name_of",
)
