"""Waking a thread through a descriptor, and who runs next.

A thread that wakes another one is mostly put aside at once, where both share a
processor.  If it still holds the GIL then, the other one wakes up only to wait
for that: three switches instead of one, which is what the locks and queues of
the standard library cost.  System calls on descriptors come in both kinds: with
the GIL released, for who has nothing more to do, and with the GIL held, for who
goes on and would be stopped after every piece of work otherwise.
"""

import os
from collections.abc import Callable
from typing import Any, Final

__all__ = ("HAS_EVENTFD", "open_eventfd", "signal", "signal_and_go_on")

HAS_EVENTFD: Final = hasattr(os, "eventfd")


def open_eventfd() -> int:
    """Return the descriptor of a new counter, which is the caller's to close."""
    return os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)


def signal(fd: int) -> None:
    """Wake who waits for *fd*, and let it run: the GIL is released."""
    os.eventfd_write(fd, 1)


def _with_gil() -> Callable[[int], object]:
    try:
        import ctypes  # noqa: PLC0415  # not every interpreter has it

        write: Any = ctypes.PyDLL(None).eventfd_write
        write.argtypes = (ctypes.c_int, ctypes.c_uint64)
    except (ImportError, AttributeError, OSError):
        return signal

    def write_one(fd: int) -> None:
        write(fd, 1)

    return write_one


signal_and_go_on: Final[Callable[[int], object]] = _with_gil()
"""Wake who waits for an eventfd, which then waits for the GIL.

Where there is no way to do that it is the same as `signal`.
"""
