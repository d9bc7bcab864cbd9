"""Choosing the thread for a call."""

from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Protocol, final

import attrs

from ..errors import (
    ExecutorClosedError,
    ExecutorDroppedCallError,
    NoThreadError,
)
from ..loops import running_loop_or_none, set_running_loop
from ..types import BlockingExecutor
from ._call import BlockingCall
from ._context_modes import SharingCall
from ._engine import Engine
from ._places import Place
from ._threads import ThreadState

__all__ = ("FixedRoute", "Route", "SensitiveRoute", "WhenParked", "poster")


class Route(Protocol):
    """Sends a call to the thread that is to run it."""

    def send(self, call: BlockingCall[Any], state: ThreadState, /) -> None:
        """Queue *call*; raise what the executor raises.

        Args:
            call: What to run.
            state: That of the current thread, which is the loop's.
        """
        ...


@final
@attrs.frozen(eq=False)
class FixedRoute:
    """Sends every call to one executor."""

    _engine: Engine
    _place: Place

    def send(self, call: BlockingCall[Any], _state: ThreadState, /) -> None:
        """Queue *call* there."""
        call.place = self._place
        try:
            self._place.post(call)
        except NoThreadError:
            run_here(call)
            return
        if call.mailbox.watch is None:
            self._engine.watch(call)


@final
@attrs.frozen(eq=False)
class SensitiveRoute:
    """Sends thread-sensitive calls where related ones run.

    To the thread that waits for this code, the innermost first; else to that of
    the enclosing scope, the outermost scope deciding; else to the shared thread.
    What has ended meanwhile is passed over.
    """

    _engine: Engine
    _shared: Place

    def send(self, call: BlockingCall[Any], state: ThreadState, /) -> None:
        """Queue *call* there, or run it now where this very thread is meant."""
        engine = self._engine
        while True:
            inside = engine.affinity.get()
            call.place = place = (
                self._shared
                if inside is None and not engine.homes
                else self._look_up(inside)
            )
            if (
                state.call is not None
                and place.thread == state.ident
                and not state.drives(call.get_loop())
            ):
                # The function of that call runs a loop of its own, this one.
                run_here(call)
                return
            try:
                place.post(call)
            except NoThreadError:
                run_here(call)
                return
            except ExecutorClosedError:
                if place.is_alive:
                    raise
                # It ended while we looked: the next one, then.
            else:
                break
        # Not on a loop that is there for one call only, unless something is in
        # the way: there a timer would cost more than the call.
        mailbox = call.mailbox
        if mailbox.watch is None and not (mailbox.is_brief and place.current is None):
            engine.watch(call)

    def place(self) -> Place:
        """Return the place where thread-sensitive code runs now."""
        return self._look_up(self._engine.affinity.get())

    def _look_up(self, place: Place | None) -> Place:
        """Return the same, for code whose innermost place is *place*."""
        if place is None:
            homes = self._engine.homes
            if homes:
                return homes.get(id(running_loop_or_none()), self._shared)
            return self._shared
        found = self._shared
        while place is not None:
            if place.is_alive:
                if place.is_final:
                    return place
                found = place
            place = place.parent
        return found


@final
@attrs.frozen(eq=False)
class WhenParked:
    """Sends calls that share the task's context, once the task has left it."""

    _route: Route

    def send(self, call: BlockingCall[Any], state: ThreadState, /) -> None:
        """Have *call* queued when its task is parked."""
        assert isinstance(call, SharingCall)  # noqa: S101  # the bridge pairs them
        call.send_when_parked(lambda: self._route.send(call, state))


def run_here(call: BlockingCall[Any]) -> None:
    """Run *call* on the loop's own thread, which waits meanwhile.

    Where that is the thread that is meant, or where no other can be started any
    more, at the end of the interpreter.

    The function does not see the loop: it may run one of its own.
    """
    call.can_host = False
    loop = running_loop_or_none()
    set_running_loop(None)
    try:
        call.run()
    finally:
        set_running_loop(loop)


def poster(executor: BlockingExecutor) -> Callable[[BlockingCall[Any]], None]:
    """Return the best way to hand calls to *executor*: see `SupportsPost`."""
    # Not isinstance(): for a Protocol that takes as long as the call itself, and
    # each scope asks for its own thread.
    post: Callable[[BlockingCall[Any]], None] | None = getattr(executor, "post", None)
    return _Submitter(executor).post if post is None else post


@final
@attrs.frozen(eq=False)
class _Submitter:
    """Hands calls to an executor that wants to make a future for each."""

    _executor: BlockingExecutor

    def post(self, call: BlockingCall[Any]) -> None:
        future = self._executor.submit(_run_anywhere, call)

        def check(future: Future[None]) -> None:
            if future.cancelled():
                msg = (
                    f"{self._executor!r} cancelled {call}, which it had accepted; "
                    f"was it shut down with cancel_futures=True?"
                )
                call.fail(ExecutorDroppedCallError(msg))
            elif (exception := future.exception()) is not None:
                call.fail(exception)

        future.add_done_callback(check)


def _run_anywhere(call: BlockingCall[Any]) -> None:
    """Run *call*; the executor may have chosen the thread of a running loop."""
    if running_loop_or_none() is None:
        call.run()
    else:
        run_here(call)
