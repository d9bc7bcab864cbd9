"""A blocking call that nobody awaits, and that still belongs to a loop."""

from asyncio import get_running_loop
from collections.abc import Callable
from typing import final

import attrs
from typing_extensions import override

from ..loops import Mailbox
from ._call import BlockingCall
from ._engine import Engine
from ._observation import Observed
from ._places import Place

__all__ = ("DetachedCall", "Detacher")


@final
@attrs.frozen(eq=False)
class Detacher:
    """Starts blocking calls on one executor without awaiting them.

    Made by `Bridge.detacher`.
    """

    _engine: Engine
    _place: Place

    def start(
        self, fn: Callable[[], object], on_failure: Callable[[BaseException], object], /
    ) -> "DetachedCall":
        """Run *fn* on the executor, for the loop that runs on this thread.

        The function sees the caller's context variables, in a copy.  Observers
        are told of it as of any crossing.

        Args:
            fn: What to run.
            on_failure: Called with what *fn* raises, or with the reason why it
                will never run; on any thread.

        Returns:
            The call; its ``cancel()`` cancels the coroutine that *fn* waits for.
        """
        loop = get_running_loop()
        engine = self._engine
        mailbox = engine.mailbox_of(loop)
        if engine.observation.is_on:
            record = engine.observation.queued("sync_to_async", fn)
            observed = Observed(engine.observation.run, record)
            call = DetachedCall(engine, mailbox, observed, on_failure)
            call.crossing = record
        else:
            call = DetachedCall(engine, mailbox, fn, on_failure)
        call.place = self._place
        self._place.post(call)
        return call


@final
class DetachedCall(BlockingCall[object]):
    """Runs its function on behalf of a loop whose task does something else.

    For adapters that tell a task of the progress of a call in a way of their
    own.  Async code that the function calls runs on the loop, in tasks of its
    own, since there is no parked one.
    """

    __slots__ = ("_on_failure",)

    def __init__(
        self,
        engine: Engine,
        mailbox: Mailbox,
        fn: Callable[[], object],
        on_failure: Callable[[BaseException], object],
    ) -> None:
        super().__init__(engine, mailbox, fn, (), {}, may_abandon=False)
        self._on_failure = on_failure

    @override
    def _complete(self) -> None:
        self.is_done = True
        exception, self.exception = self.exception, None
        on_failure = self._on_failure
        # Whoever made the call may keep it in the object it is a method of.
        self._fn = self._on_failure = _ended
        self._forget_crossing()
        if exception is not None:
            on_failure(exception)

    @override
    def deliver(self) -> None:
        if self.hosted is not None and self.hosted.claim():
            self._host_apart(self.hosted)

    @override
    def cancel(self, msg: object = None) -> bool:
        """Cancel the coroutine that the function waits for, and refuse others.

        On the loop's thread.  The function itself goes on, or is still to run.
        """
        if self.is_cancelled or self.is_done:
            return False
        self.is_cancelled = True
        self._cancel_args = () if msg is None else (msg,)
        if self.inner_cancel is not None:
            self.inner_cancel()
        return True


def _ended(*_: object) -> None:
    """Stand in for a function that has been called."""
