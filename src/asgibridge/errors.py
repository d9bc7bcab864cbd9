"""What can go wrong, one class per mistake.

Every class derives from `BridgeError` and from the standard class that callers
of comparable libraries already catch.  Messages say what happened, to what
object, and what to do about it.
"""

__all__ = (
    "AlreadyEnteredError",
    "BridgeClosedError",
    "BridgeError",
    "DeadlockError",
    "ExecutorClosedError",
    "ExecutorDroppedCallError",
    "LeaseLostError",
    "LifespanError",
    "LoopStoppedError",
    "MessageIgnoredError",
    "MessageTimeoutError",
    "NotAsyncError",
    "NotEnteredError",
    "NotSyncError",
    "OptionError",
    "ReceiveError",
    "RunningLoopError",
    "SourceError",
    "WireFormatError",
    "WrongThreadError",
)


class BridgeError(Exception):
    """The base of every error that asgibridge raises on its own account."""


class NotSyncError(BridgeError, TypeError):
    """Raised when `sync_to_async` is given something async, or not callable."""


class NotAsyncError(BridgeError, TypeError):
    """Raised when `async_to_sync` is given something that cannot be awaited."""


class OptionError(BridgeError, TypeError):
    """Raised for options that contradict each other or have no meaning."""


class RunningLoopError(BridgeError, RuntimeError):
    """Raised when blocking a thread would block the event loop running on it."""


class LoopStoppedError(BridgeError, RuntimeError):
    """Raised when the event loop that a call depends on no longer runs."""


class DeadlockError(BridgeError, RuntimeError):
    """Raised for a wait that can never end; the message names both ends."""


class ExecutorClosedError(BridgeError, RuntimeError):
    """Raised when work is submitted to an executor after its `close()`."""


class ExecutorDroppedCallError(BridgeError, RuntimeError):
    """Raised when an executor cancelled a call that it had accepted."""


class WrongThreadError(BridgeError, RuntimeError):
    """Raised when an object is used on another thread than its own."""


class BridgeClosedError(BridgeError, RuntimeError):
    """Raised when a bridge is used after its `close()`."""


class AlreadyEnteredError(BridgeError, RuntimeError):
    """Raised when a context manager is entered that is already in use."""


class NotEnteredError(BridgeError, RuntimeError):
    """Raised when a context manager is left that was not entered."""


class LeaseLostError(BridgeError, RuntimeError):
    """Raised for what only the owner of a conversation may do, and is no longer."""


class LifespanError(BridgeError, RuntimeError):
    """Raised when an application reports that it cannot start."""


class MessageTimeoutError(BridgeError, TimeoutError):
    """Raised when an application takes longer over a message than it may."""


class MessageIgnoredError(BridgeError, RuntimeError):
    """Raised when an application ends without asking for its first message."""


class ReceiveError(BridgeError, RuntimeError):
    """Raised when an application waits in two calls of ``receive()`` at once."""


class SourceError(BridgeError, ConnectionError):
    """Raised when a message source cannot be used as it is configured."""


class WireFormatError(BridgeError, ValueError):
    """Raised for outside data that is not a message."""
