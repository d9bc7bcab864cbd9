"""What can go wrong, one class per mistake.

Every class derives from `BridgeError` and from the standard class that callers
of comparable libraries already catch.  Messages say what happened, to what
object, and what to do about it.
"""

__all__ = (
    "ASGIViolationError",
    "AddressError",
    "AlreadyEnteredError",
    "ApplicationCancelledError",
    "ApplicationEndedError",
    "ApplicationExitError",
    "ApplicationLoadError",
    "ApplicationTimeoutError",
    "AsgiProtocolError",
    "AsgirefImportedError",
    "BodyTooLargeError",
    "BridgeClosedError",
    "BridgeError",
    "ClientDisconnectedError",
    "ContentLengthError",
    "DeadlockError",
    "EventError",
    "ExecutorClosedError",
    "ExecutorDroppedCallError",
    "IncompleteResponseError",
    "LeaseLostError",
    "LifespanError",
    "LifespanFailedError",
    "LoopStoppedError",
    "MessageIgnoredError",
    "MessageTimeoutError",
    "MissingScopeKeyError",
    "NoThreadError",
    "NotAnApplicationError",
    "NotAsyncError",
    "NotEnteredError",
    "NotExhaustedError",
    "NotSyncError",
    "NothingPendingError",
    "OptionError",
    "ReceiveError",
    "RequestRefusedError",
    "RunningLoopError",
    "SequenceError",
    "SourceError",
    "UnsupportedScopeError",
    "WireFormatError",
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


class OptionValueError(OptionError, ValueError):
    """Raised for an option of the right type whose value has no meaning."""


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


class NoThreadError(BridgeError, RuntimeError):
    """Raised when no thread can be started, as at the end of the interpreter."""


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


# The command line.


class ApplicationLoadError(BridgeError, ImportError):
    """Raised when ``module:attribute`` cannot be imported or has no such name."""


class NotAnApplicationError(BridgeError, TypeError):
    """Raised for what is neither a WSGI nor an ASGI application."""


class AddressError(BridgeError, OSError):
    """Raised when a server cannot listen at the address it was given."""


class ASGIViolationError(BridgeError, AssertionError):
    """Raised where a server or an application breaks a rule of ASGI.

    Args:
        message: What was found, what would be right, and where that is written.
        side: Who broke the rule: ``application`` or ``server``.
        rules: The names of the rules.
    """

    def __init__(
        self, message: str, side: str = "application", rules: tuple[str, ...] = ()
    ) -> None:
        """Keep all arguments in ``args``, so that copies and pickles are whole."""
        super().__init__(message, side, rules)
        self.side = side
        self.rules = rules

    def __str__(self) -> str:
        """Return the message alone."""
        return str(self.args[0])


class MissingScopeKeyError(BridgeError, KeyError):
    """Raised when a scope does not have the key that is asked for."""

    def __str__(self) -> str:
        """Return the message as it is; a KeyError would quote it."""
        return str(self.args[0])


class EventError(BridgeError, ValueError):
    """Raised when an event does not have what its type promises."""


class AsgiProtocolError(BridgeError, RuntimeError):
    """Raised in an ASGI application that sends an event in the wrong order."""


class NothingPendingError(BridgeError, LookupError):
    """Raised when a `ManualExecutor` is told to run a call that is not pending."""


class SequenceError(BridgeError, RuntimeError):
    """Raised when a `ThreadSequencer` is used against its order, or broken."""


class ApplicationEndedError(BridgeError, EOFError):
    """Raised when an event is awaited of an application that has returned."""


class ApplicationCancelledError(BridgeError, RuntimeError):
    """Raised when an application under test ended with its own cancellation."""


class NotExhaustedError(BridgeError, RuntimeError):
    """Raised when the end of an iteration is asked for before it has come."""


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


class AsgirefImportedError(BridgeError, ImportError):
    """Raised when asgiref is to be replaced after it has been imported."""
