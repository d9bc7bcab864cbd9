"""One blocking call that a task waits for."""

import sys
from asyncio import AbstractEventLoop, CancelledError, get_running_loop
from collections.abc import Callable, Generator
from contextvars import Context, Token, copy_context
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from ..executors import name_of
from ..loops import Mailbox, context_unchanged, running_loop_or_none
from ._cancellation import shielded
from ._context import take_back, write_back
from ._late import report_late

if TYPE_CHECKING:
    from ._engine import Engine
    from ._hosted import HostedCall
    from ._observation import CrossingRecord
    from ._places import Place

__all__ = ("BlockingCall",)

T = TypeVar("T")


class BlockingCall(Generic[T]):
    """Runs a function on another thread while the awaiting task is parked.

    The task parks on this object itself, which speaks asyncio's future protocol
    (`_asyncio_future_blocking`, `get_loop`, `add_done_callback`, `result`, `cancel`): no
    future is made, and completion runs the task's next step directly.

    Whoever takes the ticket decides what becomes of the call: a thread that
    takes it runs the function, the task that takes it withdraws the call.  So a
    call may be queued in several places at once, and runs at most once.
    """

    __slots__ = (
        "__weakref__",
        "_asyncio_future_blocking",
        "_base",
        "_cancel_args",
        "_context",
        "_fn",
        "_handling",
        "_is_left",
        "_may_abandon",
        "_ticket",
        "_tokens",
        "_wakeup",
        "_wakeup_context",
        "can_host",
        "crossing",
        "engine",
        "exception",
        "get_loop",
        "hosted",
        "inner_cancel",
        "is_cancelled",
        "is_done",
        "mailbox",
        "place",
        "returned",
    )

    def __init__(
        self,
        engine: "Engine",
        mailbox: Mailbox,
        fn: Callable[..., T],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        may_abandon: bool,  # noqa: FBT001  # keywords would cost time here
    ) -> None:
        self.engine: Engine = engine
        self._fn = fn
        # Whoever pops it takes the call.
        self._ticket = [(args, kwargs)]
        self._may_abandon = may_abandon
        self._context: Context = copy_context()
        self._base: Context = self._context.copy()
        # What the caller is handling: the function sees it, as a plain call would.
        self._handling = sys.exception()
        # Of variables that were set in the task before the function had ended.
        self._tokens: list[Token[Any]] | None = None
        self._wakeup: Callable[[object], object] | None = None
        self._wakeup_context: Context
        self._cancel_args: tuple[Any, ...]
        self.exception: BaseException | None = None
        self.returned: T
        self._is_left = False
        # What observers know of the call, if there are any.
        self.crossing: CrossingRecord | None = None
        # Where the call is queued; set by the route.
        self.place: Place
        self.mailbox: Mailbox = mailbox
        # The loop of the awaiting task, for the task to ask; as a weak reference,
        # since a loop that is there for one call only may be given to the next
        # one if nobody holds it.
        self.get_loop: Callable[[], AbstractEventLoop | None] = mailbox.loop
        self.is_done: bool = False
        self.is_cancelled: bool = False
        # Whether the task is parked while the function runs, so that it can run
        # a coroutine for it; not so when both are on one thread.
        self.can_host: bool = True
        # The coroutine that the function waits for and the task is to run.
        self.hosted: HostedCall[Any] | None = None
        # Cancels a coroutine that the function waits for on another loop.
        self.inner_cancel: Callable[[], object] | None = None

    def __str__(self) -> str:
        return name_of(self._fn)

    def __repr__(self) -> str:
        if self.is_done:
            state = "done"
        elif self._ticket:
            state = "queued"
        else:
            state = "running"
        return f"<blocking call {self} {state}>"

    # -- for executors, on any thread --

    def run(self) -> None:
        """Run the function, if nobody has run it or withdrawn the call."""
        try:
            args, kwargs = self._ticket.pop()
        except IndexError:
            return
        state = self.engine.threads.state
        outer, state.call = state.call, self
        try:
            if self._handling is not None:
                self.returned = self._run_handling(self._handling, args, kwargs)
            elif args or kwargs:
                self.returned = self._context.run(self._fn, *args, **kwargs)
            else:  # what the line above would spend most of its time unpacking
                self.returned = self._context.run(self._fn)
        except BaseException as exc:  # noqa: BLE001  # the awaiting task gets it
            traceback = exc.__traceback__
            self.exception = exc.with_traceback(traceback and traceback.tb_next)
            del exc, traceback
        state.call = outer
        self._complete()

    def claim(self) -> bool:
        """Take the ticket; False if somebody else has it."""
        try:
            self._ticket.pop()  # atomic, with a GIL and without
        except IndexError:
            return False
        return True

    def fail(self, exception: BaseException) -> None:
        """End the call with *exception*, unless it runs or has run."""
        if self.claim():
            self.exception = exception
            self._complete()

    @property
    def goes_on(self) -> bool:
        """Whether the thread that has run the function runs others now."""
        return self.is_done and self.place.has_more

    def needs_this_thread(self) -> bool:
        """Whether the function waits for a coroutine of the loop that runs here."""
        hosted = self.hosted
        if hosted is None or hosted.is_done:
            return False
        loop = self.get_loop()
        return loop is not None and loop is running_loop_or_none()

    def check_cancelled(self) -> None:
        """Raise if the awaiting task was cancelled: no more work for it."""
        if self.is_cancelled:
            raise self.cancellation()

    def cancellation(self) -> CancelledError:
        """Return what the awaiting task was cancelled with."""
        return CancelledError(*self._cancel_args)

    @property
    def made_in(self) -> "Place | None":
        """The innermost place around the code that made the call."""
        return self._context.get(self.engine.affinity)

    @property
    def is_waiting(self) -> bool:
        """Whether the function has not been started yet."""
        return bool(self._ticket)

    def _run_handling(
        self, handling: BaseException, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> T:
        traceback = handling.__traceback__
        try:
            raise handling
        except BaseException as exc:  # noqa: BLE001  # it is being handled above
            exc.__traceback__ = traceback
            del exc
            return self._context.run(self._fn, *args, **kwargs)

    def _complete(self) -> None:
        self.is_done = True
        try:
            self.mailbox.post(self)
        except RuntimeError:  # the loop is closed, the task is no more
            report_late(self, self.exception, None)

    # -- for the task, on the loop's thread --

    def __await__(self) -> Generator[Any, None, None]:
        """Park the task until the function has ended.

        What it raised is in `exception` then, for the wrapper to raise: so the
        traceback shows the wrapper and the function, and nothing in between.
        """
        try:
            # At least once, even if the function was that fast: a task that
            # makes one call after another must let others have their turn.
            is_parked = True
            while is_parked:
                self._asyncio_future_blocking = True
                try:
                    yield self
                except CancelledError as exc:
                    self._note_cancellation(exc)
                if self.hosted is not None:
                    yield from self._host(self.hosted)
                elif self.is_cancelled and not self.is_done:
                    yield from self._outlast()
                is_parked = not self.is_done
        except GeneratorExit:  # the task is being destroyed with its loop
            self._is_left = True
            self.claim()
            raise
        if not context_unchanged(self._context, self._base):
            self._write_back()
        if self.is_cancelled:
            self._put_cancellation_first()

    def _note_cancellation(self, exc: CancelledError) -> None:
        """A second cancellation, which was thrown in: remember it."""
        self.is_cancelled = True
        self._cancel_args = exc.args

    def _outlast(self) -> Generator[Any, None, None]:
        """The task was cancelled: withdraw the call, leave it, or wait for its end."""
        if self.claim():
            raise self.cancellation()
        if self._may_abandon:
            self._is_left = True
            raise self.cancellation()
        if self.inner_cancel is not None:
            self.inner_cancel()
        with shielded():
            while not self.is_done:
                self._asyncio_future_blocking = True
                try:
                    yield self
                except CancelledError as exc:
                    self._note_cancellation(exc)
                if self.hosted is not None:
                    yield from self._host(self.hosted)

    def _host(self, hosted: "HostedCall[Any]") -> Generator[Any, None, None]:
        """Run the coroutine that the function waits for in this very task."""
        if not hosted.claim():
            return
        if self.is_cancelled:
            hosted.refuse(self.cancellation())
            return
        self._tokens = tokens = self._tokens or []
        self._base = yield from hosted.serve(self._base, tokens)

    def heed(self, cancel_args: tuple[Any, ...]) -> None:
        """Remember a cancellation that the coroutine ended with.

        It is not for the function to swallow.
        """
        self._cancel_args = cancel_args
        self.is_cancelled = True

    def _write_back(self) -> None:
        """Bring what the function set to the caller."""
        write_back(self._context, self._base)
        if self._tokens is not None:
            take_back(self._tokens, self._context)

    def _put_cancellation_first(self) -> None:
        """Have the task raise CancelledError, whatever the function did."""
        exception = self.exception
        if not isinstance(exception, (CancelledError, KeyboardInterrupt, SystemExit)):
            self.exception = self.cancellation()
            self.exception.__cause__ = exception

    def take_exception(self) -> BaseException:
        """Return what the function raised, if it did, and let go of it."""
        exception, self.exception = self.exception, None
        assert exception is not None  # noqa: S101  # see above
        return exception

    def deliver(self) -> None:
        """Wake the task; in a callback of the loop."""
        wakeup = self._wakeup
        if wakeup is not None:
            self._wakeup = None
            self._wakeup_context.run(wakeup, self)
        elif self._is_left:
            self._deliver_late()

    def _host_apart(self, hosted: "HostedCall[Any]") -> None:
        """Have the coroutine run in a task of its own, unless the call is cancelled."""
        if self.is_cancelled:
            hosted.refuse(self.cancellation())
        else:
            self.inner_cancel = hosted.adopt(get_running_loop()).cancel

    def _forget_crossing(self) -> None:
        """Let go of the function that observers were told about."""
        self.crossing = None

    def _deliver_late(self) -> None:
        if self.hosted is not None and self.hosted.claim():
            _ = self.hosted.adopt(get_running_loop())  # the engine keeps it
        elif self.is_done:
            exception, self.exception = self.exception, None
            report_late(self, exception, self.get_loop())

    # -- asyncio's future protocol, called by the task --

    def add_done_callback(
        self, wakeup: Callable[[object], object], /, *, context: Context
    ) -> None:
        """Remember how to wake the task."""
        self._wakeup = wakeup
        self._wakeup_context = context

    def result(self) -> None:
        """Return nothing: the task goes on in `__await__`, which knows more."""

    def cancel(self, msg: object = None) -> bool:
        """Wake the task so that it can decide; False if it was woken before."""
        loop = self.get_loop()
        if self._wakeup is None or self.is_cancelled or self.is_done or loop is None:
            return False  # the task then throws the CancelledError in
        self.is_cancelled = True
        self._cancel_args = () if msg is None else (msg,)
        loop.call_soon(self.deliver)
        return True
