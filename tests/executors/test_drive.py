"""Drive: a loop and calls in turns, and the moments when the loop moves."""

import threading
from collections.abc import Callable, Iterator

import pytest

from asgibridge.executors import _drive
from asgibridge.executors._drive import Drive
from asgibridge.executors._inbox import Inbox
from asgibridge.executors._threads import ThreadCache
from asgibridge.loops import RecyclableLoop
from tests.staging import PATIENCE


class Counting(RecyclableLoop):
    """Counts how often it polls."""

    polls = 0

    def run_forever(self) -> None:
        """Poll."""
        self.polls += 1
        super().run_forever()


class Until:
    """An outcome that a test completes."""

    def __init__(self, looks: int = 0) -> None:
        self.is_done = False
        self._looks = looks

    def run(self) -> None:
        """Be the last work."""
        self.is_done = True

    def check(self) -> None:
        """Be done after a number of looks."""
        self._looks -= 1
        self.is_done = self._looks <= 0


class Work:
    """What a drive finds in its inbox."""

    def __init__(self, fn: Callable[[], object]) -> None:
        self._fn = fn

    def run(self) -> None:
        """Call the function."""
        self._fn()


@pytest.fixture
def threads() -> Iterator[ThreadCache]:
    """Where loops move to."""
    cache = ThreadCache("test-moved", max_workers=None, idle_timeout=10)
    yield cache
    for worker in cache.close():
        worker.join()


@pytest.fixture
def loop() -> Iterator[Counting]:
    """A loop that was noted."""
    loop = Counting()
    loop.set_debug(False)  # else it is not turned by hand
    loop.note()
    yield loop
    loop.close()


@pytest.fixture
def drive(loop: Counting, threads: ThreadCache) -> Iterator[Drive]:
    """A drive of that loop on this thread."""
    drive = Drive(loop, Inbox(), threads, threading.Lock())
    drive._inbox.driver = loop.driver = drive
    yield drive
    drive.end()
    loop.driver = None


def test_what_another_thread_has_is_polled_for_before_a_call(
    drive: Drive, loop: Counting
) -> None:
    """A knock while the loop is turned by hand: the call waits for one poll."""
    outcome, order = Until(), list[int]()

    def call() -> None:
        order.append(loop.polls)
        outcome.is_done = True

    drive.knock()
    drive._inbox.put(Work(call))
    drive.drive(outcome)
    assert order == [1]
    assert not drive.has_moved


def test_a_moved_loop_leaves_the_thread_to_its_calls(
    drive: Drive, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The outcome is asked now and then whether it can still come."""
    monkeypatch.setattr(_drive, "CHECK_SECONDS", 0.001)
    drive._move()
    assert str(drive._mover).startswith("the loop <Counting")
    drive._run()
    outcome = Until(looks=2)
    drive.drive(outcome)
    assert outcome.is_done


def test_a_loop_that_moved_takes_along_what_was_due(
    drive: Drive, loop: Counting
) -> None:
    """What the next turn would have begun with runs where the loop is."""
    ran = threading.Event()
    assert drive.call_soon(ran.set)
    drive._move()
    assert ran.wait(PATIENCE)


def test_a_second_function_is_scheduled(drive: Drive, loop: Counting) -> None:
    """Only one is due; others take the loop's own way."""
    order: list[str] = []
    assert drive.call_soon(lambda: order.append("first"))
    assert drive.call_soon(lambda: order.append("second"))
    outcome = Until()
    assert drive.call_soon(outcome.run)
    drive.drive(outcome)
    assert order == ["first", "second"]


def test_while_a_call_runs_the_ticket_is_put_back(drive: Drive) -> None:
    """What the call's own thread schedules does not move the loop."""
    drive._park()
    assert drive.call_soon(lambda: None)
    assert drive._tickets == [True]
    drive._unpark()
    assert not drive.has_moved


def test_a_loop_that_moves_at_that_moment_is_not_touched(
    drive: Drive, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another thread took the ticket: the loop runs, so it has to be woken."""
    drive._park()
    drive.knock()
    assert drive.has_moved
    drive.has_moved = False  # as this thread may still see it

    def learn_of_it(drive: Drive) -> None:
        drive.has_moved = True

    monkeypatch.setattr(Drive, "_unpark", learn_of_it)
    assert not drive.call_soon(lambda: None)


def test_work_from_another_thread_stops_the_polling(
    drive: Drive, loop: Counting
) -> None:
    """The loop polls, and nothing else would end that."""
    outcome = Until()
    other = threading.Thread(target=drive._inbox.put, args=(Work(outcome.run),))

    def begin() -> None:
        other.start()
        other.join()

    drive._is_plain = True  # no turns by hand: it is polling when that happens
    loop.call_soon(begin)
    drive.drive(outcome)
    assert outcome.is_done


def test_a_stop_counts_for_one_run(drive: Drive, loop: Counting) -> None:
    """One that is left over from another run ends nothing."""
    order: list[str] = []

    def ring() -> None:
        order.append("rung")
        drive.ring()

    loop.call_soon(drive._stop, drive._run_number)
    loop.call_later(0.001, ring)
    drive._run()
    assert order == ["rung"]
    assert loop.polls == 1
