"""A request body on its way from the task to the worker thread."""

import asyncio
from collections import deque
from contextlib import suppress
from threading import get_ident
from typing import final

import attrs

from ..errors import BodyTooLargeError, ClientDisconnectedError
from ._asgi import Event, Receive
from ._bell import Bell
from ._limits import WsgiLimits
from ._line import Line

__all__ = ("Inbox",)


def _no_chunks() -> deque[bytes]:
    return deque()  # deque[bytes]() takes three times as long


@final
@attrs.define(eq=False)
class Inbox:
    """Takes the body from the server when the application asks for it.

    The first message is received by the request's own task, which has nothing
    else to do while the application's thread reads, and so are those as large as
    the limit.  A body of more than one, or one that another thread reads, is
    otherwise received by a task of its own, up to the read-ahead limit, which then
    also notices that the client leaves.

    Args:
        line: Wakes the other end.
        receive: The server's.
        limits: Read-ahead and body size.
    """

    _line: Line
    _receive: Receive
    _limits: WsgiLimits
    wanted: bool = attrs.field(default=False, init=False)
    """Whether the thread waits for a chunk."""
    watched: bool = attrs.field(default=False, init=False)
    """Whether a task of its own is to receive."""
    home: int = attrs.field(default=0, init=False)
    """The thread that produces the response."""
    _chunks: deque[bytes] = attrs.field(factory=_no_chunks, init=False)
    _complete: bool = attrs.field(default=False, init=False)  # the task's
    _received: int = attrs.field(default=0, init=False)  # bytes; the task's
    _read: int = attrs.field(default=0, init=False)  # bytes; the thread's
    _fetched: bool = attrs.field(default=False, init=False)
    _size: int = attrs.field(default=0, init=False)  # of the last chunk
    # Wakes the receiver when there is room again; first set, then a receiver.
    _bell: Bell | None = attrs.field(default=None, init=False)
    _receiver: asyncio.Task[None] | None = attrs.field(default=None, init=False)
    error: BaseException | None = attrs.field(default=None, init=False)
    """What the server's `receive` raised."""

    # The thread's end.

    def pull(self) -> bytes:
        """Return the next chunk of the body, ``b""`` at its end; waits for it.

        Raises:
            ClientDisconnectedError: If the client left before the end.
            BodyTooLargeError: If the body is longer than allowed.
        """
        chunks = self._chunks
        while not chunks:
            if self._complete:
                self._check_length()
                return b""
            if self._line.gone:
                msg = "the client left, or its request ended, before the body was read"
                raise ClientDisconnectedError(msg)
            self.wanted = True
            if get_ident() != self.home:
                self.watched = True  # the request's own may have to send meanwhile
            if self._bell is None:  # else its task is awake, or was rung for
                self._line.ring()
            self._line.wait(self._has_news)
        chunk = chunks.popleft()
        self._read += len(chunk)
        if self._bell is not None and self._received == self._read:
            self._bell.ring()  # and let it: then this thread need not wait
        if self._limits.max_body_bytes is not None:
            self._check_length()
        return chunk

    def _check_length(self) -> None:
        most = self._limits.max_body_bytes
        if most is not None and self._read > most:
            msg = f"the request body is longer than the {most} bytes allowed"
            raise BodyTooLargeError(msg)

    def _has_news(self) -> bool:
        return bool(self._chunks) or self._complete

    # The task's end.

    def has_work(self) -> bool:
        """Whether the thread waits for what nobody receives."""
        return self.wanted and self._receiver is None and not self._line.gone

    async def work(self) -> None:
        """Receive what the thread waits for, or see to it that it comes."""
        # Large messages leave nothing to read ahead: then it is cheaper to receive
        # them here one by one.
        is_large = self._size >= self._limits.read_ahead_bytes
        if self.watched or (self._fetched and not is_large):
            self.watch()
            return
        self._fetched = True
        self._accept(await self._receive())

    def watch(self) -> None:
        """Receive in the background: the body up to the limit, and the end."""
        line = self._line
        if self._receiver is None and not line.gone:
            self._fetched = True
            self._bell = bell = Bell(line.loop, line.mailbox)
            self._receiver = line.loop.create_task(self._receive_all(bell))

    @property
    def is_receiving(self) -> bool:
        """Whether there is something to `close`."""
        return self._receiver is not None

    async def close(self) -> None:
        """Stop receiving in the background, and wait until that has ended."""
        receiver = self.cancel()
        if receiver is not None:
            await asyncio.wait([receiver])

    def cancel(self) -> asyncio.Task[None] | None:
        """Stop receiving in the background; return what may still have to end."""
        receiver, self._receiver = self._receiver, None
        if receiver is not None:
            with suppress(RuntimeError):  # the loop is closed, and it with it
                receiver.cancel()
        return receiver

    async def _receive_all(self, bell: Bell) -> None:
        most = self._limits.read_ahead_bytes
        try:
            while not self._line.gone:
                # Another of the size of the last, if it fits.  Else all is read
                # first, so that it is not one wake-up for each message.
                while (ahead := self._received - self._read) and (
                    ahead + self._size > most
                ):
                    bell.is_idle = True
                    # Announced first, looked second.
                    if self._received != self._read:
                        await bell
                    bell.is_idle = False
                event = await self._receive()
                if self._complete and event["type"] == "http.request":
                    # Middleware that repeats the body, at once and for ever: it
                    # would keep the loop busy and never tell of the client.
                    return
                self._accept(event)
        except Exception as exc:  # noqa: BLE001 # it is the server's: handed back to it
            self.error = exc
            self._line.hang_up()

    def _accept(self, event: Event) -> None:
        if event["type"] == "http.request":
            chunk: bytes = event.get("body") or b""
            more: bool = event.get("more_body") or False
            if more and not chunk:
                return  # no news: the thread waits on
            # First: once the thread has the chunk it may want the next.
            self.wanted = False
            if chunk:
                self._size = len(chunk)
                self._received += self._size
                self._chunks.append(chunk)
            self._complete = not more
            # The receiver is about to fetch the next.
            self._line.wake(goes_on=more and self._receiver is not None)
        elif event["type"] == "http.disconnect":
            self._line.hang_up()
