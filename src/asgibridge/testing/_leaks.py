"""Finding what code has left behind."""

import asyncio
import gc
import sys
import threading
import time
from collections.abc import Iterator
from typing import Final, cast, final

import attrs

__all__ = ("LeakCheck",)

_LOOK_AGAIN: Final = 0.005  # seconds


@final
@attrs.define(eq=False)
class LeakCheck:
    """Knows which threads, tasks and loops there were when it was made.

    Looking goes through all objects that the garbage collector knows, which
    takes some ten milliseconds in a large program.

    Args:
        grace: How long a thread that is about to end may take, in seconds.
    """

    grace: float = attrs.field(default=1.0, kw_only=True)
    _threads: set[threading.Thread] = attrs.field(init=False, repr=False)
    # Kept alive: an object at the same address would pass for one of these.
    _known: list[object] = attrs.field(init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        self._threads = set(threading.enumerate())
        self._known = list(_open_loops_and_tasks())

    def leaks(self) -> list[str]:
        """Return one line for each thing that is there now and was not before.

        A pending task is not named beside its loop, if that is new as well.
        """
        leaks = [f"thread {thread.name!r}" for thread in self._new_threads()]
        found = self._new_loops_and_tasks()
        if found:
            del found
            gc.collect()  # what nobody refers to any more is not left behind
            found = self._new_loops_and_tasks()
        loops = [item for item in found if isinstance(item, asyncio.AbstractEventLoop)]
        leaks += [f"event loop {loop!r}" for loop in loops]
        leaks += [
            f"task {item!r}"
            for item in found
            if isinstance(item, asyncio.Task) and item.get_loop() not in loops
        ]
        return leaks

    def _new_threads(self) -> Iterator[threading.Thread]:
        for thread in threading.enumerate():
            if thread in self._threads or thread is threading.current_thread():
                continue
            if _outlives(thread, self.grace):
                yield thread

    def _new_loops_and_tasks(self) -> "list[object]":
        known = {id(item) for item in self._known}
        return [item for item in _open_loops_and_tasks() if id(item) not in known]


def _outlives(thread: threading.Thread, grace: float) -> bool:
    try:
        thread.join(grace)
    except (RuntimeError, AssertionError):
        # It is just being started, or was started past the module threading,
        # which knows of no end of such a thread and may list it for ever.
        return _goes_on(thread, grace)
    return thread.is_alive()


def _goes_on(thread: threading.Thread, grace: float) -> bool:
    """Whether a thread that cannot be joined still runs after *grace* seconds."""
    deadline = time.monotonic() + grace
    # The frames of all threads are the one thing that tells.
    frames = sys._current_frames  # noqa: SLF001 # pyright: ignore[reportPrivateUsage] # it is documented
    while thread.ident is None or thread.ident in frames():
        if time.monotonic() >= deadline:
            return True
        time.sleep(_LOOK_AGAIN)  # it tells nobody when it ends
    return False


def _open_loops_and_tasks() -> Iterator[object]:
    for item in gc.get_objects():
        # The real class: to ask a proxy for its __class__ runs code of its own.
        kind = cast("type[object]", type(item))
        if issubclass(kind, asyncio.AbstractEventLoop):
            if not item.is_closed():
                yield item
        elif issubclass(kind, asyncio.Task) and not item.done():
            yield item
