"""Servers that hold no client sockets: applications fed from message streams."""

from ._envelope import Message as Message
from ._handler import (
    ApplicationDetails as ApplicationDetails,
    HandlerServer as HandlerServer,
    InputQueue as InputQueue,
)
from ._limits import Backoff as Backoff, FullPolicy as FullPolicy, Limits as Limits
from ._memory import (
    DeadLetter as DeadLetter,
    MemorySink as MemorySink,
    MemorySource as MemorySource,
)
from ._server import StatelessServer as StatelessServer

__all__ = (
    "ApplicationDetails",
    "Backoff",
    "DeadLetter",
    "FullPolicy",
    "HandlerServer",
    "InputQueue",
    "Limits",
    "MemorySink",
    "MemorySource",
    "Message",
    "StatelessServer",
)
