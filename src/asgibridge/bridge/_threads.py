"""What one thread knows about the crossings on its own stack."""

import threading
import weakref
from asyncio import AbstractEventLoop
from typing import TYPE_CHECKING, Any, final

from ..executors import Inbox
from ..loops import Mailbox

if TYPE_CHECKING:
    from ._call import BlockingCall

__all__ = ("ThreadLocals", "ThreadState")


@final
class ThreadState:
    """The state of one thread; only that thread uses it, so there is no lock."""

    __slots__ = ("call", "ident", "inbox", "mailbox")

    def __init__(self) -> None:
        self.ident: int = threading.get_ident()
        # The blocking call that this thread is in, the innermost one.
        self.call: BlockingCall[Any] | None = None
        # Where all waits of this thread, nested in one another, take work from.
        self.inbox: Inbox = Inbox()
        # The mailbox of the loop that ran here last, which is mostly the next.
        self.mailbox: Mailbox | None = None

    def drives(self, loop: AbstractEventLoop | None) -> bool:
        """Whether a runner drives *loop* here, in turns with calls."""
        driver = self.inbox.driver
        return driver is not None and driver.loop is loop


class ThreadLocals(threading.local):
    """Gives each thread its `ThreadState`.

    Args:
        inboxes: Gets those of all threads, by the threads' identifiers, which
            are used again: so it does not grow with the threads that have ended.
    """

    def __init__(self, inboxes: dict[int, weakref.ref[Inbox]]) -> None:
        self.state: ThreadState = ThreadState()
        inboxes[self.state.ident] = weakref.ref(self.state.inbox)
