"""asgibridge: as configured by default, and with coroutines in the caller's thread."""

from collections.abc import Iterator
from contextlib import contextmanager

from asgibridge.executors import PerCallLoopRunner

from asgibridge import Bridge

from .._hosts import AsyncioHost
from .._model import Setting
from ._protocols import ContextToolkit, Library

__all__ = ("IN_THREAD", "OURS")


@contextmanager
def _helper(setting: Setting) -> Iterator[ContextToolkit]:
    runner = PerCallLoopRunner(loop_factory=setting.new_loop)
    with Bridge(runner=runner) as bridge:
        yield bridge


@contextmanager
def _in_thread(setting: Setting) -> Iterator[ContextToolkit]:
    runner = PerCallLoopRunner(loop_factory=setting.new_loop, in_caller_thread=True)
    with Bridge(runner=runner) as bridge:
        yield bridge


OURS = Library("asgibridge", "ours", AsyncioHost.open, _helper)
IN_THREAD = Library("asgibridge, in thread", "ours", AsyncioHost.open, _in_thread)
