"""Telling observers and the log, without ever failing."""

import logging
from collections.abc import Callable
from typing import Final, final

import attrs

from ..types import (
    Clock,
    CloseReason,
    Envelope,
    ServerObserver,
    Settlement,
)

__all__ = ("Reporter", "logger")

logger: Final = logging.getLogger("asgibridge.servers")


@final
@attrs.frozen(eq=False)
class Reporter:
    """Hands each happening to all observers, and failures to the log.

    Args:
        observers: Told in this order.
        clock: Measures the durations.
    """

    observers: tuple[ServerObserver, ...]
    clock: Clock

    def opened(self, scope_id: str) -> None:
        """Report a new application instance."""
        for observer in self.observers:
            self._tell(observer.opened, scope_id)

    def closed(self, scope_id: str, since: float, reason: CloseReason) -> None:
        """Report the end of an instance that was started at *since*."""
        if self.observers:
            seconds = self.clock() - since
            for observer in self.observers:
                self._tell(observer.closed, scope_id, seconds, reason)

    def settled(
        self, envelope: Envelope, how: Settlement, since: float, reason: str
    ) -> None:
        """Report the settlement of a message that was pulled at *since*."""
        if how is Settlement.DEAD:
            scope_id = envelope.scope_id
            logger.error("A message of %r is a dead letter: %s", scope_id, reason)
        if self.observers:
            seconds = self.clock() - since
            for observer in self.observers:
                self._tell(observer.settled, envelope, how, seconds)

    def failed(self, what: str, exception: BaseException) -> None:
        """Report something that raised."""
        # Where a connection broke is no news, and there may be many of them.
        trace = None if isinstance(exception, ConnectionError) else exception
        logger.error("%s: %r", what, exception, exc_info=trace)
        for observer in self.observers:
            self._tell(observer.failed, what, exception)

    def _tell(self, method: Callable[..., None], *args: object) -> None:
        try:
            method(*args)
        except Exception:
            logger.exception("The observer's %r raised", method)
