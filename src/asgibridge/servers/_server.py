"""The server that holds no client sockets."""

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Mapping
from typing import Any, final

import attrs

from ..errors import SourceError
from ..types import (
    ASGIApp,
    Clock,
    CloseReason,
    Envelope,
    MessageEvent,
    MessageScope,
    MessageSink,
    MessageSource,
    ServerObserver,
)
from ._engine import Engine
from ._lifespan import Lifespan, LifespanMode
from ._limits import Limits
from ._reporter import Reporter
from ._runner import disconnect_event
from ._signals import stop_on_signals

__all__ = ("StatelessServer",)

# More than this at once does not make anything faster, and less of it has to
# be given back at shutdown.
_MAX_BATCH = 256


def _as_tuple(observers: Iterable[ServerObserver]) -> tuple[ServerObserver, ...]:
    return tuple(observers)


@final
@attrs.define(eq=False)
class StatelessServer:
    """Feeds an ASGI application from a message source instead of client sockets.

    Each conversation (scope id) gets its own application instance.  Messages of
    one conversation are handled one after the other, conversations at the same
    time.  A message is settled when the application asks for the next one, or
    returns.  If the application raises, it is delivered again to a fresh
    instance, after a while, and those behind it wait; if that does not help, it
    becomes a dead letter::

        server = StatelessServer(app, source, sink)
        server.run()             # until SIGTERM, SIGINT or the end of the source

    An instance that waits for messages is ended when its place is needed or it
    has waited for long: it receives an event with the type of its scope and
    ``.disconnect`` behind it, and the next message of its conversation starts a
    fresh one.

    One server object runs once.  It opens and closes the source and the sink.

    Args:
        application: An ASGI 3 application.
        source: Where messages come from.
        sink: Where the application's events go.
        limits: How much it takes on, and how long it waits.
        lifespan: Whether the application's lifespan is run; its state is copied
            into the scopes of the instances.
        observers: Told about instances, messages and failures.
        clock: Tells the time; None is the clock of the event loop.
        disconnect: Makes the event that tells an instance to end.
    """

    _application: ASGIApp = attrs.field(alias="application")
    _source: MessageSource = attrs.field(alias="source")
    _sink: MessageSink = attrs.field(alias="sink")
    _limits: Limits = attrs.field(factory=Limits, alias="limits", kw_only=True)
    _mode: LifespanMode = attrs.field(default="auto", alias="lifespan", kw_only=True)
    _observers: tuple[ServerObserver, ...] = attrs.field(
        default=(), alias="observers", converter=_as_tuple, kw_only=True
    )
    _clock: Clock | None = attrs.field(default=None, alias="clock", kw_only=True)
    _disconnect: Callable[[Mapping[str, Any], CloseReason], MessageEvent] = attrs.field(
        default=disconnect_event, alias="disconnect", kw_only=True
    )
    _state: dict[str, Any] = attrs.field(factory=dict[str, Any], init=False)
    _stopping: asyncio.Event = attrs.field(factory=asyncio.Event, init=False)
    _hurry: asyncio.Event = attrs.field(factory=asyncio.Event, init=False)
    _engine: Engine | None = attrs.field(default=None, init=False)

    def run(self) -> None:
        """Serve until the source ends, or SIGTERM or SIGINT arrives.

        Blocks.  For the main thread, and with no event loop running on it.

        Raises:
            LifespanError: If the application says that it cannot start.
        """
        asyncio.run(self._run())

    async def _run(self) -> None:
        with stop_on_signals(self.stop):
            await self.serve()

    def stop(self) -> None:
        """Begin to shut down.

        Nothing more is pulled; what was pulled is finished, up to the drain
        timeout; instances are told, and cancelled if they do not end in their
        grace; what is left goes back to the source.  A second call cuts the
        first step short.  For the server's event loop; may be called before
        `serve`.
        """
        if self._stopping.is_set():
            self._hurry.set()
        self._stopping.set()

    async def serve(self) -> None:
        """Serve until the source ends or `stop` is called.

        Cancelling it gives unfinished messages back to the source at once.

        Raises:
            LifespanError: If the application says that it cannot start.
            SourceError: If source or sink say that they never will open.
        """
        engine = Engine.create(
            self._application,
            self._source,
            self._sink.send,
            limits=self._limits,
            observers=self._observers,
            clock=self._clock,
            make_scope=self._make_scope,
            disconnect=self._disconnect,
        )
        self._engine = engine
        timeout, reporter = self._limits.drain_timeout, engine.reporter
        lifespan = Lifespan(self._application, self._mode, reporter, timeout)
        async with lifespan:
            self._state = lifespan.state
            try:
                # A stop may have come before, and opening takes its time.
                if not self._stopping.is_set():
                    await self._open_and_serve(engine)
            finally:
                await self._close(reporter)

    async def _open_and_serve(self, engine: Engine) -> None:
        if await self._unless_stopped(self._open(engine.reporter)):
            await self._serve(engine)

    def health(self) -> dict[str, int]:
        """Return counts of what there is at this moment.

        ``instances`` of the application, messages ``in_flight``.
        """
        if self._engine is None:
            return {"instances": 0, "in_flight": 0}
        return {
            "instances": self._engine.dispatcher.running,
            "in_flight": self._engine.ledger.in_flight,
        }

    def _make_scope(self, envelope: Envelope) -> MessageScope:
        # Each instance has a copy: what it changes is its own.
        return {
            "asgi": {"version": "3.0", "spec_version": "3.0"},
            "state": self._state.copy(),
            **envelope.scope,
        }

    async def _serve(self, engine: Engine) -> None:
        try:
            # Until the source's end, unless somebody stops it before.
            if await self._unless_stopped(self._pull(engine)):
                await self._unless_stopped(engine.finish())
        except asyncio.CancelledError:
            self._hurry.set()
            raise
        finally:
            await engine.shut_down(hurry=self._hurry)

    async def _pull(self, engine: Engine) -> None:
        attempt = 0
        while True:
            credit = await engine.ledger.wait_credit()
            try:
                batch = await self._source.pull(min(credit, _MAX_BATCH))
            except Exception as exc:  # noqa: BLE001 - reported, and tried again
                attempt += 1
                engine.reporter.failed("The source cannot be read", exc)
                await asyncio.sleep(self._limits.backoff.delay(attempt))
                continue
            if not batch:
                return
            attempt = 0
            await self._accept(engine, batch)

    async def _accept(self, engine: Engine, batch: Iterable[Envelope]) -> None:
        left = list(reversed(batch if isinstance(batch, list) else list(batch)))
        try:
            while left:
                await engine.accept(left[-1])
                left.pop()
        finally:
            # Stopped while an inbox was full.
            if left:
                left.reverse()
                engine.dispatcher.leftover += map(engine.ledger.open, left)

    async def _open(self, reporter: Reporter) -> None:
        for what, collaborator in (("sink", self._sink), ("source", self._source)):
            attempt = 0
            while True:
                try:
                    await collaborator.open()
                except SourceError:
                    raise  # trying again would not help
                except Exception as exc:  # noqa: BLE001 - reported, and tried again
                    attempt += 1
                    reporter.failed(f"The {what} cannot be opened", exc)
                    await asyncio.sleep(self._limits.backoff.delay(attempt))
                else:
                    break

    async def _close(self, reporter: Reporter) -> None:
        # The sink last: applications can send until the source is closed.
        for what, collaborator in (("source", self._source), ("sink", self._sink)):
            try:
                await collaborator.close()
            except Exception as exc:  # noqa: BLE001 - reported; the other one's turn
                reporter.failed(f"The {what} cannot be closed", exc)

    async def _unless_stopped(self, work: Coroutine[Any, Any, None]) -> bool:
        """Await *work*, unless `stop` is called; return whether it was finished."""
        task = asyncio.create_task(work)
        stopping = asyncio.create_task(self._stopping.wait())
        try:
            await asyncio.wait([task, stopping], return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopping.cancel()
            task.cancel()  # if it is not done
            await asyncio.wait([task, stopping])
        if task.cancelled():
            return False
        task.result()
        return not self._stopping.is_set()
