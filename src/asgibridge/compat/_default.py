"""The default bridge: the one process-wide object of the project."""

import threading
from collections.abc import Callable, Coroutine
from typing import Any, Final, Self, TypeAlias, final

import attrs

from ..bridge import Bridge, Inside
from ..errors import OptionError
from ..executors import forget_after_fork
from ..loops import running_loop_or_none
from ..types import BlockingExecutor
from ._shared import SharedThread

__all__ = ("DEFAULT", "UNMADE", "Choice", "configure", "default_bridge")


_Bind: TypeAlias = Callable[
    [Callable[..., Any]], Callable[..., Coroutine[Any, Any, Any]]
]


def _usual(choice: "Choice") -> _Bind:
    return choice.inside.binder(
        thread_sensitive=True,
        executor=None,
        context=None,
        abandon_on_cancel=choice.abandons,
    )


@final
@attrs.frozen(eq=False)
class Choice:
    """What was configured: wrappers that have another one are out of date."""

    inside: Inside
    # Whether a cancelled call is left running, as asgiref does.
    abandons: bool
    # Crosses with the usual options, for wrappers that are made for one call.
    bind: _Bind = attrs.field(
        default=attrs.Factory(_usual, takes_self=True), init=False
    )

    def __deepcopy__(self, memo: object) -> Self:
        """Stay the same for copies of wrappers, which asgiref's can be."""
        return self


@final
@attrs.define(eq=False)
class Default:
    """Holds the default bridge, and builds it when it is first asked for.

    Thread-safe.  A forked child keeps the bridge, which itself starts clean
    there, and has its own lock and its own `process`.
    """

    # What wrappers compare their own with; None until there is a bridge.
    current: Choice | None = attrs.field(default=None, init=False)
    # For the bridge that is to be built.
    _abandons: bool = attrs.field(default=True, init=False)
    # The bridge built here, which nobody else will close.
    _built: Inside | None = attrs.field(default=None, init=False)
    # Guards what is written; re-entrant, for building takes imports.
    _lock: threading.RLock = attrs.field(init=False, repr=False)
    # Tells what was begun in this process from what a parent has begun.
    process: object = attrs.field(init=False, repr=False)
    # Returns what asgiref's users have put in the place of the shared thread.
    replacement: Callable[[], BlockingExecutor | None] = attrs.field(
        default=lambda: None, init=False, repr=False
    )

    def __attrs_post_init__(self) -> None:
        self.forget()
        forget_after_fork(self)

    def forget(self) -> None:
        """Become as new, in a forked child: nobody there will open the lock."""
        self._lock = threading.RLock()
        self.process = object()

    def get(self) -> Inside:
        """Return the current bridge."""
        return self.choose().inside

    def choose(self) -> Choice:
        """Return what is configured."""
        return self.current or self.build()

    def build(self) -> Choice:
        """Make a bridge, unless there is one by now."""
        with self._lock:
            if self.current is None:
                self._built = Inside(self._make())
                self.current = Choice(self._built, self._abandons)
            return self.current

    def _make(self) -> Bridge:
        shared = SharedThread(self._find_replacement)
        bridge = Bridge(thread_sensitive=shared)
        bridge.call_on_close(shared.close)
        return bridge

    def _find_replacement(self) -> BlockingExecutor | None:
        # Asked late: the bridge may be there before those who can tell.
        return self.replacement()

    def put(self, bridge: Bridge | None, *, abandon_on_cancel: bool) -> None:
        """Replace the bridge; None: by a new one, when it is needed."""
        with self._lock:
            built, self._built = self._built, None
            self._abandons = abandon_on_cancel
            self.current = (
                None if bridge is None else Choice(Inside(bridge), abandon_on_cancel)
            )
        if built is not None:
            _close(built)


def _close(built: Inside) -> None:
    """Close the bridge, after the calls that it has accepted; wait, if that ends."""
    close = built.bridge.close
    if running_loop_or_none() is None and built.caller_loop is None:
        close()
        return
    # What was accepted may wait for this thread: for the loop that runs on it, or
    # for the function that it runs for the bridge.
    threading.Thread(target=close, name="asgibridge-close", daemon=True).start()


DEFAULT: Final = Default()

# What wrappers have before their first call: made for no choice, also not for None,
# and so never called.
UNMADE: Final[tuple[object, Callable[..., Any]]] = (object(), object)


def default_bridge() -> Bridge:
    """Return the bridge that everything in `asgibridge.compat` works on.

    It is built at the first call, or was given to `configure`.
    """
    return DEFAULT.get().bridge


def configure(bridge: Bridge | None = None, *, abandon_on_cancel: bool = True) -> None:
    """Let asgiref's functions work on *bridge* from now on.

    Functions that were wrapped before follow.  A default bridge that had been
    built before is closed, after the calls that it has accepted; a bridge that
    was given is never closed.  This waits for the end of those calls, but not on
    the thread of an event loop or in one of them, for which they may wait.

    Args:
        bridge: None stands for a new `asgibridge.Bridge`, built when needed.
        abandon_on_cancel: Stop waiting for a running blocking call at once when
            its task is cancelled, as asgiref does; the call runs on, and what it
            raises is reported to the loop.  Otherwise the await ends when the
            call ends, as it does with a bridge of your own.

    Raises:
        OptionError: If *bridge* is something else.
    """
    _check_is_bridge(bridge)
    DEFAULT.put(bridge, abandon_on_cancel=abandon_on_cancel)


def _check_is_bridge(given: object) -> None:
    """Raise now: else the first call would, somewhere else."""
    if not isinstance(given, Bridge | None):
        msg = f"configure() takes an asgibridge.Bridge or None, got {given!r}"
        raise OptionError(msg)
