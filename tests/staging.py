"""Making things happen in one order: gates, loops that settle, odd executors."""

import asyncio
import inspect
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any, ParamSpec, TypeVar, final

__all__ = (
    "PATIENCE",
    "BareExecutor",
    "Gate",
    "Step",
    "in_thread",
    "is_closed",
    "run",
    "settled",
)

P = ParamSpec("P")
T = TypeVar("T")

PATIENCE = 60.0
"""Seconds after which something counts as never; no passing test waits so."""


@final
class Gate:
    """A blocking function that says when it is in, and waits to be let out."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self.opened = threading.Event()
        self.thread: int | None = None

    def __call__(self) -> str:
        """Wait to be let out."""
        self.thread = threading.get_ident()
        self.entered.set()
        assert self.opened.wait(PATIENCE), "nobody let it out"
        return "out"

    def wait_entered(self) -> None:
        """Block until somebody is in."""
        assert self.entered.wait(PATIENCE), "nobody came in"

    async def entered_async(self) -> None:
        """Wait until somebody is in, without stopping the loop."""
        await asyncio.to_thread(self.wait_entered)

    def open(self) -> None:
        """Let everybody out."""
        self.opened.set()


@final
class Step:
    """A piece of work that calls a function and says when it was run."""

    def __init__(self, function: Callable[[], object] = int) -> None:
        self._function = function
        self.done = threading.Event()
        self.thread: int | None = None

    def __str__(self) -> str:
        return "a step"

    def run(self) -> None:
        """Do it."""
        self.thread = threading.get_ident()
        self._function()
        self.done.set()

    def wait(self) -> None:
        """Block until it was done."""
        assert self.done.wait(PATIENCE), "it was never run"


@final
class BareExecutor:
    """An executor with nothing but `submit`, whose calls are run by hand."""

    def __init__(self) -> None:
        self.calls: list[tuple[Future[Any], Callable[[], Any]]] = []

    def submit(
        self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs
    ) -> Future[T]:
        """Keep the call."""
        future: Future[T] = Future()
        self.calls.append((future, lambda: fn(*args, **kwargs)))
        return future

    def run_next(self) -> None:
        """Run the oldest call here."""
        future, call = self.calls.pop(0)
        if future.set_running_or_notify_cancel():
            future.set_result(call())


def run(
    main: Callable[[], Coroutine[Any, Any, T]],
    loop_factory: Callable[[], asyncio.AbstractEventLoop] | None = None,
) -> T:
    """Run ``main()`` on a loop of its own."""

    async def limited() -> T:
        async with asyncio.timeout(PATIENCE):
            return await main()

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        return runner.run(limited())


async def settled(rounds: int = 20) -> None:
    """Let everything happen that needs no other thread."""
    for _ in range(rounds):
        await asyncio.sleep(0)


def is_closed(coro: Coroutine[Any, Any, Any]) -> bool:
    """Whether *coro* can never run again."""
    return inspect.getcoroutinestate(coro) == inspect.CORO_CLOSED


def in_thread(function: Callable[[], T]) -> T:
    """Run *function* on a new thread and return what it does."""
    future: Future[T] = Future()

    def main() -> None:
        try:
            future.set_result(function())
        except BaseException as exc:  # noqa: BLE001  # handed on
            future.set_exception(exc)

    thread = threading.Thread(target=main, name="test")
    thread.start()
    try:
        return future.result(PATIENCE)
    finally:
        thread.join(PATIENCE)
