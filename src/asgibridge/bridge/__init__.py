"""Crossing between blocking and async code."""

from ._beyond import IterateDecorator as IterateDecorator
from ._bridge import (
    Bridge as Bridge,
)
from ._decorators import (
    AsyncToSyncDecorator as AsyncToSyncDecorator,
    ContextMode as ContextMode,
    SyncToAsyncDecorator as SyncToAsyncDecorator,
)
from ._detached import DetachedCall as DetachedCall, Detacher as Detacher
from ._inside import Inside as Inside
from ._iterate import ThreadIterator as ThreadIterator
from ._iterate_sync import LoopIterator as LoopIterator
from ._managers import ThreadManager as ThreadManager
from ._managers_sync import LoopManager as LoopManager
from ._portal import Portal as Portal, PortalTask as PortalTask
from ._scopes import (
    AsyncSingleThreadContext as AsyncSingleThreadContext,
    ThreadSensitiveContext as ThreadSensitiveContext,
)

__all__ = (
    "AsyncSingleThreadContext",
    "AsyncToSyncDecorator",
    "Bridge",
    "ContextMode",
    "DetachedCall",
    "Detacher",
    "Inside",
    "IterateDecorator",
    "LoopIterator",
    "LoopManager",
    "Portal",
    "PortalTask",
    "SyncToAsyncDecorator",
    "ThreadIterator",
    "ThreadManager",
    "ThreadSensitiveContext",
)
