"""An event loop in simulated time, for everything that waits."""

import asyncio
import selectors
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

import pytest

Simulate = Callable[[Coroutine[Any, Any, None]], float]


class SimulatedLoop(asyncio.SelectorEventLoop):
    """A loop on which waiting takes no time.

    Its clock stands still while code runs, and jumps to the next timer when
    nothing else is left to do.  If there is no timer either, it raises: what
    would hang for ever fails at once.
    """

    now = 0.0

    def __init__(self) -> None:
        super().__init__(JumpingSelector(self))

    def time(self) -> float:
        return self.now


class JumpingSelector(selectors.SelectSelector):
    """Waits by setting the loop's clock."""

    def __init__(self, loop: SimulatedLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(
        self, timeout: float | None = None
    ) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready:
            if timeout is None:
                msg = "nothing will ever happen any more"
                raise RuntimeError(msg)
            self._loop.now += timeout
        return ready


@pytest.fixture(scope="session")
def simulate() -> Simulate:
    """Run a coroutine in simulated time; return the seconds it took.

    Everything that the code under test reports to the loop's exception handler
    is an error, and so is a task that it leaves behind.
    """

    def run(main: Coroutine[Any, Any, None]) -> float:
        problems: list[Mapping[str, Any]] = []

        async def checked() -> None:
            loop = asyncio.get_running_loop()
            loop.set_exception_handler(lambda _, context: problems.append(context))
            await main
            left = asyncio.all_tasks() - {asyncio.current_task()}
            assert not left, f"left behind: {left}"

        with asyncio.Runner(loop_factory=SimulatedLoop) as runner:
            runner.run(checked())
            seconds = runner.get_loop().time()
        assert not problems, problems
        return seconds

    return run
