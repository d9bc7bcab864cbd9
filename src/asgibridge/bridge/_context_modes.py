"""Blocking calls that do not work in a copy of the caller's context."""

from asyncio import get_running_loop
from collections.abc import Callable, Generator
from contextvars import Context
from typing import TYPE_CHECKING, Any, TypeVar, final

from typing_extensions import override

from ..loops import Mailbox
from ._call import BlockingCall

if TYPE_CHECKING:
    from ._engine import Engine
    from ._hosted import HostedCall

__all__ = ("CallInContext", "SharingCall")

T = TypeVar("T")


@final
class CallInContext(BlockingCall[T]):
    """Runs its function with the variables of an explicit context.

    The function works in a copy, and what it set is put into the context when
    the caller goes on: so several calls can have the same context at once, and
    no task that shares it is ever kept out of it.  What calls set in it that run
    at the same time is not seen by one another.

    Coroutines that the function waits for run in a task of their own, since the
    awaiting one works in another context.
    """

    __slots__ = ("_given",)

    def __init__(
        self,
        engine: "Engine",
        mailbox: Mailbox,
        fn: Callable[..., T],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        may_abandon: bool,  # noqa: FBT001  # as in the base class
        given: Context,
    ) -> None:
        super().__init__(engine, mailbox, fn, args, kwargs, may_abandon)
        self._given = given
        self._context = given.copy()
        # Where the code is, in the logical call stack, is the caller's affair.
        self._context.run(engine.affinity.set, engine.affinity.get())
        self._base = self._context.copy()

    @override
    def _host(self, hosted: "HostedCall[Any]") -> Generator[Any, None, None]:
        if self._is_in_given():
            yield from super()._host(hosted)
        elif hosted.claim():
            self._host_apart(hosted)
        elif self.is_cancelled:
            # It is meant for the coroutine, as if that ran in this task.
            if self.inner_cancel is not None:
                self.inner_cancel()
            if self._may_abandon:
                self._is_left = True
                raise self.cancellation()

    @override
    def _write_back(self) -> None:
        if self._is_in_given():
            super()._write_back()
        else:
            self._given.run(super()._write_back)

    def _is_in_given(self) -> bool:
        """Whether the awaiting task itself works in the given context."""
        probe = self.engine.probe
        token = probe.set(self)
        try:
            return self._given.get(probe) is self
        finally:
            probe.reset(token)


@final
class SharingCall(BlockingCall[T]):
    """Runs its function in the very context of the awaiting task.

    Nothing is copied and nothing written back, so that tokens made on one side
    can be reset on the other.  While the function runs nobody else can be in
    that context: the task cannot take a step, so coroutines that the function
    waits for run in a task of their own, and another task that was given the
    same context fails when its turn comes.
    """

    __slots__ = ("_send",)

    def send_when_parked(self, send: Callable[[], None]) -> None:
        """Have *send* called as soon as the task has left its context."""
        self._send = send

    @override
    def add_done_callback(
        self, wakeup: Callable[[object], object], /, *, context: Context
    ) -> None:
        super().add_done_callback(wakeup, context=context)
        self._context = self._base = context
        # The caller's place is looked up there: in a copy, since the call may
        # be run before this callback has returned.
        get_running_loop().call_soon(self._send_now, context=context.copy())

    def _send_now(self) -> None:
        send = self._send
        del self._send  # it refers to this object
        if self.is_done:
            return
        try:
            send()
        except Exception as exc:  # noqa: BLE001  # the awaiting task gets it
            self.fail(exc)

    @override
    def run(self) -> None:
        try:
            self._context.run(int)
        except RuntimeError:  # somebody who shares it is in there now
            self._base = self._context.copy()
            self._context = self._base.copy()
        super().run()

    @override
    def deliver(self) -> None:
        hosted = self.hosted
        if self.is_done:
            # Nobody is in the context any more.
            super().deliver()
        elif hosted is None or not hosted.claim():
            return  # the function was interrupted while it asked
        else:
            self._host_apart(hosted)

    @override
    def cancel(self, msg: object = None) -> bool:
        loop = self.get_loop()
        if self.is_cancelled or self.is_done or loop is None:
            return False  # the task then throws the CancelledError in
        self.is_cancelled = True
        self._cancel_args = () if msg is None else (msg,)
        if self.claim():
            self.is_done = True
            loop.call_soon(self.deliver)
        elif self.inner_cancel is not None:
            self.inner_cancel()
        # The task cannot take a step before the function has left its context.
        return True
