"""A crossing made up for a test."""

import threading
import time
from collections.abc import Callable
from typing import Any, final

import attrs

from ..types import Crossing, Direction

__all__ = ("FakeCrossing",)


@final
@attrs.define(eq=False)
class FakeCrossing:
    """A `Crossing` that no bridge made, for testing observers.

    Everything can be set: let it take the steps that the test is about.

    Attributes:
        function: The user's function.
        direction: Which wrapper made it.
        parent: The crossing within which it was made.
        caller_thread: The thread that made the call.
        caller_loop: The loop that made it, as ``id(loop)``.
        thread: The thread the function runs on.
        loop: The loop a coroutine runs on, as ``id(loop)``.
        queued_at: When the call was made, in seconds of `time.monotonic`.
        started_at: When the function was entered, likewise.
        finished_at: When it was left, likewise.
        result: What the function returned.
        exception: What the function raised.
    """

    function: Callable[..., Any]
    direction: Direction = "sync_to_async"
    parent: Crossing | None = attrs.field(default=None, kw_only=True)
    caller_thread: int = attrs.field(factory=threading.get_ident, kw_only=True)
    caller_loop: int | None = attrs.field(default=None, kw_only=True)
    thread: int | None = attrs.field(default=None, kw_only=True)
    loop: int | None = attrs.field(default=None, kw_only=True)
    queued_at: float = attrs.field(factory=time.monotonic, kw_only=True)
    started_at: float | None = attrs.field(default=None, kw_only=True)
    finished_at: float | None = attrs.field(default=None, kw_only=True)
    result: object = attrs.field(default=None, kw_only=True)
    exception: BaseException | None = attrs.field(default=None, kw_only=True)
