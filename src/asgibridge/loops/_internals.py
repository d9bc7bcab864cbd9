"""The parts of asyncio and CPython that their documentation does not promise.

All of them are here.  Each is checked when it is first needed; where one is
missing the plain public way is used, and the same tests run against both.
"""

import asyncio
import gc
import sys
from asyncio import AbstractEventLoop
from collections.abc import Callable
from contextvars import Context, ContextVar
from typing import Any, Final
from weakref import getweakrefcount

__all__ = (
    "context_unchanged",
    "drop_cancelled_timers",
    "fingerprint",
    "references",
    "running_loop_or_none",
    "set_running_loop",
    "waiter_of",
)

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
    return gc.get_referents(changed)[-1] is gc.get_referents(base)[-1]


def _not_known(_changed: Context, _base: Context, /) -> bool:
    return False


context_unchanged: Final[Callable[[Context, Context], bool]] = (
    _same_root if _has_root() else _not_known
)
"""Whether nothing at all was set in one context since the other was copied.

True is certain.  False means that somebody has to look.
"""

# -- event loops -----------------------------------------------------------

_STATE: Final = (
    "_asyncgens_shutdown_called",
    "_debug",
    "_default_executor",
    "_exception_handler",
    "_task_factory",
    "slow_callback_duration",
)


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


def fingerprint(loop: AbstractEventLoop) -> tuple[object, ...] | None:
    """Describe everything about an idle loop that a call could have changed.

    Two equal answers mean that nothing is scheduled, watched or configured
    differently.  None means that this loop cannot tell.
    """
    state = vars(loop) if hasattr(loop, "__dict__") else {}
    try:
        return (
            len(state),
            len(state["_ready"]),
            len(state["_scheduled"]),
            len(state["_selector"].get_map()),
            len(state["_signal_handlers"]),
            *[state[name] for name in _STATE],
        )
    except KeyError:
        return None
