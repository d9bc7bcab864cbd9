"""Running an application's lifespan (ASGI, lifespan protocol)."""

import asyncio
from types import TracebackType
from typing import Any, Literal, Self, final

import attrs

from ..errors import LifespanError
from ..types import ASGIApp, MessageEvent
from ._reporter import Reporter

__all__ = ("Lifespan", "LifespanMode")

LifespanMode = Literal["auto", "on", "off"]
"""Whether an application's lifespan is run.

``auto`` goes on without if the application does not know it: it raises, returns,
or asks for a second event, before it has answered the first.
"""


@final
@attrs.define(eq=False)
class Lifespan:
    """Runs the lifespan of an application, as a context manager.

    Entering waits for the application's startup, leaving for its shutdown.

    Args:
        application: The application.
        mode: Whether, and whether it must work.
        reporter: Told if the application fails later on.
        timeout: Longest time to wait for the shutdown, in seconds.

    Raises:
        LifespanError: On entering, if the application says that it cannot
            start, or with ``on`` does not know the lifespan protocol.
    """

    _application: ASGIApp = attrs.field(alias="application")
    _mode: LifespanMode = attrs.field(alias="mode")
    _reporter: Reporter = attrs.field(alias="reporter")
    _timeout: float = attrs.field(alias="timeout")
    state: dict[str, Any] = attrs.field(factory=dict[str, Any], init=False)
    _task: asyncio.Task[None] | None = attrs.field(default=None, init=False)
    _events: int = attrs.field(default=0, init=False)  # received so far
    # None once answered, or a reason why it never will be
    _started: asyncio.Future[str | None] = attrs.field(init=False)
    _stopping: asyncio.Event = attrs.field(factory=asyncio.Event, init=False)
    _stopped: asyncio.Event = attrs.field(factory=asyncio.Event, init=False)

    async def __aenter__(self) -> Self:
        """Start the application, and wait until it says that it has."""
        if self._mode == "off":
            return self
        loop = asyncio.get_running_loop()
        self._started = loop.create_future()
        task = loop.create_task(self._run(), name="asgibridge-lifespan")
        self._task = task
        try:
            problem = await self._started
        except BaseException:  # to be re-raised: a failed start or a cancellation
            await self._end(task)
            raise
        if problem is not None:
            await self._end(task)
            if self._mode == "on":
                msg = f"no lifespan in {self._application!r}: it {problem}"
                raise LifespanError(msg)
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Tell the application to stop, and wait until it has."""
        if self._task is None:
            return
        self._stopping.set()
        ended = [self._task, asyncio.ensure_future(self._stopped.wait())]
        try:
            await asyncio.wait(
                ended, timeout=self._timeout, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            ended[1].cancel()
            await self._end(self._task)

    async def _end(self, task: asyncio.Task[None]) -> None:
        self._task = None
        task.cancel()
        await asyncio.wait([task], timeout=self._timeout)

    async def _run(self) -> None:
        scope = {
            "type": "lifespan",
            "asgi": {"version": "3.0", "spec_version": "2.0"},
            "state": self.state,
        }
        problem = "returned"
        try:
            await self._application(scope, self._receive, self._send)
        except Exception as exc:  # noqa: BLE001 - reported, or "no lifespan"
            problem = f"raised {exc!r}"
            if self._started.done():
                self._reporter.failed("The application's lifespan", exc)
        finally:
            self._answer(f"{problem} before it had started")

    def _answer(self, problem: str | None) -> None:
        if not self._started.done():
            self._started.set_result(problem)

    async def _receive(self) -> MessageEvent:
        self._events += 1
        if self._events == 1:
            return {"type": "lifespan.startup"}
        if self._mode == "auto":
            self._answer("asked for a second event before it had started")
        await self._stopping.wait()
        return {"type": "lifespan.shutdown"}

    async def _send(self, event: MessageEvent) -> None:
        kind, message = event["type"], event.get("message", "")
        if kind == "lifespan.startup.complete":
            self._answer(None)
        elif kind == "lifespan.startup.failed":
            if not self._started.done():
                msg = f"{self._application!r} cannot start: {message}"
                self._started.set_exception(LifespanError(msg))
        elif kind == "lifespan.shutdown.complete":
            self._stopped.set()
        elif kind == "lifespan.shutdown.failed":
            self._reporter.failed("The lifespan's shutdown", LifespanError(message))
            self._stopped.set()
        else:
            self._answer(f"sent {kind!r}")
            msg = f"{kind!r} is not an event of the lifespan protocol"
            raise LifespanError(msg)
