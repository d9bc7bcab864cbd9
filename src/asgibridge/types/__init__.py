"""Interfaces: what the parts of asgibridge expect of one another and of you."""

from ._clock import Clock as Clock
from ._executors import (
    BlockingExecutor as BlockingExecutor,
    CallerExecutor as CallerExecutor,
    ExecutorLease as ExecutorLease,
    Outcome as Outcome,
    Runnable as Runnable,
    SupportsLease as SupportsLease,
    SupportsPost as SupportsPost,
)
from ._observers import (
    Crossing as Crossing,
    Direction as Direction,
    Observer as Observer,
)
from ._runners import (
    LoopRunner as LoopRunner,
    SingleThreadRunner as SingleThreadRunner,
    SupportsSingleThread as SupportsSingleThread,
)
from ._wsgi import (
    ErrorStream as ErrorStream,
    FileWrapper as FileWrapper,
    InputStream as InputStream,
    StartResponse as StartResponse,
    WSGIApplication as WSGIApplication,
    WSGIEnvironment as WSGIEnvironment,
)

__all__ = (
    "BlockingExecutor",
    "CallerExecutor",
    "Clock",
    "Crossing",
    "Direction",
    "ErrorStream",
    "ExecutorLease",
    "FileWrapper",
    "InputStream",
    "LoopRunner",
    "Observer",
    "Outcome",
    "Runnable",
    "SingleThreadRunner",
    "StartResponse",
    "SupportsLease",
    "SupportsPost",
    "SupportsSingleThread",
    "WSGIApplication",
    "WSGIEnvironment",
)
