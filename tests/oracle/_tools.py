"""Order without sleeping."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from contextvars import Context
from typing import Any, TypeVar, TypeVarTuple, final

__all__ = (
    "PATIENCE",
    "AdvancedLoop",
    "Gate",
    "frames",
    "run",
    "settled",
    "threads_now",
)

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

PATIENCE = 5.0
"""Seconds after which something counts as never; nothing that works waits so."""


@final
class Gate:
    """A blocking function that says when it is in, and waits to be let out.

    Args:
        full: How many have to be in before `entered` is set.
    """

    def __init__(self, full: int = 1) -> None:
        self.entered = threading.Event()
        self.opened = threading.Event()
        self.left = False
        self._missing = threading.Semaphore(full - 1)

    def __call__(self) -> str:
        """Wait to be let out."""
        if not self._missing.acquire(blocking=False):
            self.entered.set()
        assert self.opened.wait(PATIENCE), "nobody let it out"
        self.left = True
        return "out"

    async def wait_entered(self) -> None:
        """Wait until somebody is in, without stopping the loop."""
        in_time = await asyncio.get_running_loop().run_in_executor(
            None, self.entered.wait, PATIENCE
        )
        assert in_time, "nobody came in"

    def open(self) -> None:
        """Let everybody out."""
        self.opened.set()


@final
class AdvancedLoop(asyncio.SelectorEventLoop):
    """A loop whose clock can be put forward, and that counts its callbacks."""

    def __init__(self) -> None:
        super().__init__()
        self._ahead = 0.0
        self.scheduled = 0

    def time(self) -> float:
        """Return the real time, and what it was put forward by."""
        return super().time() + self._ahead

    def advance(self, seconds: float) -> None:
        """Put the clock forward."""
        self._ahead += seconds

    def call_soon(
        self,
        callback: Callable[[*Ts], object],
        *args: *Ts,
        context: Context | None = None,
    ) -> asyncio.Handle:
        """Count and schedule."""
        self.scheduled += 1
        return super().call_soon(callback, *args, context=context)


def run(
    main: Callable[[], Coroutine[Any, Any, T]],
    loop_factory: Callable[[], asyncio.AbstractEventLoop] | None = None,
) -> T:
    """Run ``main()`` on a loop of its own."""
    with asyncio.Runner(loop_factory=loop_factory) as runner:
        return runner.run(main())


async def settled(rounds: int = 20) -> None:
    """Let everything happen that needs no other thread."""
    for _ in range(rounds):
        await asyncio.sleep(0)


def threads_now() -> set[threading.Thread]:
    """Return the threads there are."""
    return set(threading.enumerate())


def frames(exc: BaseException) -> list[str]:
    """Return the files of the frames of *exc*'s traceback."""
    files: list[str] = []
    entry = exc.__traceback__
    while entry is not None:
        files.append(entry.tb_frame.f_code.co_filename)
        entry = entry.tb_next
    return files
