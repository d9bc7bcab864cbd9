"""An event loop on a thread of its own."""

import asyncio
import logging
import threading
from asyncio import AbstractEventLoop
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any, Final, TypeVar, final

import attrs

from ..loops import Mailbox, retire

__all__ = ("LoopThread",)

_logger: Final = logging.getLogger("asgibridge.adapters")

T = TypeVar("T")


@final
@attrs.define(eq=False)
class LoopThread:
    """Runs one event loop until it is stopped.

    A task that raises `SystemExit` or `KeyboardInterrupt`, which stop a loop, is
    logged and stops nothing: others share the loop.

    Args:
        loop_factory: Makes the loop.
        name: Of the thread.
    """

    _loop_factory: Callable[[], AbstractEventLoop]
    _name: str
    _loop: AbstractEventLoop = attrs.field(init=False)
    _thread: threading.Thread = attrs.field(init=False)
    mailbox: Mailbox = attrs.field(init=False)
    """How other threads reach the loop."""
    _is_stopped: bool = attrs.field(default=False, init=False)

    def __attrs_post_init__(self) -> None:
        """Start the thread, and wait until the loop runs."""
        self._loop = self._loop_factory()
        self._thread = threading.Thread(target=self._main, name=self._name, daemon=True)
        self._thread.start()
        self.mailbox = self.run(self._open_mailbox())

    def run(self, coro: Coroutine[Any, Any, T]) -> T:
        """Run *coro* on the loop; wait for its result."""
        future: Future[T] = asyncio.run_coroutine_threadsafe(coro, self._loop)
        return future.result()

    def stop(self) -> None:
        """Cancel what still runs on the loop, close it and end the thread.

        Waits for that, but on the thread itself.
        """
        self._is_stopped = True
        self._loop.call_soon_threadsafe(self._loop.stop)
        if not self.is_current:
            self._thread.join()

    @property
    def is_current(self) -> bool:
        """Whether the calling thread is that of the loop."""
        return threading.current_thread() is self._thread

    async def _open_mailbox(self) -> Mailbox:
        return Mailbox(self._loop)

    def _main(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._run_until_stopped()
        finally:
            retire(self._loop)
            asyncio.set_event_loop(None)

    def _run_until_stopped(self) -> None:
        while not self._is_stopped:
            try:
                self._loop.run_forever()
            except (SystemExit, KeyboardInterrupt) as exc:
                _logger.exception(
                    "a task raised %s; the loop of thread %r goes on, since others"
                    " share it",
                    type(exc).__name__,
                    self._name,
                )
