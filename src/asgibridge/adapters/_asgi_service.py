"""The loop and the lifespan that an ASGI application has in one process."""

import asyncio
import os
from asyncio import AbstractEventLoop
from collections.abc import Callable
from typing import Any, final

import attrs

from ..loops import Mailbox
from ._asgi import ASGIApp
from ._lifespan import Lifespan
from ._loop_thread import LoopThread

__all__ = ("AsgiService",)


@final
@attrs.define(eq=False, weakref_slot=True)
class AsgiService:
    """Starts with its creation: the loop runs, the lifespan has begun.

    Args:
        app: The application.
        loop_factory: Makes the loop.
        has_lifespan: Whether the application is asked for a lifespan.

    Raises:
        LifespanFailedError: If the application says that its startup failed.
    """

    _app: ASGIApp
    _loop_factory: Callable[[], AbstractEventLoop]
    _has_lifespan: bool
    tasks: set[asyncio.Task[None]] = attrs.field(
        factory=set[asyncio.Task[None]], init=False
    )
    """The requests in flight: a loop by itself does not keep tasks alive."""
    _process: int = attrs.field(init=False)
    _thread: LoopThread = attrs.field(init=False)
    _lifespan: Lifespan | None = attrs.field(default=None, init=False)
    _is_stopped: bool = attrs.field(default=False, init=False)

    def __attrs_post_init__(self) -> None:
        """Start the loop and the application."""
        self._process = os.getpid()
        self._thread = LoopThread(self._loop_factory, "asgibridge-asgi")
        if not self._has_lifespan:
            return
        self._lifespan = Lifespan(self._app)
        try:
            self._thread.run(self._lifespan.start())
        except BaseException:
            self._thread.stop()
            raise

    @property
    def mailbox(self) -> Mailbox:
        """How threads reach the loop."""
        return self._thread.mailbox

    @property
    def state(self) -> dict[str, Any] | None:
        """The lifespan's state; None without lifespan."""
        return None if self._lifespan is None else self._lifespan.state

    @property
    def is_of_this_process(self) -> bool:
        """False in a forked child: the thread is the parent's."""
        return self._process == os.getpid()

    @property
    def is_current(self) -> bool:
        """Whether the calling thread is that of the loop."""
        return self._thread.is_current

    def stop(self, drain_timeout: float = 0.0) -> None:
        """Let requests end, shut the application down, and stop the loop.

        A second call, or one in a forked child, does nothing.

        Args:
            drain_timeout: How long requests and what they left behind may
                take, in seconds; they are cancelled then.
        """
        if self._is_stopped or not self.is_of_this_process:
            return
        self._is_stopped = True
        if self._thread.is_current:
            self._thread.stop()  # forgotten by the last request: nobody can wait
            return
        self._thread.run(self._shut_down(drain_timeout))
        self._thread.stop()

    async def _shut_down(self, drain_timeout: float) -> None:
        if self.tasks:
            await asyncio.wait(self.tasks, timeout=drain_timeout)
        if self._lifespan is not None:
            await self._lifespan.stop()
