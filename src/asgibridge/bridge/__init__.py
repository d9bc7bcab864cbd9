"""Crossing between blocking and async code."""

from ._bridge import (
    Bridge as Bridge,
)
from ._decorators import (
    AsyncToSyncDecorator as AsyncToSyncDecorator,
    ContextMode as ContextMode,
    SyncToAsyncDecorator as SyncToAsyncDecorator,
)
from ._scopes import (
    AsyncSingleThreadContext as AsyncSingleThreadContext,
    ThreadSensitiveContext as ThreadSensitiveContext,
)

__all__ = (
    "AsyncSingleThreadContext",
    "AsyncToSyncDecorator",
    "Bridge",
    "ContextMode",
    "SyncToAsyncDecorator",
    "ThreadSensitiveContext",
)
