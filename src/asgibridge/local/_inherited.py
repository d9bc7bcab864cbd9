"""Telling what a thread inherited from what it was given.

Python 3.14 can start threads in a copy of their creator's context
(``sys.flags.thread_inherit_context``, on by default in free-threaded builds).
Nobody meant the values in it for the new thread.  A context that is entered
with `contextvars.Context.run` was meant for it.  Both look alike from within,
so the thread's first context is remembered and compared with.

Threads are told apart by a `threading.local`, never by their numbers: those are
given to the next thread when one has ended.
"""

import sys
import threading
from asyncio import (
    _get_running_loop,  # pyright: ignore[reportPrivateUsage]  # in asyncio.__all__
)
from contextvars import Context, ContextVar
from typing import Any, Final

__all__ = ("THREADS_INHERIT", "is_inherited", "note_thread")

THREADS_INHERIT: Final = bool(getattr(sys.flags, "thread_inherit_context", False))
"""Whether `threading.Thread` starts in a copy of its creator's context."""

_ABSENT: Final = object()
_PROBE: Final[ContextVar[object]] = ContextVar("asgibridge.local.probe")


class _Threads(threading.local):
    """What each thread was started with; filled in when it first asks.

    The attributes are facts about the thread, written once.  `threading.local`
    runs ``__init__`` on every thread that touches the object.
    """

    def __init__(self) -> None:
        # `_context` is where 3.14 keeps the context that a Thread runs in. A
        # thread that is not a Thread inherits nothing, and has none.
        base: Context | None = getattr(threading.current_thread(), "_context", None)
        self.base = Context() if base is None else base
        # The copy stays as it is when the thread sets values of its own; it
        # costs the same for any number of variables.
        self.inherited = self.base.copy()


_THREADS: Final = _Threads()


def note_thread() -> None:
    """Remember what the calling thread inherited, before anything changes it.

    The first look at a `Local` does it on its own.  Whoever writes context
    variables into a thread's context from outside (a bridge does, when a call
    comes back) calls this first, else what it writes passes for inherited.
    Does nothing unless `sys.flags.thread_inherit_context` is set.
    """
    if THREADS_INHERIT:
        _ = _THREADS.inherited


def is_inherited(variable: ContextVar[Any], value: object) -> bool:
    """Return whether *value* of *variable* got here only by starting a thread.

    Args:
        variable: The variable.
        value: What it holds in the current context.
    """
    if _THREADS.inherited.get(variable, _ABSENT) is not value:
        return False  # it was set after the thread started: so it was carried here
    # A task on this thread runs in a copy, and nothing shows whether that was
    # made here (asyncio.run) or sent here. When in doubt, it stays hidden.
    return _get_running_loop() is not None or _is_current(_THREADS.base)


def _is_current(context: Context) -> bool:
    """Return whether *context* is the current one, and not merely equal to it."""
    mark = object()
    token = _PROBE.set(mark)
    try:
        return context.get(_PROBE) is mark
    finally:
        _PROBE.reset(token)
