"""What can go wrong, one class per mistake.

Every class derives from `BridgeError` and from the standard class that callers
of comparable libraries already catch.  Messages say what happened, to what
object, and what to do about it.
"""

__all__ = (
    "AddressError",
    "AlreadyEnteredError",
    "ApplicationExitError",
    "ApplicationLoadError",
    "ApplicationTimeoutError",
    "AsgiProtocolError",
    "BodyTooLargeError",
    "BridgeClosedError",
    "BridgeError",
    "ClientDisconnectedError",
    "ContentLengthError",
    "DeadlockError",
    "ExecutorClosedError",
    "ExecutorDroppedCallError",
    "IncompleteResponseError",
    "LifespanFailedError",
    "LoopStoppedError",
    "NotAnApplicationError",
    "NotAsyncError",
    "NotEnteredError",
    "NotSyncError",
    "OptionError",
    "RequestRefusedError",
    "RunningLoopError",
    "UnsupportedScopeError",
    "WrongThreadError",
    "WsgiBodyTypeError",
    "WsgiHeaderError",
    "WsgiProtocolError",
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


# Adapters: one application interface as another.


class ClientDisconnectedError(BridgeError, ConnectionResetError):
    """Raised in an application that reads from or writes to a client that left."""


class BodyTooLargeError(BridgeError, OSError):
    """Raised in an application that reads a request body beyond the limit."""


class RequestRefusedError(BridgeError, ValueError):
    """Raised for a request that is answered with an error before it is run.

    Attributes:
        status: The HTTP status of the answer.
    """

    def __init__(self, status: int, reason: str) -> None:
        """Make the error; *reason* is shown to the client."""
        super().__init__(reason)
        self.status = status


class WsgiProtocolError(BridgeError, RuntimeError):
    """Raised when a WSGI application does something in the wrong order."""


class ContentLengthError(WsgiProtocolError):
    """Raised when a response body is not as long as its Content-Length."""


class WsgiHeaderError(BridgeError, ValueError):
    """Raised for a status line or header field that must not be sent."""


class WsgiBodyTypeError(BridgeError, TypeError):
    """Raised when a WSGI application produces something other than bytes."""


class UnsupportedScopeError(BridgeError, ValueError):
    """Raised for an ASGI scope type that an adapter does not serve."""


class ApplicationExitError(BridgeError, RuntimeError):
    """Raised in place of an exception that would stop the event loop.

    The original (`SystemExit`, `KeyboardInterrupt`, a cancellation raised by
    the application itself) is its ``__cause__``.
    """


class ApplicationTimeoutError(BridgeError, TimeoutError):
    """Raised when an ASGI application takes longer than it is allowed to."""


class IncompleteResponseError(BridgeError, RuntimeError):
    """Raised when an ASGI application ends without a complete response."""


class LifespanFailedError(BridgeError, RuntimeError):
    """Raised when an ASGI application reports that its startup failed."""


class AsgiProtocolError(BridgeError, RuntimeError):
    """Raised in an ASGI application that sends an event in the wrong order."""


# The command line.


class ApplicationLoadError(BridgeError, ImportError):
    """Raised when ``module:attribute`` cannot be imported or has no such name."""


class NotAnApplicationError(BridgeError, TypeError):
    """Raised for what is neither a WSGI nor an ASGI application."""


class AddressError(BridgeError, OSError):
    """Raised when a server cannot listen at the address it was given."""
