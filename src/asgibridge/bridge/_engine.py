"""What the parts of one bridge share."""

import asyncio
import weakref
from asyncio import AbstractEventLoop
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, final

import attrs

from ..executors import Inbox, forget_after_fork
from ..loops import Mailbox, MailboxRegistry
from ..types import BlockingExecutor, ExecutorLease, LoopRunner
from ._call import BlockingCall
from ._observation import Observation
from ._places import Frame, Place
from ._threads import ThreadLocals
from ._watch import Watch

__all__ = ("Engine",)


@final
@attrs.define(eq=False, weakref_slot=True)
class Engine:
    """The state of one bridge: which threads and loops it knows, and who waits.

    Thread-safe: every field is either fixed, or a container whose single
    operations are atomic.
    """

    thread_sensitive: BlockingExecutor
    workers: BlockingExecutor
    runner: LoopRunner
    observation: Observation
    # Lends a thread of the thread-sensitive executor, if it can.
    lend: Callable[[], ExecutorLease] | None
    # How long a call may wait behind another before that is reported, seconds.
    stuck_after: float
    name: str
    # The innermost place that the current code is inside of.
    affinity: ContextVar[Place | None] = attrs.field(init=False)
    # Tells two contexts apart: set in one, looked for in the other.
    probe: ContextVar[object] = attrs.field(init=False)
    # The runner of the enclosing AsyncSingleThreadContext.
    own_runner: ContextVar[LoopRunner | None] = attrs.field(init=False)
    threads: ThreadLocals = attrs.field(init=False)
    mailboxes: MailboxRegistry = attrs.field(init=False)
    # id(loop) -> the thread that waits for this loop, for tasks that were made
    # in an empty context and so cannot know their place.
    homes: dict[int, Frame] = attrs.field(init=False)
    _inboxes: dict[int, weakref.ref[Inbox]] = attrs.field(init=False)
    # Tasks that nobody else refers to.
    _tasks: set[asyncio.Task[Any]] = attrs.field(init=False)
    is_closed: bool = attrs.field(default=False, init=False)

    def __attrs_post_init__(self) -> None:
        self.forget()
        forget_after_fork(self)

    def forget(self) -> None:
        """Become as new, in a forked child.

        New context variables: places of the parent process are out of sight.
        """
        self.affinity = ContextVar(f"{self.name}.affinity", default=None)
        self.own_runner = ContextVar(f"{self.name}.runner", default=None)
        self.probe = ContextVar(f"{self.name}.probe", default=None)
        self._inboxes = {}
        self.threads = ThreadLocals(self._inboxes)
        self.mailboxes = MailboxRegistry()
        self.homes = {}
        self._tasks = set()

    def let_go(self) -> None:
        """Give back what the system holds for threads that have waited."""
        for reference in list(self._inboxes.values()):
            if (inbox := reference()) is not None:
                inbox.queue.let_go()

    def mailbox_of(self, loop: AbstractEventLoop) -> Mailbox:
        """Return the mailbox of *loop*, which runs on the current thread."""
        state = self.threads.state
        mailbox = state.mailbox
        if mailbox is None or mailbox.loop() is not loop:
            mailbox = state.mailbox = self.mailboxes.of(loop)
        return mailbox

    def watch(self, call: BlockingCall[Any]) -> None:
        """Look after *call* and others of its loop from now on."""
        loop = call.mailbox.loop()
        if loop is not None:
            watch = Watch(self, call.mailbox, loop)
            if call.mailbox.is_brief and (home := self.homes.get(id(loop))) is not None:
                home.watch = watch

    def keep(self, task: asyncio.Task[Any]) -> None:
        """Keep *task* alive until it is done."""
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
