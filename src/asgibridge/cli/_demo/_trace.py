"""Writing down which thread and which loop ran what, per request."""

import asyncio
import threading
from contextvars import ContextVar
from typing import Final, final

import attrs

__all__ = ("Part", "Trace")

# Set where a request enters, read wherever its code runs: that it arrives
# there, on other threads, is the bridge's work.
_REQUEST: Final[ContextVar[str | None]] = ContextVar("demo_request", default=None)


@final
@attrs.frozen
class Part:
    """A piece of code that ran for a request.

    Args:
        name: What it is called in the report.
        thread: Name of the thread it ran on.
        loop: ``id()`` of the loop that ran on that thread, None without one.
    """

    name: str
    thread: str
    loop: int | None


@final
@attrs.define(eq=False)
class Trace:
    """The parts of every request that carries a number.  Thread-safe."""

    _parts: dict[str, list[Part]] = attrs.field(
        factory=dict[str, list[Part]], init=False
    )
    _lock: threading.Lock = attrs.field(factory=threading.Lock, init=False, repr=False)

    def begin(self, request: str | None) -> None:
        """Take what the current context does from here on for *request*."""
        _REQUEST.set(request)

    def mark(self, name: str) -> None:
        """Note that the part *name* runs here, once per thread and loop."""
        request = _REQUEST.get()
        if request is None:
            return
        part = Part(name, threading.current_thread().name, _running_loop())
        with self._lock:
            parts = self._parts.setdefault(request, [])
            if part not in parts:
                parts.append(part)

    def parts(self, request: str) -> tuple[Part, ...]:
        """Return what ran for *request*, in order of first appearance."""
        with self._lock:
            return tuple(self._parts.get(request, ()))


def _running_loop() -> int | None:
    try:
        return id(asyncio.get_running_loop())
    except RuntimeError:
        return None
