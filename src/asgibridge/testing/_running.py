"""An application that runs as a task, and how its end is told."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar, final

import attrs

from ..errors import ApplicationCancelledError, ApplicationEndedError
from ._exchange import Exchange, Signal

__all__ = ("RunningApplication",)

SendT = TypeVar("SendT")
T = TypeVar("T")


@final
@attrs.define(eq=False)
class RunningApplication:
    """One call of an application, as a task of the running loop.

    Args:
        name: Of the application, for messages.
        call: Makes the coroutine that is the call.
        timeout: How long waits last if they do not say otherwise, in seconds.
        changed: Told when the application has ended.
    """

    name: str
    _call: Callable[[], Coroutine[Any, Any, None]] = attrs.field(alias="call")
    _timeout: float = attrs.field(alias="timeout")
    changed: Signal
    _task: "asyncio.Task[None] | None" = attrs.field(default=None, init=False)
    _was_stopped: bool = attrs.field(default=False, init=False)
    is_end_seen: bool = attrs.field(default=False, init=False)

    @property
    def is_started(self) -> bool:
        """Whether it was started, and may have ended."""
        return self._task is not None

    @property
    def has_ended(self) -> bool:
        """Whether it was started and has ended."""
        return self._task is not None and self._task.done()

    def start(self) -> None:
        """Start it, once."""
        if self._task is None:
            self._task = asyncio.create_task(self._call())
            self._task.add_done_callback(self._note_end)

    async def within(self, timeout: float | None, wait: Awaitable[T], what: str) -> T:
        """Wait, but not too long; the application does not notice.

        Raises:
            TimeoutError: Afterwards, saying *what* the application did (not do).
        """
        seconds = self._timeout if timeout is None else timeout
        try:
            async with asyncio.timeout(seconds):
                return await wait
        except TimeoutError:
            state = "has ended" if self.has_ended else "still runs"
            msg = f"{self.name} {what} within {seconds} s; it {state}"
            raise TimeoutError(msg) from None

    async def wait(self, timeout: float | None, what: str = "did not end") -> None:
        """Wait for its end."""
        ended = self.changed.until(lambda: self.has_ended)
        await self.within(timeout, ended, what)

    async def output(
        self, exchange: Exchange[Any, SendT], timeout: float | None, ended: str
    ) -> SendT:
        """Return the next event that it sends.

        Args:
            exchange: Where the event arrives.
            timeout: Longest time to wait, in seconds; None is the default.
            ended: What it has done that returned instead, for the message.

        Raises:
            ApplicationEndedError: If it returned.  If it raised, that is raised.
            TimeoutError: If nothing was sent in time.
        """
        arrives = exchange.output_or_end(lambda: self.has_ended)
        await self.within(timeout, arrives, "sent nothing")
        if exchange.sent:
            return exchange.take()
        self.check_end()
        msg = f"{self.name} {ended}"
        raise ApplicationEndedError(msg)

    def check_end(self) -> None:
        """Raise what it ended with, but for a cancellation that was ours."""
        task = self._task
        if task is None or not task.done():
            return
        self.is_end_seen = True
        if task.cancelled():
            if self._was_stopped:
                return
            msg = f"{self.name} ended with a cancellation"
            raise ApplicationCancelledError(msg)
        if (exc := task.exception()) is not None:
            raise exc

    def cancel(self) -> bool:
        """Cancel it; say whether it ran."""
        is_running = self._task is not None and self._task.cancel()
        self._was_stopped = self._was_stopped or is_running
        return is_running

    async def aclose(self, *, exceptions: bool) -> None:
        """Cancel it if it runs, and wait for its end.

        Args:
            exceptions: Raise what it ended with, if nobody has seen it.
        """
        if self._task is None:
            return
        self.cancel()
        await self.wait(None, "did not end when it was cancelled")
        if exceptions and not self.is_end_seen:
            self.check_end()

    def _note_end(self, task: "asyncio.Task[None]") -> None:
        if not task.cancelled():
            task.exception()  # or asyncio logs that nobody has asked for it
        self.changed.notify()
