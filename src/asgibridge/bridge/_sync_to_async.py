"""Blocking code for async callers."""

from asyncio import get_running_loop
from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec, TypeVar, final

import attrs

from ..loops import Mailbox
from ._call import BlockingCall
from ._engine import Engine
from ._observation import Observed
from ._routes import Route

__all__ = ("SyncToAsync",)

P = ParamSpec("P")
T = TypeVar("T")


@final
@attrs.frozen(eq=False)
class SyncToAsync:
    """Makes async functions of blocking ones, all with the same options."""

    _engine: Engine
    route: Route
    _may_abandon: bool = False
    _make: Callable[..., BlockingCall[Any]] = BlockingCall

    def bind(self, fn: Callable[P, T]) -> Callable[P, Coroutine[Any, Any, T]]:
        """Return an async function that runs *fn* where the route says.

        Without the name and the documentation of *fn*.
        """
        engine, may_abandon = self._engine, self._may_abandon
        make: Callable[..., BlockingCall[T]] = self._make
        is_observed, send = engine.observation.is_on, self.route.send

        async def call(*args: P.args, **kwargs: P.kwargs) -> T:
            loop = get_running_loop()
            state = engine.threads.state
            mailbox = state.mailbox
            if mailbox is None or mailbox.loop() is not loop:
                mailbox = state.mailbox = engine.mailboxes.of(loop)
            if is_observed:
                blocking = self._make_observed(fn, mailbox, args, kwargs)
            else:
                blocking = make(engine, mailbox, fn, args, kwargs, may_abandon)
            # Other threads may be as fast as to be done when we are back.
            is_attended = not mailbox.is_armed
            mailbox.is_armed = True
            try:
                send(blocking, state)
            finally:
                if is_attended:
                    mailbox.is_armed = False
                    if mailbox.letters:
                        mailbox.look(loop)
            await blocking
            if blocking.exception is None:
                return blocking.returned
            # Not by a name of this frame, which the traceback refers to.
            raise blocking.take_exception()

        return call

    def _make_observed(
        self,
        fn: Callable[..., T],
        mailbox: Mailbox,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> BlockingCall[T]:
        observation = self._engine.observation
        record = observation.queued("sync_to_async", fn)
        observed = Observed(observation.run, record)
        blocking: BlockingCall[T] = self._make(
            self._engine, mailbox, observed, args, kwargs, self._may_abandon
        )
        blocking.crossing = record
        return blocking
