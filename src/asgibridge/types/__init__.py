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
from ._messages import (
    CloseReason as CloseReason,
    Envelope as Envelope,
    MessageApplication as MessageApplication,
    MessageEvent as MessageEvent,
    MessageScope as MessageScope,
    MessageSink as MessageSink,
    MessageSource as MessageSource,
    ServerObserver as ServerObserver,
    Settlement as Settlement,
)
from ._observers import (
    Crossing as Crossing,
    Direction as Direction,
    Observer as Observer,
)
from ._runners import LoopRunner as LoopRunner
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
    "CloseReason",
    "Crossing",
    "Direction",
    "Envelope",
    "ErrorStream",
    "ExecutorLease",
    "FileWrapper",
    "InputStream",
    "LoopRunner",
    "MessageApplication",
    "MessageEvent",
    "MessageScope",
    "MessageSink",
    "MessageSource",
    "Observer",
    "Outcome",
    "Runnable",
    "ServerObserver",
    "Settlement",
    "StartResponse",
    "SupportsLease",
    "SupportsPost",
    "WSGIApplication",
    "WSGIEnvironment",
)
