"""Class attributes of asgiref that more than one module needs."""

from concurrent.futures import Executor
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    from ._blocks import AsyncSingleThreadContext, ThreadSensitiveContext

__all__ = (
    "ASYNC_SINGLE_THREAD_CONTEXT",
    "CONTEXT_EXECUTORS",
    "DEADLOCK_CONTEXT",
    "LOOP_THREAD_EXECUTORS",
    "SINGLE_THREAD_CONTEXT_EXECUTORS",
    "THREAD_SENSITIVE_CONTEXT",
)

THREAD_SENSITIVE_CONTEXT: Final["ContextVar[ThreadSensitiveContext]"] = ContextVar(
    "thread_sensitive_context"
)
ASYNC_SINGLE_THREAD_CONTEXT: Final["ContextVar[AsyncSingleThreadContext]"] = ContextVar(
    "async_single_thread_context"
)
# Never set: the bridge sees for itself whether a call can never run.
DEADLOCK_CONTEXT: Final[ContextVar[bool]] = ContextVar("deadlock_context")

# Blocks with an executor of their own, while they are executed.  Other blocks
# have no executor that could be listed: they lease a thread for their calls.
CONTEXT_EXECUTORS: Final["WeakKeyDictionary[ThreadSensitiveContext, Executor]"] = (
    WeakKeyDictionary()
)
# Always empty, for the same reason.
SINGLE_THREAD_CONTEXT_EXECUTORS: Final[
    "WeakKeyDictionary[AsyncSingleThreadContext, Executor]"
] = WeakKeyDictionary()
LOOP_THREAD_EXECUTORS: Final[dict[Any, Any]] = {}
