"""Loops for one call each, and threads for them: what runners of both have."""

from asyncio import AbstractEventLoop
from collections.abc import Callable
from types import TracebackType
from typing import Self

import attrs

from .._options import factory, seconds, whole
from ..loops import LoopCache
from ._forks import forget_after_fork
from ._threads import ThreadCache
from ._worker import join_all

__all__ = ("LoopOwner",)


@attrs.define(eq=False, weakref_slot=True)
class LoopOwner:
    """Owns the idle loops and threads of a runner.

    Args:
        loop_factory: Makes the loops, each for one call.
        max_idle: How many idle loops are kept.
        idle_timeout: How long an idle thread is kept, in seconds.
        name: The beginning of the threads' names.
    """

    loop_factory: Callable[[], AbstractEventLoop] | None = attrs.field(
        default=None,
        kw_only=True,
        validator=factory,
        on_setattr=attrs.setters.frozen,
    )
    max_idle: int = attrs.field(
        default=8,
        kw_only=True,
        validator=whole(0),
        on_setattr=attrs.setters.frozen,
    )
    idle_timeout: float = attrs.field(
        default=10.0,
        kw_only=True,
        validator=seconds,
        on_setattr=attrs.setters.frozen,
    )
    name: str = attrs.field(
        default="asgibridge-loop", kw_only=True, on_setattr=attrs.setters.frozen
    )
    _threads: ThreadCache = attrs.field(init=False, repr=False)
    _loops: LoopCache = attrs.field(init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        self._loops = LoopCache(self.loop_factory, self.max_idle)
        self._threads = ThreadCache(
            self.name, max_workers=None, idle_timeout=self.idle_timeout
        )
        forget_after_fork(self)

    def close(self) -> None:
        """End the idle threads and loops.  Calls that run now end first.

        Raises:
            DeadlockError: In a call that runs now, which would wait for itself.
        """
        try:
            join_all(self._threads.close(), self.name)
        finally:
            self._loops.close()

    def forget(self) -> None:
        """Become as new, in a forked child."""
        self._threads.forget()
        self._loops.forget()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
