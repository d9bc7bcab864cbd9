"""Where the attributes of a `Local` are kept.

A store holds one mapping per context, and the mapping is never changed once it
is in the store: a write puts a new one in its place.  A plain `ContextVar` is
the usual store; the two classes here stand in for it where it says too much.
"""

import threading
from asyncio import (
    _get_running_loop,  # pyright: ignore[reportPrivateUsage]  # in asyncio.__all__
)
from collections.abc import Callable
from contextvars import ContextVar
from types import MappingProxyType
from typing import Any, Final, Protocol, TypeAlias, cast, final, overload

import attrs

from ._inherited import THREADS_INHERIT, is_inherited

__all__ = (
    "NOTHING",
    "GuardedStore",
    "Store",
    "ThreadBound",
    "ThreadCriticalStore",
    "Values",
    "make_store",
)

Values: TypeAlias = dict[str, Any]
"""The attributes of one `Local` in one context; not to be changed in place."""

# What deleting the last attribute leaves behind: one object for everybody.
NOTHING: Final = cast("Values", MappingProxyType[str, Any]({}))

_RAISE: Final = object()  # where a default was not given


class Store(Protocol):
    """The part of `ContextVar` that a `Local` uses."""

    @overload
    def get(self, /) -> Any: ...  # noqa: ANN401  # Values
    @overload
    def get(self, default: Any, /) -> Any: ...  # noqa: ANN401  # Values or default

    def set(self, values: Values, /) -> object:
        """Put *values* in the place of what is there; return a token."""
        ...

    def reset(self, token: Any, /) -> None:  # noqa: ANN401  # each store has its own
        """Undo the `set` that returned *token*.

        Raises:
            ValueError: If *token* is from another context.
        """
        ...


@final
class GuardedStore:
    """A `ContextVar` that does not show what a thread merely inherited."""

    __slots__ = ("_variable", "reset", "set")

    def __init__(self, variable: ContextVar[Values]) -> None:
        self._variable = variable
        self.set = variable.set
        self.reset = variable.reset

    def get(self, default: Any = _RAISE, /) -> Any:  # noqa: ANN401  # as ContextVar.get
        """Return the values; the default or `LookupError` where there are none."""
        values = self._variable.get(_RAISE)
        if values is not _RAISE and not is_inherited(self._variable, values):
            return values
        if default is _RAISE:
            raise LookupError(self._variable)
        return default


@final
@attrs.frozen(eq=False)
class ThreadBound:
    """A value of a context variable that means nothing on other threads.

    Whoever carries changed variables from one context to another (a bridge
    does, when a call comes back) leaves those behind whose value is one.
    """

    thread: object
    values: Values = attrs.field(repr=False)


class _ThreadState(threading.local):
    """What a thread-critical store keeps for each thread."""

    def __init__(self) -> None:
        self.identity = object()  # unlike a thread's number, never used again
        self.values: Values | None = None  # of sync code


@final
class ThreadCriticalStore:
    """Keeps values per thread for sync code, per task for async code.

    Async code is what runs while an event loop runs on the thread.
    """

    __slots__ = ("_tasks", "_threads", "get")

    def __init__(self, variable: ContextVar[ThreadBound]) -> None:
        self._tasks = variable
        self._threads = _ThreadState()
        self.get = _make_critical_get(self._threads, variable)

    def set(self, values: Values, /) -> object:
        """Put *values* in the place of what is there; return a token."""
        if _get_running_loop() is None:
            before, self._threads.values = self._threads.values, values
            return before
        return self._tasks.set(ThreadBound(self._threads.identity, values))

    def reset(self, token: Any, /) -> None:  # noqa: ANN401  # what `set` returned
        """Undo the `set` that returned *token*, in the same kind of code."""
        if _get_running_loop() is None:
            self._threads.values = token
        else:
            self._tasks.reset(token)


def _make_critical_get(
    threads: _ThreadState, tasks: ContextVar[ThreadBound]
) -> Callable[..., Any]:
    """Return the `Store.get` of a thread-critical store.

    A closure, because this is most of what reading an attribute costs.
    """
    running = _get_running_loop

    def get(default: Any = _RAISE, /) -> Any:  # noqa: ANN401  # as ContextVar.get
        if running() is None:
            if (values := threads.values) is not None:
                return values
        elif (bound := tasks.get(None)) and bound.thread is threads.identity:
            return bound.values
        if default is _RAISE:
            raise LookupError(tasks)
        return default

    return get


def make_store(name: str, *, thread_critical: bool) -> Store:
    """Return a new, empty store.

    Args:
        name: The name of the context variable, for people who look into one.
        thread_critical: Whether the values stay on their thread.
    """
    if thread_critical:
        return ThreadCriticalStore(ContextVar(name))
    variable: ContextVar[Values] = ContextVar(name)
    return GuardedStore(variable) if THREADS_INHERIT else variable
