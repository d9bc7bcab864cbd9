"""Forcing blocks of code in several threads into one order."""

import threading
from collections.abc import Generator
from contextlib import contextmanager
from typing import final

import attrs

from ..errors import SequenceError

__all__ = ("ThreadSequencer",)


@final
@attrs.define(eq=False)
class ThreadSequencer:
    """Forces blocks of code in several threads into one order.

    Each block is given a number, and entered when those with all smaller
    numbers, from 0 on, have been left::

        sequence = ThreadSequencer()

        def first_thread() -> None:
            with sequence(0):
                opens()
            with sequence(2):
                closes()

        def second_thread() -> None:
            with sequence(1):
                writes()

    A block that raises, or waits in vain, breaks the sequence: the blocks that
    wait for it raise `SequenceError` and the test ends instead of hanging.

    Args:
        timeout: Longest time that a block waits, in seconds: a safety net.
    """

    _timeout: float = attrs.field(default=5.0, kw_only=True, alias="timeout")
    _turn: threading.Condition = attrs.field(
        factory=threading.Condition, init=False, repr=False
    )
    # All guarded by _turn.
    _next: int = attrs.field(default=0, init=False)
    _taken: set[int] = attrs.field(factory=set[int], init=False, repr=False)
    _broken: str | None = attrs.field(default=None, init=False)

    @contextmanager
    def __call__(self, number: int, /) -> Generator[None]:
        """Wait for the turn of *number*, and pass it on when the block is left.

        Raises:
            SequenceError: If the number is used a second time, or the sequence
                is broken.
            TimeoutError: If the turn did not come in time.
        """
        with self._turn:
            self._take(number)
            self._wait(number)
        try:
            yield
        except BaseException as exc:
            self._break(f"block {number} raised {type(exc).__name__}")
            raise
        with self._turn:
            self._next += 1
            self._turn.notify_all()

    def _take(self, number: int) -> None:
        if number in self._taken or number < 0:
            msg = f"block number {number} is negative or used already; use each once"
            raise SequenceError(msg)
        self._taken.add(number)

    def _wait(self, number: int) -> None:
        came = self._turn.wait_for(
            lambda: self._broken is not None or self._next == number, self._timeout
        )
        if self._broken is not None:
            msg = f"block {number} is not entered: {self._broken}"
            raise SequenceError(msg)
        if not came:
            reason = f"block {self._next} was not left within {self._timeout} s"
            self._break(reason)
            msg = f"block {number} waited in vain: {reason}"
            raise TimeoutError(msg)

    def _break(self, reason: str) -> None:
        with self._turn:  # a Condition's default lock may be taken twice
            self._broken = self._broken or reason
            self._turn.notify_all()
