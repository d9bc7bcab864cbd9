"""asgibridge: as configured by default, and with coroutines in the caller's thread."""

from asyncio import AbstractEventLoop
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from asgibridge import Bridge
from asgibridge.executors import InThreadLoopRunner, PerCallLoopRunner

from .._hosts import AsyncioHost
from .._model import Setting
from ._protocols import ContextToolkit, Library

__all__ = ("IN_THREAD", "OURS")


@contextmanager
def _helper(setting: Setting) -> Iterator[ContextToolkit]:
    runner = PerCallLoopRunner(loop_factory=_loop_factory(setting))
    with runner, Bridge(runner=runner) as bridge:
        yield bridge


@contextmanager
def _in_thread(setting: Setting) -> Iterator[ContextToolkit]:
    runner = InThreadLoopRunner(loop_factory=_loop_factory(setting))
    with runner, Bridge(runner=runner) as bridge:
        yield bridge


def _loop_factory(setting: Setting) -> Callable[[], AbstractEventLoop] | None:
    """None for asyncio's, as users do: the runner then has its own."""
    return None if setting.loop == "asyncio" else setting.new_loop


OURS = Library("asgibridge", "ours", AsyncioHost.open, _helper)
IN_THREAD = Library("asgibridge, in thread", "ours", AsyncioHost.open, _in_thread)
