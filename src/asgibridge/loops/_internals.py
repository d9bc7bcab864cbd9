"""The parts of asyncio and CPython that their documentation does not promise.

All of them are here.  Each is checked when it is first needed; where one is
missing the plain public way is used, and the same tests run against both.
"""

import asyncio
import gc
import sys
from asyncio import AbstractEventLoop
from collections import deque
from collections.abc import AsyncGenerator, Callable
from contextvars import Context, ContextVar
from threading import get_ident
from typing import Any, Final
from weakref import getweakrefcount

__all__ = (
    "asyncgen_hooks",
    "context_unchanged",
    "disown",
    "drop_cancelled_timers",
    "has_more_ready",
    "has_work",
    "is_configured",
    "is_known",
    "references",
    "running_loop_or_none",
    "set_running_loop",
    "signals_of",
    "stands_still",
    "turn",
    "waiter_of",
    "watched",
)

AsyncgenHook = Callable[[AsyncGenerator[Any, Any]], None]
AsyncgenHooks = tuple[AsyncgenHook, AsyncgenHook]

# asyncio exports both for implementations of event loops; unlike
# get_running_loop() the first does not raise where there is none.
running_loop_or_none: Final[Callable[[], AbstractEventLoop | None]] = (
    asyncio._get_running_loop  # noqa: SLF001  # see above
)
set_running_loop: Final[Callable[[AbstractEventLoop | None], None]] = (
    asyncio._set_running_loop  # noqa: SLF001  # see above
)


def waiter_of(task: asyncio.Task[Any]) -> object:
    """Return what *task* waits for, or None if that is not known.

    Tasks of other implementations may not tell; diagnosis then knows less.
    """
    return getattr(task, "_fut_waiter", None)


# -- contexts --------------------------------------------------------------


def _root(context: Context) -> object:
    # A Context is a shell around an immutable tree, which is the last object
    # it refers to and stays the same object until a variable is set.
    return gc.get_referents(context)[-1]


def _has_root() -> bool:
    """Whether the identity of a context's tree tells if something was set."""
    probe: ContextVar[object] = ContextVar("probe")
    first = Context()
    first.run(probe.set, object())
    second = first.copy()
    if not gc.get_referents(first) or _root(first) is not _root(second):
        return False
    second.run(probe.set, object())
    return _root(first) is not _root(second)


def _same_root(changed: Context, base: Context, /) -> bool:
    # Of two contexts that nobody is inside of these are the two trees.
    referents = gc.get_referents(changed, base)
    return referents[0] is referents[-1]


def _not_known(_changed: Context, _base: Context, /) -> bool:
    return False


context_unchanged: Final[Callable[[Context, Context], bool]] = (
    _same_root if _has_root() else _not_known
)
"""Whether nothing at all was set in one context since the other was copied.

True is certain.  False means that somebody has to look.
"""

# -- event loops -----------------------------------------------------------


def references(thing: object) -> tuple[int, int]:
    """Count who holds *thing*, strongly and weakly.

    Only comparable between two calls from the same frame.  Without a GIL the
    first count is not exact, so that loops are not recycled there.
    """
    return sys.getrefcount(thing), getweakrefcount(thing)


def drop_cancelled_timers(loop: AbstractEventLoop) -> None:
    """Forget timers that were cancelled, as the loop itself would in time."""
    timers: list[asyncio.TimerHandle] = vars(loop)["_scheduled"]
    if timers and all(timer.cancelled() for timer in timers):
        timers.clear()
        vars(loop)["_timer_cancelled_count"] = 0


_PARTS: Final = (
    "_asyncgen_finalizer_hook",
    "_asyncgen_firstiter_hook",
    "_asyncgens_shutdown_called",
    "_default_executor",
    "_exception_handler",
    "_ready",
    "_scheduled",
    "_selector",
    "_signal_handlers",
    "_task_factory",
    "_thread_id",
)


def is_known(loop: AbstractEventLoop) -> bool:
    """Whether a loop has all the parts that are used here.

    Nothing below may be called for one that has not.
    """
    return all(hasattr(loop, name) for name in _PARTS) and hasattr(
        vars(loop)["_selector"], "_fd_to_key"
    )


def has_work(loop: AbstractEventLoop) -> bool:
    """Whether anything is ready or timed on a loop of the standard library."""
    private: Any = loop
    return bool(private._ready or private._scheduled)  # noqa: SLF001  # see above


def stands_still(loop: AbstractEventLoop, descriptors: int) -> bool:
    """Whether nothing is ready or timed, and only so many descriptors are watched."""
    private: Any = loop
    return (
        not (private._ready or private._scheduled)  # noqa: SLF001  # see above
        and len(private._selector._fd_to_key) == descriptors  # noqa: SLF001
    )


def has_more_ready() -> bool:
    """Whether a loop runs on this thread and has other callbacks to run at once.

    Loops of other implementations do not tell; then it may well be.
    """
    loop = running_loop_or_none()
    return loop is not None and bool(getattr(loop, "_ready", True))


def watched(loop: AbstractEventLoop) -> int:
    """Count the descriptors that a selector loop watches."""
    private: Any = loop
    return len(private._selector._fd_to_key)  # noqa: SLF001  # see above


def is_configured(loop: AbstractEventLoop) -> bool:
    """Whether anything was set on a loop that a new one does not have."""
    private: Any = loop
    return bool(
        private._default_executor  # noqa: SLF001  # see above
        or private._exception_handler  # noqa: SLF001
        or private._task_factory  # noqa: SLF001
        or private._signal_handlers  # noqa: SLF001
        or private._asyncgens_shutdown_called  # noqa: SLF001
    )


def disown(loop: AbstractEventLoop) -> None:
    """Keep a loop from closing itself when it is forgotten."""
    vars(loop)["_closed"] = True


def signals_of(loop: AbstractEventLoop) -> list[int]:
    """List the signals that *loop* handles, as far as it tells."""
    return list(getattr(loop, "_signal_handlers", ()))


def asyncgen_hooks(loop: AbstractEventLoop) -> AsyncgenHooks:
    """Return the hooks with which *loop* looks after asynchronous generators."""
    private: Any = loop
    return (
        private._asyncgen_firstiter_hook,  # noqa: SLF001  # see above
        private._asyncgen_finalizer_hook,  # noqa: SLF001
    )


def turn(
    loop: AbstractEventLoop, rounds: int, first: Callable[[], None] | None = None
) -> None:
    """Run what is ready on a loop, as its own iteration would, without polling.

    The loop must be idle, on no thread, and its `asyncgen_hooks` set.
    Nothing is polled or timed, so this is only for what leads to a quick end.

    Args:
        loop: A selector loop of the standard library.
        rounds: How often what became ready meanwhile is run too.
        first: Called before, as a callback of the loop.
    """
    private: Any = loop
    ready: deque[Any] = private._ready  # noqa: SLF001  # what this module is for
    private._thread_id = get_ident()  # noqa: SLF001  # as above
    set_running_loop(loop)
    try:
        if first is not None:
            first()
        while ready and rounds:
            rounds -= 1
            for _ in range(len(ready)):
                handle = ready.popleft()
                if not handle.cancelled():
                    handle._run()  # noqa: SLF001  # as above
                # The frame of this function may be kept by an exception that
                # the handle's task keeps, since Python 3.12.
                del handle
    finally:
        set_running_loop(None)
        private._thread_id = None  # noqa: SLF001  # as above
