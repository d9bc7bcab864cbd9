"""Observers: what looks at crossings without being in their way.

`OpenTelemetryObserver` is in `asgibridge.observers.otel`: it needs the extra of
that name.
"""

from ._calls import TimelineCall as TimelineCall
from ._logging import LoggingObserver as LoggingObserver
from ._page import TimelineAction as TimelineAction, TimelinePage as TimelinePage
from ._timeline import TimelineObserver as TimelineObserver

__all__ = (
    "LoggingObserver",
    "TimelineAction",
    "TimelineCall",
    "TimelineObserver",
    "TimelinePage",
)
