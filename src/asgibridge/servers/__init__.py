"""Servers that hold no client sockets: applications fed from message streams."""

from ._addresses import (
    StreamOptions as StreamOptions,
    open_streams as open_streams,
)
from ._codec import LineCodec as LineCodec
from ._envelope import Message as Message
from ._handler import (
    ApplicationDetails as ApplicationDetails,
    HandlerServer as HandlerServer,
)
from ._health import Health as Health
from ._input_queue import InputQueue as InputQueue
from ._limits import Backoff as Backoff, FullPolicy as FullPolicy, Limits as Limits
from ._lines import (
    LineReader as LineReader,
    LineSink as LineSink,
    LineSource as LineSource,
    LineWriter as LineWriter,
)
from ._memory import (
    DeadLetter as DeadLetter,
    MemorySink as MemorySink,
    MemorySource as MemorySource,
)
from ._server import StatelessServer as StatelessServer
from ._signals import stop_on_signals as stop_on_signals
from ._stdio import open_stdin as open_stdin, open_stdout as open_stdout
from ._tcp import TcpSink as TcpSink, TcpSource as TcpSource

__all__ = (
    "ApplicationDetails",
    "Backoff",
    "DeadLetter",
    "FullPolicy",
    "HandlerServer",
    "Health",
    "InputQueue",
    "Limits",
    "LineCodec",
    "LineReader",
    "LineSink",
    "LineSource",
    "LineWriter",
    "MemorySink",
    "MemorySource",
    "Message",
    "StatelessServer",
    "StreamOptions",
    "TcpSink",
    "TcpSource",
    "open_stdin",
    "open_stdout",
    "open_streams",
    "stop_on_signals",
)
