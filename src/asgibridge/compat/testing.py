"""Driving an application from a test: ``asgiref.testing``."""

import asyncio
import time
from contextlib import suppress
from contextvars import Context
from typing import Any

from .compatibility import guarantee_single_callable

__all__ = ("ApplicationCommunicator",)


class ApplicationCommunicator:
    """Runs an application as a task, and talks to it event by event.

    Binds to the event loop at the first use, not before.  For new tests see
    `asgibridge.testing.ApplicationCommunicator`, which checks the events, does
    not cancel the application after a timeout and loses no exception.

    Args:
        application: Of ASGI 3 or 2.
        scope: What it is called with.
    """

    def __init__(self, application: Any, scope: Any) -> None:  # noqa: ANN401  # of either kind
        self._future: asyncio.Task[Any] | None = None
        self.application: Any = guarantee_single_callable(application)
        self.scope = scope
        self.input_queue: asyncio.Queue[Any] = asyncio.Queue()
        self.output_queue: asyncio.Queue[Any] = asyncio.Queue()

    @property
    def future(self) -> "asyncio.Task[Any]":
        """The task of the application, started when first asked for.

        In an empty context: variables of the test are none of its business.
        """
        if self._future is None:
            call = self.application(
                self.scope, self.input_queue.get, self.output_queue.put
            )
            self._future = asyncio.get_running_loop().create_task(
                call, context=Context()
            )
        return self._future

    async def wait(self, timeout: float = 1) -> None:  # noqa: ASYNC109  # asgiref's signature
        """Wait until the application has ended; raise what it raised.

        Args:
            timeout: In seconds; the application is cancelled then.

        Raises:
            TimeoutError: If it did not end in time.
        """
        future = self.future
        try:
            async with asyncio.timeout(timeout):
                await asyncio.wait([future])
            if not future.cancelled():
                future.result()
        finally:
            await self._cancel()

    def stop(self, exceptions: bool = True) -> None:  # noqa: FBT001, FBT002  # asgiref's signature
        """Cancel the application, or raise what it raised if it has ended."""
        future = self._future
        if future is None:
            return
        if not future.done():
            future.cancel()
        elif exceptions:
            future.result()

    def __del__(self) -> None:
        """Cancel the application, as far as its loop still runs."""
        with suppress(RuntimeError, asyncio.CancelledError):
            self.stop(exceptions=False)

    async def send_input(self, message: Any) -> None:  # noqa: ANN401  # any event
        """Give the application an event; raise what it raised if it has ended.

        Raises:
            asyncio.CancelledError: If it was cancelled, as after a timeout.
        """
        self._raise_its_error()
        await self.input_queue.put(message)

    async def receive_output(self, timeout: float = 1) -> Any:  # noqa: ANN401, ASYNC109  # any event; asgiref's signature
        """Return the next event that the application sends.

        Args:
            timeout: In seconds; the application is cancelled then.

        Raises:
            TimeoutError: If it sent nothing in time.  What it raised itself goes
                first.
        """
        self._raise_its_error()
        try:
            async with asyncio.timeout(timeout):
                return await self.output_queue.get()
        except TimeoutError:
            self._raise_its_error()
            await self._cancel()
            raise

    async def receive_nothing(
        self,
        timeout: float = 0.1,  # noqa: ASYNC109  # asgiref's signature
        interval: float = 0.01,
    ) -> bool:
        """Say whether the application sends nothing for a while.

        Args:
            timeout: How long to look, in seconds.
            interval: How often to look, in seconds.
        """
        self._raise_its_error()
        end = time.monotonic() + timeout
        while self.output_queue.empty():
            if time.monotonic() >= end:
                return True
            await asyncio.sleep(interval)
        return False

    def _raise_its_error(self) -> None:
        """Raise what the application raised; start it, if it is not.

        `asyncio.CancelledError`, if it was cancelled: tests for Channels expect
        that after a timeout.
        """
        if self.future.done():
            self.future.result()

    async def _cancel(self) -> None:
        future = self.future
        if not future.done():
            future.cancel()
            await asyncio.wait([future])
