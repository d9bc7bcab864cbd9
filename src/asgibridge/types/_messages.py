"""Messages from outside: where a server without client sockets gets its events."""

import enum
from collections.abc import (
    Awaitable,
    Hashable,
    Mapping,
    MutableMapping,
    Sequence,
)
from typing import Any, Literal, Protocol, runtime_checkable

__all__ = (
    "CloseReason",
    "Envelope",
    "MessageEvent",
    "MessageScope",
    "MessageSink",
    "MessageSource",
    "ServerObserver",
    "Settlement",
    "SupportsBegin",
)

# What a source brings is another program's data, of a protocol that only the
# application knows, hence the loose types.
MessageScope = MutableMapping[str, Any]
"""What a conversation is about: the scope of an application instance."""

MessageEvent = MutableMapping[str, Any]
"""An event of a conversation, in either direction."""

CloseReason = Literal[
    "returned", "failed", "evicted", "idle", "drain", "revoked", "timeout"
]
"""Why an application instance ended."""


class Settlement(enum.Enum):
    """What becomes of a message."""

    DONE = "done"
    """Handled: never deliver it again."""
    RETRY = "retry"
    """Not handled, deliver it again."""
    DEAD = "dead"
    """Cannot be handled: keep it aside for people to look at."""


class Envelope(Protocol):
    """One message on its way to an application, as its source made it."""

    @property
    def scope_id(self) -> str:
        """The conversation: messages of one are handled one after the other."""
        ...

    @property
    def scope(self) -> Mapping[str, Any]:
        """The ASGI scope for an application instance of this conversation."""
        ...

    @property
    def event(self) -> MessageEvent:
        """The ASGI event that the application receives."""
        ...

    @property
    def token(self) -> object:
        """How the source finds the message again; nobody else looks at it."""
        ...

    @property
    def delivery_count(self) -> int:
        """How often it was delivered, this time included; from 1.

        Those that were settled with RETRY do not count, where the source can
        tell, and of those to processes that vanished not the ones that no
        application saw (see `SupportsBegin`): it is how often a process came
        to grief with it.
        """
        ...

    @property
    def term(self) -> Hashable:
        """The period of ownership in which it was pulled.

        Sources that share conversations out among processes give each period
        another value.  An application instance never sees messages of two: it
        could remember less than another process has done meanwhile.
        """
        ...


class MessageSource(Protocol):
    """Brings messages, and is told what became of each.

    All methods are called on one event loop.  A server calls `open` first and
    `close` last, `pull` from one task, `settle` from many at once.

    Callers may rely on messages of one conversation coming in order, the first
    time they come.  They may not rely on a message coming only once.
    """

    async def open(self) -> None:
        """Get ready.  Called again, after a back-off, if it raises."""
        ...

    async def pull(self, max_messages: int, /) -> Sequence[Envelope]:
        """Wait for messages and return them, at least one.

        None at all means the end of the stream.  A cancelled pull must lose
        nothing: what it might have returned comes with the next one, or to
        another process.  If it raises, it is called again after a back-off.

        Args:
            max_messages: Return no more than these.
        """
        ...

    async def settle(
        self,
        envelope: Envelope,
        settlement: Settlement,
        /,
        *,
        delay: float = 0.0,
        reason: str = "",
    ) -> None:
        """Learn what becomes of a message.

        It is called again for the same message if it raises or is cancelled,
        so a second time must do no harm.

        Args:
            envelope: What `pull` returned.
            settlement: Done, to be delivered again, or dead.
            delay: For RETRY: deliver it no sooner than after these seconds.
            reason: For DEAD: one line for people.

        Raises:
            LeaseLostError: If the message is no longer this process's concern.
        """
        ...

    async def close(self) -> None:
        """Let go of everything; unsettled messages go to somebody else."""
        ...


@runtime_checkable
class SupportsBegin(Protocol):
    """A source that is told before an application sees a message.

    For a `MessageSource` that counts how many processes vanished with a message:
    those that had not come to it yet are not to blame it.  The server looks for
    this method once, when it begins to serve.
    """

    def begin(self, envelope: Envelope, /) -> Awaitable[None] | None:
        """Take note that an application is about to receive a message.

        Called before each time that an application gets it, and again if it
        raises or is cancelled, so a second time must do no harm.

        Returns:
            What must be awaited before the application may have the message, or
            None if there is nothing to note.

        Raises:
            LeaseLostError: If the message is no longer this process's concern.
        """
        ...


class MessageSink(Protocol):
    """Takes what applications send.

    All methods are called on one event loop, `send` from many tasks at once.
    """

    async def open(self) -> None:
        """Get ready.  Called again, after a back-off, if it raises."""
        ...

    async def send(self, envelope: Envelope, event: MessageEvent, /) -> None:
        """Take one event.

        What it raises is raised in the application.

        Args:
            envelope: The latest message that the sending instance received, or
                the one it was started for.
            event: What the application sends.

        Raises:
            LeaseLostError: If the conversation is no longer this process's
                concern.
        """
        ...

    async def close(self) -> None:
        """Send what is still held back, and let go of everything."""
        ...


class ServerObserver(Protocol):
    """Is told what a server does, and is never in its way.

    Called on the server's event loop, so the methods must be quick.  What they
    raise is logged and has no further effect.
    """

    def opened(self, scope_id: str, /) -> None:
        """An application instance was started."""
        ...

    def closed(self, scope_id: str, seconds: float, reason: CloseReason, /) -> None:
        """An application instance ended, *seconds* after it was started."""
        ...

    def settled(
        self, envelope: Envelope, settlement: Settlement, seconds: float, /
    ) -> None:
        """The source has taken note, *seconds* after the message was pulled."""
        ...

    def failed(self, what: str, exception: BaseException, /) -> None:
        """Something raised.

        Args:
            what: Who and doing what, for people.
            exception: What it raised.
        """
        ...
