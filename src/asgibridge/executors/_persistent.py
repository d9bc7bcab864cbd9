"""One loop for all calls."""

import asyncio
import os
import threading
from asyncio import AbstractEventLoop
from collections.abc import Callable, Coroutine
from contextlib import suppress
from contextvars import Context
from types import TracebackType
from typing import Any, Self, TypeVar, final

import attrs

from .._options import factory
from ..errors import DeadlockError, ExecutorClosedError, NoThreadError
from ..loops import retire
from ..types import CallerExecutor
from ._loop_call import LoopCall
from ._worker import deadlock_at_close, start

__all__ = ("PersistentLoopRunner",)

T = TypeVar("T")


@final
@attrs.define(eq=False, weakref_slot=True)
class PersistentLoopRunner:
    """Runs coroutines on one loop that lives from call to call.

    For clients and connection pools that belong to a loop.  The loop runs on a
    thread of its own, which starts with the first call; callers in several
    threads share it.  Tasks that a call leaves behind go on.

    Thread-safe.  Creating a runner starts nothing; a forked child starts with a
    new loop.  Whoever creates a runner closes it.

    Args:
        loop_factory: Makes the loop; None takes that of the standard library.
        name: Of the thread.
    """

    loop_factory: Callable[[], AbstractEventLoop] | None = attrs.field(
        default=None,
        kw_only=True,
        validator=factory,
        on_setattr=attrs.setters.frozen,
    )
    name: str = attrs.field(
        default="asgibridge-persistent-loop",
        kw_only=True,
        on_setattr=attrs.setters.frozen,
    )
    # The process that the fields below are about.
    _process: int = attrs.field(init=False, repr=False)
    _lock: threading.Lock = attrs.field(init=False, repr=False)
    # guarded by _lock:
    _loop: AbstractEventLoop | None = attrs.field(init=False, repr=False)
    _thread: threading.Thread | None = attrs.field(init=False, repr=False)
    _is_closed: bool = attrs.field(init=False)
    # Tells the thread that the loop was not stopped by a call.
    _closing: threading.Event = attrs.field(init=False, repr=False)
    # What runs on the loop; only its thread changes it.
    _calls: "_Calls" = attrs.field(init=False, repr=False)
    # The loop of the parent process: see LoopCache.forget.
    _of_parent: AbstractEventLoop | None = attrs.field(
        default=None, init=False, repr=False
    )

    def __attrs_post_init__(self) -> None:
        self._loop = None
        self.forget()

    def forget(self) -> None:
        """Become as new, in a forked child."""
        self._process = os.getpid()
        self._of_parent = self._loop
        self._lock = threading.Lock()
        self._loop = None
        self._thread = None
        self._is_closed = False
        self._closing = threading.Event()
        self._calls = _Calls()

    def run(
        self,
        coro: Coroutine[Any, Any, T],
        /,
        *,
        context: Context,
        caller: CallerExecutor,
    ) -> T:
        """Run *coro* on the loop and serve *caller* meanwhile.

        Raises:
            DeadlockError: On the loop's own thread.
            ExecutorClosedError: After `close`, or if the loop was closed.
            NoThreadError: If no thread can be started for the loop.
        """
        call = LoopCall(coro, context, caller)
        try:
            return call.wait(lambda: self._schedule(call))
        except NoThreadError:
            if call.claim():  # else it is the coroutine's own
                coro.close()
            raise

    def close(self) -> None:
        """Cancel what still runs on the loop, close it and end the thread.

        Raises:
            DeadlockError: In a call that runs on the loop, which would wait for
                itself.
        """
        if self._process != os.getpid():
            self.forget()
        with self._lock:
            self._is_closed = True
            self._closing.set()
            loop, thread = self._loop, self._thread
            self._loop = self._thread = None
        if loop is None or thread is None:
            return
        if not self._calls.is_over:  # else somebody stopped it, and it is ending
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(loop.stop)
        if thread is threading.current_thread() or self._calls.need_this_thread():
            raise deadlock_at_close(self.name, thread.name)
        thread.join()

    def _schedule(self, call: LoopCall[Any]) -> None:
        loop = self._running_loop(call)
        call.expect(loop)
        try:
            loop.call_soon_threadsafe(self._calls.start, call)
        except RuntimeError as exc:
            msg = (
                f"cannot run {call}: the loop of runner {self.name!r} was stopped, "
                f"and ended with that; do not stop it, and make a new runner"
            )
            raise ExecutorClosedError(msg) from exc

    def _running_loop(self, call: LoopCall[Any]) -> AbstractEventLoop:
        # Looked at instead of registering for forks, which cannot be taken back:
        # portals make runners for a short time.
        if self._process != os.getpid():
            self.forget()
        with self._lock:
            if self._is_closed:
                msg = f"cannot run {call}: runner {self.name!r} is closed"
                raise ExecutorClosedError(msg)
            if self._thread is threading.current_thread():
                msg = (
                    f"{call} was called on the thread of the loop {self.name!r} that "
                    f"would run it, which would wait for itself; await it instead"
                )
                raise DeadlockError(msg)
            if self._loop is None:
                self._start()
            assert self._loop is not None  # noqa: S101  # it was started
            return self._loop

    def _start(self) -> None:
        """Make the loop and its thread; the lock is held."""
        loop = (self.loop_factory or asyncio.new_event_loop)()
        thread = threading.Thread(
            target=_run_loop,
            args=(loop, self._calls, self._closing),
            name=self.name,
            daemon=True,
        )
        try:
            start(thread)
        except NoThreadError:
            loop.close()
            raise
        self._loop, self._thread = loop, thread

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
class _Calls:
    """What runs on one loop; only the loop's thread changes it."""

    running: set[LoopCall[Any]] = attrs.field(factory=set[LoopCall[Any]], init=False)
    is_over: bool = attrs.field(default=False, init=False)

    def start(self, call: LoopCall[Any]) -> None:
        """Start *call*, unless the loop is about to end."""
        if not call.claim():  # its caller was interrupted
            return
        if self.is_over:
            call.give_up()
            return

        def finish(_: object) -> None:
            self.running.discard(call)
            if not call.is_done:
                call.collect()
                call.announce()

        self.running.add(call)
        call.start(asyncio.get_running_loop()).add_done_callback(finish)

    def need_this_thread(self) -> bool:
        """Whether the current thread waits for one of them; from any thread."""
        return any(call.needs_this_thread() for call in list(self.running))

    def give_up(self) -> None:
        """End every wait: a call has stopped the loop, for the others too."""
        self.is_over = True
        for call in self.running:
            call.give_up()


def _run_loop(loop: AbstractEventLoop, calls: _Calls, closing: threading.Event) -> None:
    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
        if not closing.is_set():
            calls.give_up()
    finally:
        retire(loop)
        asyncio.set_event_loop(None)
