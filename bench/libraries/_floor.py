"""The bare hand-off: what is left when everything that can be wrong is left out.

No contexts, no cancellation, no errors of the loop, no re-entry.  It shows how
much of a figure is the machine's, and that of the standard library's queue.
"""

import asyncio
import os
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from contextvars import Context
from functools import partial
from queue import SimpleQueue
from typing import Any, final

from .._hosts import AsyncioHost
from .._model import Setting
from ._protocols import AsyncCallable, Library, ToAsync, ToSync

__all__ = ("BARE_SEND", "HAND_MADE")


@final
class _Port:
    """Tells one loop which calls have ended, with one wake-up for a burst."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._ended = deque[_Call]()
        self._armed = False
        self._eventfd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        loop.add_reader(self._eventfd, self._drain)
        self.loop = loop

    def post(self, call: "_Call") -> None:
        self._ended.append(call)
        if not self._armed:
            self._armed = True
            os.eventfd_write(self._eventfd, 1)

    def _drain(self) -> None:
        os.eventfd_read(self._eventfd)
        self._armed = False
        while self._ended:
            call = self._ended.popleft()
            call.context.run(call.wake, call)

    def close(self) -> None:
        if not self.loop.is_closed():
            self.loop.remove_reader(self._eventfd)
        os.close(self._eventfd)


@final
class _Call:
    """One call, parked on by speaking asyncio's future protocol."""

    __slots__ = (
        "_asyncio_future_blocking",
        "_loop",
        "context",
        "fn",
        "inbox",
        "outcome",
        "port",
        "wake",
    )
    context: Context
    outcome: Any
    wake: Callable[["_Call"], object]

    def __init__(
        self, port: _Port, inbox: "SimpleQueue[_Call | None]", fn: Callable[[], Any]
    ) -> None:
        self.port = port
        self._loop = port.loop
        self.inbox = inbox
        self.fn = fn

    def get_loop(self) -> asyncio.AbstractEventLoop:
        return self._loop

    def add_done_callback(
        self, callback: Callable[["_Call"], object], *, context: Context
    ) -> None:
        self.wake = callback
        self.context = context
        self.inbox.put(self)

    def result(self) -> None:
        return None

    def __await__(self) -> Generator["_Call", None, Any]:
        self._asyncio_future_blocking = True
        yield self
        return self.outcome


class _HandMade:
    def __init__(self) -> None:
        self._inbox = SimpleQueue[_Call | None]()
        self._ports: list[_Port] = []
        self._thread = threading.Thread(target=self._work, name="bench-floor")
        self._thread.start()

    def sync_to_async(
        self, fn: Callable[..., Any], /, *, thread_sensitive: bool = True
    ) -> AsyncCallable:
        del thread_sensitive  # there is one thread

        async def call(*args: object) -> object:
            bound = partial(fn, *args) if args else fn
            return await _Call(self._port(), self._inbox, bound)

        return call

    def _port(self) -> _Port:
        if not self._ports:
            self._ports.append(_Port(asyncio.get_running_loop()))
        return self._ports[0]

    def _work(self) -> None:
        while (call := self._inbox.get()) is not None:
            call.outcome = call.fn()
            call.port.post(call)
            call = None

    def close(self) -> None:
        self._inbox.put(None)
        self._thread.join()
        for port in self._ports:
            port.close()


class _BareSend:
    """Steps a coroutine that returns at once, with no loop at all."""

    def async_to_sync(self, fn: AsyncCallable, /) -> Callable[..., Any]:
        def call(*args: object) -> object:
            coro = fn(*args)
            try:
                while True:
                    coro.send(None)
            except StopIteration as end:
                return end.value

        return call


@contextmanager
def _hand_made(setting: Setting) -> Iterator[ToAsync]:
    del setting
    toolkit = _HandMade()
    try:
        yield toolkit
    finally:
        toolkit.close()


@contextmanager
def _bare_send(setting: Setting) -> Iterator[ToSync]:
    del setting
    yield _BareSend()


HAND_MADE = Library("bare hand-off by queue", "floor", AsyncioHost.open, _hand_made)
BARE_SEND = Library("floor: bare send", "floor", AsyncioHost.open, _bare_send)
