"""Coming back to the same thread."""

from collections.abc import Callable
from concurrent.futures import Future
from queue import Empty, SimpleQueue
from threading import get_ident
from typing import Any, Protocol, final

import attrs

from ..errors import ExecutorClosedError, ExecutorDroppedCallError
from ..types import BlockingExecutor, SupportsLease
from ._call import BlockingCall
from ._engine import Engine
from ._places import ExecutorPlace, Place
from ._routes import FixedRoute, Route, SensitiveRoute, poster
from ._threads import ThreadState

__all__ = ("PinnedRoute", "pin")


class PinnedRoute(Route, Protocol):
    """A route whose calls all run on one thread."""

    def release(self) -> None:
        """Give the thread back; calls already sent run first."""
        ...


def pin(engine: Engine, route: Route, executor: BlockingExecutor) -> PinnedRoute:
    """Return a route to one thread, which is chosen with the first call.

    Args:
        engine: Of the bridge.
        route: Where a single call would go.
        executor: Has the thread, unless *route* is for thread-sensitive code.
    """
    if isinstance(route, SensitiveRoute):
        return _PinnedPlace(engine, route)
    if isinstance(executor, SupportsLease):
        lease = executor.lease()
        place = ExecutorPlace(lease, poster(lease))
        return _OnLoan(FixedRoute(engine, place), lease.release)
    held = _HeldThread(executor)
    place = ExecutorPlace(executor, held.post)
    return _OnLoan(FixedRoute(engine, place), held.release)


@final
@attrs.define(eq=False)
class _PinnedPlace:
    """Leads thread-sensitive calls to where the first one went."""

    _engine: Engine
    _route: SensitiveRoute
    _place: Place | None = attrs.field(default=None, init=False)

    def send(self, call: BlockingCall[Any], state: ThreadState, /) -> None:
        """Queue *call* there; where any such call goes, if that has ended."""
        current = self._route.place()
        place = self._place
        if place is None:
            place = self._place = current
        if current is place or not place.is_alive or _same_thread(current, place):
            # On the same thread there may be a wait inside of the first one,
            # and only the innermost is served.
            self._route.send(call, state)
            return
        try:
            FixedRoute(self._engine, place).send(call, state)
        except ExecutorClosedError:  # it has ended just now
            self._route.send(call, state)

    def release(self) -> None:
        """Do nothing: the thread was not taken from anybody."""


def _same_thread(one: Place, other: Place) -> bool:
    return one.thread is not None and one.thread == other.thread


@final
@attrs.frozen(eq=False)
class _OnLoan:
    """Leads to a thread on loan."""

    _route: FixedRoute
    release: Callable[[], None]

    def send(self, call: BlockingCall[Any], state: ThreadState, /) -> None:
        """Queue *call* there."""
        self._route.send(call, state)

    def __del__(self) -> None:
        self.release()


@final
class _HeldThread:
    """Makes a lease of any executor: one call of it stays, and runs the others."""

    __slots__ = ("_executor", "_future", "_inbox", "_is_over")

    def __init__(self, executor: BlockingExecutor) -> None:
        self._executor = executor
        self._inbox: SimpleQueue[BlockingCall[Any] | None] = SimpleQueue()
        self._future: Future[bool] | None = None
        # Shared with the callback of the future, which must not keep us alive.
        self._is_over: list[Exception] = []

    def post(self, call: BlockingCall[Any]) -> None:
        """Queue *call* there, taking the thread if this is the first one."""
        self._inbox.put(call)
        future = self._future
        if future is None or (future.done() and not self._is_over):
            self._start()
        if self._is_over:
            _drop(self._inbox, self._is_over[0])

    def _start(self) -> None:
        self._future = future = self._executor.submit(_serve, self._inbox, get_ident())
        future.add_done_callback(
            _make_check(self._inbox, self._is_over, self._executor)
        )

    def release(self) -> None:
        """Let the call of the executor end; a second time does nothing."""
        self._inbox.put(None)


def _serve(inbox: "SimpleQueue[BlockingCall[Any] | None]", starter: int) -> bool:
    """Run calls until None comes.

    An executor that runs its calls on the thread which submits them (in a test)
    cannot be held: there, only what has come is run.
    """
    may_wait = get_ident() != starter
    try:
        while (call := inbox.get(may_wait)) is not None:
            call.run()
            del call
    except Empty:
        return False
    return True


def _make_check(
    inbox: "SimpleQueue[BlockingCall[Any] | None]",
    is_over: list[Exception],
    executor: BlockingExecutor,
) -> "Callable[[Future[bool]], None]":
    """Return what notices that the executor did not keep its thread for us."""

    def check(future: Future[bool]) -> None:
        if not future.cancelled() and future.exception() is None:
            return
        msg = (
            f"{executor!r} dropped the call that held its thread; keep it open "
            f"until everything that uses it has ended"
        )
        is_over.append(ExecutorDroppedCallError(msg))
        _drop(inbox, is_over[0])

    return check


def _drop(inbox: "SimpleQueue[BlockingCall[Any] | None]", error: Exception) -> None:
    while True:
        try:
            call = inbox.get(block=False)
        except Empty:
            return
        if call is not None:
            call.fail(error)
