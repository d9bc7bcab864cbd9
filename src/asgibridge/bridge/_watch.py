"""Looking after calls that wait to be started."""

import asyncio
import logging
from asyncio import AbstractEventLoop
from time import monotonic
from typing import TYPE_CHECKING, Any, Final, final

from ..loops import Mailbox, waiter_of
from ._call import BlockingCall
from ._waiting import frame_for, is_blocking_call

if TYPE_CHECKING:
    from ._engine import Engine

__all__ = ("Watch",)

_logger: Final = logging.getLogger("asgibridge")

# How often waiting calls are looked at, in seconds.  A call that can only run
# on a thread which waits for it waits that long.
LOOK_SECONDS: Final = 0.25


@final
class Watch:
    """Looks at the waiting calls of one loop now and then, while there are any.

    Runs what would never be started otherwise, on the thread that waits for it;
    delivers what was never announced; reports what has waited long.  It is not
    told about calls: it looks which tasks wait for one, so that calls which do
    not wait cost nothing.
    """

    __slots__ = ("_engine", "_mailbox", "_reported", "_seen")

    def __init__(
        self, engine: "Engine", mailbox: Mailbox, loop: AbstractEventLoop
    ) -> None:
        """Begin to watch; the mailbox keeps the watch."""
        self._engine = engine
        self._mailbox = mailbox
        # When each waiting call was first seen; replaced at every look.
        self._seen: dict[BlockingCall[Any], float] = {}
        self._reported: set[BlockingCall[Any]] = set()
        mailbox.watch = self
        self._look_later(loop)

    def _look_later(self, loop: AbstractEventLoop) -> None:
        # The handle is not kept: it would keep the loop alive.
        loop.call_later(min(LOOK_SECONDS, self._engine.stuck_after / 2), self._look)

    def _look(self) -> None:
        loop = asyncio.get_running_loop()
        now = monotonic()
        seen, self._seen = self._seen, {}
        waits = False
        for task in asyncio.all_tasks(loop):
            call = waiter_of(task)
            if not is_blocking_call(call) or call.engine is not self._engine:
                continue
            waits = True
            if call.is_waiting:
                self._seen[call] = seen.get(call, now)
                self._look_at(call, now - self._seen[call])
        self._reported &= self._seen.keys()
        # A Ctrl-C may have come between a letter and its announcement.
        self._mailbox.drain()
        if waits:
            self._look_later(loop)
        else:
            self._mailbox.watch = None

    def _look_at(self, call: BlockingCall[Any], waited: float) -> None:
        frame = frame_for(call, call.made_in)
        if frame is not None:
            frame.lend(call)
        elif waited >= self._engine.stuck_after and call not in self._reported:
            self._reported.add(call)
            self._report(call, waited)

    def _report(self, call: BlockingCall[Any], waited: float) -> None:
        behind = _describe(call)
        _logger.warning(
            "%s has waited %.1f s to be started, behind %s", call, waited, behind
        )
        if call.crossing is not None:
            self._engine.observation.stuck(call.crossing, waited, behind)


def _describe(call: BlockingCall[Any]) -> str:
    """Say what is in the way of *call*."""
    current, thread = call.place.current, call.place.thread
    if current is None:
        return f"other calls of {call.place}"
    text = f"{current} on thread {thread}"
    if is_blocking_call(current) and current.hosted is not None:
        text += f", which waits for the coroutine {current.hosted}"
    return text
