"""Logging calls that take long, or wait long."""

import logging
import threading
from typing import Final, final

import attrs

from ..types import Crossing
from ._names import name_of

__all__ = ("LoggingObserver",)

_logger: Final = logging.getLogger("asgibridge.crossings")


@final
@attrs.define(eq=False)
class LoggingObserver:
    """Logs crossings that wait or run for long, and who was in their way.

    Slow ones are warnings when they end, stuck ones are errors while they wait
    (see ``stuck_after`` of the bridge).  What fails is logged as debug, since
    the exception goes to the caller.  Thread-safe.

    Args:
        slow_after: How long a function may run without being logged, in seconds.
        waited_after: How long a call may wait for its thread or loop, likewise.
        logger: None is the logger ``asgibridge.crossings``.
    """

    slow_after: float = attrs.field(default=0.5, kw_only=True)
    waited_after: float = attrs.field(default=0.1, kw_only=True)
    _logger: logging.Logger = attrs.field(default=_logger, kw_only=True, alias="logger")
    # The function that ended last on each thread: who was in the way of the next.
    # One entry per thread; each is written by its own thread only.
    _last: dict[int, str] = attrs.field(factory=dict[int, str], init=False, repr=False)

    def queued(self, crossing: Crossing, /) -> None:
        """Do nothing yet."""

    def started(self, crossing: Crossing, /) -> None:
        """Log a long wait."""
        waited = (crossing.started_at or crossing.queued_at) - crossing.queued_at
        if waited < self.waited_after:
            return
        self._logger.warning(
            "%s waited %.3f s for thread %s, behind %s",
            name_of(crossing.function),
            waited,
            threading.current_thread().name,
            self._last.get(threading.get_ident(), "nothing that was seen"),
        )

    def finished(self, crossing: Crossing, /) -> None:
        """Log a long run, and a failure."""
        started, finished = crossing.started_at, crossing.finished_at
        ran = 0.0 if started is None or finished is None else finished - started
        exc = crossing.exception
        name = self._last[threading.get_ident()] = name_of(crossing.function)
        if ran >= self.slow_after:
            self._logger.warning(
                "%s ran %.3f s on thread %s (%s)",
                name,
                ran,
                threading.current_thread().name,
                crossing.direction,
            )
        if exc is not None:
            self._logger.debug(
                "%s raised %s after %.3f s", name, type(exc).__name__, ran
            )

    def stuck(self, crossing: Crossing, seconds: float, behind: str, /) -> None:
        """Log who waits, and behind what."""
        self._logger.error(
            "%s has been waiting for %.1f s behind %s",
            name_of(crossing.function),
            seconds,
            behind,
        )
