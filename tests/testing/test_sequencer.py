"""ThreadSequencer."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

import pytest
from hypothesis import given, settings, strategies as st

from asgibridge.errors import SequenceError
from asgibridge.testing import ThreadSequencer


@settings(deadline=None)  # machines are shared
@given(st.permutations(range(6)))
def test_order_is_forced(starts: list[int]) -> None:
    """Blocks run in the order of their numbers, whatever the threads' order."""
    sequence = ThreadSequencer()
    ran: list[int] = []

    def block(number: int) -> None:
        with sequence(number):
            ran.append(number)

    with ThreadPoolExecutor(6) as pool:
        for future in [pool.submit(block, number) for number in starts]:
            future.result(60)
    assert ran == list(range(6))


def test_blocks_do_not_overlap() -> None:
    """A block is entered only when the one before it has been left."""
    sequence = ThreadSequencer()
    inside: list[int] = []
    seen: list[list[int]] = []

    def block(number: int) -> None:
        with sequence(number):
            inside.append(number)
            seen.append(list(inside))
            inside.remove(number)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(block, range(4)))
    assert seen == [[0], [1], [2], [3]]


def test_a_number_is_used_once() -> None:
    """A second use, or a negative number, is refused."""
    sequence = ThreadSequencer()
    with sequence(0):
        pass
    with pytest.raises(SequenceError, match="block number 0 is negative or used"):
        enter(sequence, 0)
    with pytest.raises(SequenceError, match="block number -1 is negative or used"):
        enter(sequence, -1)


def test_a_block_that_raises_breaks_the_sequence() -> None:
    """Those who wait for it, and those to come, raise instead of hanging."""
    sequence = ThreadSequencer()
    with ThreadPoolExecutor(1) as pool:
        waiting: Future[None] = pool.submit(enter, sequence, 1)
        with pytest.raises(ZeroDivisionError):
            enter(sequence, 0, lambda: 1 // 0)
        with pytest.raises(SequenceError, match="block 0 raised ZeroDivisionError"):
            waiting.result(60)
    with pytest.raises(SequenceError, match="block 2 is not entered: block 0 raised"):
        enter(sequence, 2)


def test_a_turn_that_does_not_come() -> None:
    """The safety net names the block that is missing, and breaks the sequence."""
    sequence = ThreadSequencer(timeout=0.0)
    with pytest.raises(TimeoutError, match="block 1 waited in vain: block 0 was not"):
        enter(sequence, 1)
    with pytest.raises(SequenceError, match=r"block 0 was not left within 0.0 s"):
        enter(sequence, 0)


def enter(
    sequence: ThreadSequencer, number: int, function: Callable[[], object] = int
) -> None:
    """Run *function* as a block of the sequence."""
    with sequence(number):
        function()
