"""What the suites for runners have in common."""

import asyncio
from collections.abc import Callable, Coroutine
from contextvars import Context
from typing import Any, ClassVar, TypeVar

import pytest

from ...executors import CurrentThreadExecutor
from ...types import CallerExecutor, LoopRunner
from ._tools import call_close, fixture_missing

__all__ = ("RunnerSuite", "run", "through")

T = TypeVar("T")


def run(
    runner: LoopRunner,
    coro: Coroutine[Any, Any, T],
    context: Context | None = None,
    caller: CurrentThreadExecutor | None = None,
) -> T:
    """Run *coro* as a bridge would; *caller* is closed then."""
    context = Context() if context is None else context  # an empty one is falsy
    with caller or CurrentThreadExecutor() as serving:
        return runner.run(coro, context=context, caller=serving)


async def through(caller: CallerExecutor, function: Callable[[], T]) -> T:
    """Run *function* on the caller's thread."""
    return await asyncio.wrap_future(caller.submit(function))


class RunnerSuite:
    """The fixture and the options; `RunnerConformance` documents them."""

    shares_loop: ClassVar[bool] = False

    @pytest.fixture
    def runner(self) -> LoopRunner:
        """Provide the runner: yours overrides this one."""
        fixture_missing(type(self), "runner")

    def close(self, runner: LoopRunner) -> None:
        """Close it; override for runners that end in a way of their own."""
        call_close(runner)
