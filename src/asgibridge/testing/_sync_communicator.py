"""A conversation with an application, driven by a test without a loop."""

import asyncio
from collections.abc import Callable, Coroutine
from contextvars import copy_context
from types import TracebackType
from typing import Any, Generic, Self, TypeVar, final

import attrs

from ..executors import CurrentThreadExecutor, PersistentLoopRunner
from ..types import CallerExecutor
from ._communicator import ApplicationCommunicator

__all__ = ("LoopThread", "SyncApplicationCommunicator")

ReceiveT = TypeVar("ReceiveT")
SendT = TypeVar("SendT")
T = TypeVar("T")


@final
@attrs.define(eq=False)
class LoopThread:
    """A loop on a thread of its own, and a thread that waits for it.

    While the waiting thread waits in `run`, it runs what is submitted to its
    executor: make that the thread-sensitive executor of a bridge, and
    thread-sensitive code runs on the thread that made this object.

    Whoever makes it closes it.

    Args:
        caller: The waiting thread's executor; None makes one for this thread.
    """

    caller: CallerExecutor = attrs.field(factory=CurrentThreadExecutor)
    _runner: PersistentLoopRunner = attrs.field(
        factory=lambda: PersistentLoopRunner(name="asgibridge-testing"), init=False
    )

    def run(self, function: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Run a coroutine on the loop, and wait for it on the caller's thread."""
        return self._runner.run(function(), context=copy_context(), caller=self.caller)

    def close(self) -> None:
        """Cancel what still runs on the loop, and end its thread."""
        self._runner.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


@final
@attrs.define(eq=False)
class SyncApplicationCommunicator(Generic[ReceiveT, SendT]):
    """`ApplicationCommunicator` for tests without a loop::

        with SyncApplicationCommunicator(
            ApplicationCommunicator(app, http_scope("/hello"))
        ) as client:
            client.send_input({"type": "http.request"})
            assert client.receive_output()["status"] == 200

    The application runs on a loop in a thread of its own, also between the
    calls.  All methods are those of `ApplicationCommunicator`, which see.  For
    one thread.

    Args:
        communicator: The conversation to drive, not started yet.
        loop: Where it runs; it is not closed with this object.  None makes one
            that lives as long as the ``with`` block.
    """

    _communicator: ApplicationCommunicator[ReceiveT, SendT] = attrs.field(
        alias="communicator"
    )
    _given: LoopThread | None = attrs.field(default=None, alias="loop", kw_only=True)
    _loop: LoopThread = attrs.field(init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        self._loop = LoopThread() if self._given is None else self._given

    def __enter__(self) -> Self:
        """Start the application."""
        self._loop.run(self._communicator.__aenter__)
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End the application; raise its exception if nobody has seen it."""
        try:
            self._loop.run(lambda: self._communicator.aclose(exceptions=exc is None))
        finally:
            if self._given is None:
                self._loop.close()

    @property
    def is_running(self) -> bool:
        """Whether the application was started and has not ended."""
        return self._communicator.is_running

    def send_input(self, event: ReceiveT, timeout: float | None = None) -> None:
        """Give the application an event."""
        self._loop.run(lambda: self._communicator.send_input(event, timeout))

    def receive_output(self, timeout: float | None = None) -> SendT:
        """Return the next event that the application sends."""
        return self._loop.run(lambda: self._communicator.receive_output(timeout))

    def receive_all(self, timeout: float | None = None) -> list[SendT]:
        """Return all events until the application ends."""
        return self._loop.run(lambda: self._communicator.receive_all(timeout))

    def receive_nothing(self, timeout: float = 0.1) -> bool:
        """Say whether the application sends nothing for a while."""
        return self._loop.run(lambda: self._communicator.receive_nothing(timeout))

    def disconnect(self, event: ReceiveT | None = None) -> None:
        """Let the client go away."""
        self._loop.run(lambda: self._communicator.disconnect(event))

    def wait(self, timeout: float | None = None) -> None:
        """Wait until the application has ended."""
        self._loop.run(lambda: self._communicator.wait(timeout))

    def stop(self) -> None:
        """Cancel the application if it runs; do not wait for its end."""

        async def stop() -> None:
            self._communicator.stop()
            await asyncio.sleep(0)

        self._loop.run(stop)
