"""One request as the ASGI server sees it: a task on its loop."""

from typing import NoReturn

from ..errors import ApplicationExitError
from ._asgi import Event, Send
from ._inbox import Inbox
from ._line import Line
from ._outbox import Outbox
from ._wsgi_work import WsgiWork

__all__ = ("serve",)


async def serve(
    work: WsgiWork, line: Line, inbox: Inbox, outbox: Outbox, send: Send
) -> None:
    """Send the response until the work is done; receive when it asks for it.

    If `send` or `receive` fail, the work is told that the client left, and the
    error is raised when it has ended.  If the task is cancelled it ends at once:
    the work is told, and ends on its own.

    Raises:
        Exception: What the application raised.
    """
    try:
        await _relay(line, inbox, outbox, send)
    except Exception:
        line.hang_up()
        await _finish(work, line, inbox, outbox)
        raise
    except BaseException:  # cancelled: nothing may be awaited any more
        work.abandon()
        inbox.cancel()
        raise
    finally:
        line.hang_up()  # threads that the application has left behind
        if inbox.is_receiving:
            await inbox.close()
    error = work.take_error() or inbox.error
    if error is not None:
        try:
            _raise(error)
        finally:
            del error  # its traceback refers to this frame


async def _relay(line: Line, inbox: Inbox, outbox: Outbox, send: Send) -> None:
    events, note_sent = outbox.events, outbox.note_sent
    while True:
        while events:
            event = events.popleft()
            if event is None:
                return
            if not line.gone:
                await send(event)
            note_sent(event)
        if inbox.has_work():
            await inbox.work()
            continue
        if outbox.streaming or inbox.watched:
            inbox.watch()
        line.is_idle = True
        if not (events or inbox.has_work()):  # announced first, looked second
            await line
        line.is_idle = False


async def _finish(work: WsgiWork, line: Line, inbox: Inbox, outbox: Outbox) -> None:
    """Wait for the end of work whose response nobody waits for."""
    try:
        await _relay(line, inbox, outbox, _discard)
    except BaseException:
        work.abandon()
        raise
    work.report()


async def _discard(_event: Event, /) -> None:
    """Stand in for a `send` that has failed."""


def _raise(error: BaseException) -> NoReturn:
    try:
        if isinstance(error, Exception):
            raise error
        # The loop would take these for its own: stop, or cancel the task.
        msg = f"the WSGI application raised {type(error).__name__}: {error}"
        raise ApplicationExitError(msg) from error
    finally:
        del error
