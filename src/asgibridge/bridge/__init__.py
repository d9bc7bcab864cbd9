"""Crossing between blocking and async code."""

from ._bridge import (
    AsyncToSyncDecorator as AsyncToSyncDecorator,
    Bridge as Bridge,
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
    "SyncToAsyncDecorator",
    "ThreadSensitiveContext",
)
