"""Finding what code has left behind."""

import asyncio
import gc
import threading
from collections.abc import Iterator
from typing import cast, final

import attrs

__all__ = ("LeakCheck",)


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
            thread.join(self.grace)
            if thread.is_alive():
                yield thread

    def _new_loops_and_tasks(self) -> "list[object]":
        known = {id(item) for item in self._known}
        return [item for item in _open_loops_and_tasks() if id(item) not in known]


def _open_loops_and_tasks() -> Iterator[object]:
    for item in gc.get_objects():
        # The real class: to ask a proxy for its __class__ runs code of its own.
        kind = cast("type[object]", type(item))
        if issubclass(kind, asyncio.AbstractEventLoop):
            if not item.is_closed():
                yield item
        elif issubclass(kind, asyncio.Task) and not item.done():
            yield item
