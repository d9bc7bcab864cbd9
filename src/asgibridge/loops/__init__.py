"""What is known about event loops, and nothing about who uses them."""

from ._bells import Bell as Bell, LockBell as LockBell, open_bell as open_bell
from ._internals import (
    asyncgen_hooks as asyncgen_hooks,
    context_unchanged as context_unchanged,
    has_more_ready as has_more_ready,
    running_loop_or_none as running_loop_or_none,
    set_running_loop as set_running_loop,
    signals_of as signals_of,
    turn as turn,
    waiter_of as waiter_of,
)
from ._mailbox import (
    Letter as Letter,
    Mailbox as Mailbox,
    MailboxRegistry as MailboxRegistry,
)
from ._recycling import (
    LoopCache as LoopCache,
    RecyclableLoop as RecyclableLoop,
    end_tasks as end_tasks,
    retire as retire,
)

__all__ = (
    "Bell",
    "Letter",
    "LockBell",
    "LoopCache",
    "Mailbox",
    "MailboxRegistry",
    "RecyclableLoop",
    "asyncgen_hooks",
    "context_unchanged",
    "end_tasks",
    "has_more_ready",
    "open_bell",
    "retire",
    "running_loop_or_none",
    "set_running_loop",
    "signals_of",
    "turn",
    "waiter_of",
)
