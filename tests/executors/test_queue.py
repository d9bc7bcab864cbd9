"""Work for one thread."""

import threading
from collections import deque
from queue import Empty

import pytest

from asgibridge.executors._queue import WorkQueue
from asgibridge.loops import LockBell, _bells
from tests.staging import PATIENCE


@pytest.fixture(autouse=True, params=["best", "lock"])
def kind(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both kinds of bells."""
    if request.param == "lock":
        monkeypatch.setattr(_bells, "HAS_EVENTFD", False)


def test_first_in_first_out() -> None:
    """Items come in the order they were put."""
    queue = WorkQueue[int]()
    assert queue.empty()
    for number in range(3):
        queue.put(number)
    assert not queue.empty()
    assert [queue.get_nowait(), queue.get(), queue.get(0.0)] == [0, 1, 2]
    with pytest.raises(Empty):
        queue.get_nowait()
    with pytest.raises(Empty):
        queue.get(0.001)


def has_bell(queue: WorkQueue[int]) -> bool:
    """Whether it holds anything of the system's."""
    return queue._bell is not None


def test_nothing_is_opened_before_it_is_needed() -> None:
    """And it can be given back at any time."""
    queue = WorkQueue[int]()
    queue.put(1)
    queue.get()
    assert not has_bell(queue)
    queue.let_go()
    with pytest.raises(Empty):
        queue.get(0.001)
    assert has_bell(queue)
    queue.let_go()
    assert not has_bell(queue)


def test_one_thread_takes_what_many_put() -> None:
    """Nothing is lost, whoever is faster; each one's items stay in order."""
    queue = WorkQueue[tuple[int, int]]()
    start = threading.Barrier(4)

    def put(name: int) -> None:
        start.wait(PATIENCE)
        for number in range(500):
            queue.put((name, number))

    threads = [threading.Thread(target=put, args=(name,)) for name in range(3)]
    for thread in threads:
        thread.start()
    start.wait(PATIENCE)
    taken = [queue.get(PATIENCE) for _ in range(3 * 500)]
    for thread in threads:
        thread.join()
    for name in range(3):
        assert [n for who, n in taken if who == name] == list(range(500))
    assert queue.empty()


class Listening(WorkQueue[str]):
    """A queue that tells when its thread is about to wait."""

    def listen(self) -> threading.Event:
        """Return what is set at the first wait."""
        waiting = threading.Event()

        class Told:
            def __init__(self) -> None:
                self._bell = LockBell()
                self.ring = self._bell.ring

            def wait(self, timeout: float | None) -> bool:
                waiting.set()
                return self._bell.wait(timeout)

        self._bell = Told()
        return waiting


def test_letting_go_while_somebody_waits() -> None:
    """The wait goes on with another bell, and nothing is lost."""
    queue = Listening()
    waiting = queue.listen()
    taken: list[str] = []
    thread = threading.Thread(target=lambda: taken.append(queue.get(PATIENCE)))
    thread.start()
    assert waiting.wait(PATIENCE)
    queue.let_go()
    queue.put("it")
    thread.join(PATIENCE)
    assert taken == ["it"]


def test_somebody_else_empties_it() -> None:
    """Between the look and the taking, as a close on another thread does."""

    class Racing(deque[str]):
        def popleft(self) -> str:
            self.clear()
            return super().popleft()

    queue = WorkQueue[str]()
    queue.items = Racing(["gone"])
    with pytest.raises(Empty):
        queue.get(0.001)


def test_taking_an_item_out_again() -> None:
    """Unless somebody has taken it."""
    queue = WorkQueue[int]()
    for number in range(3):
        queue.put(number)
    assert queue.withdraw(1)
    assert not queue.withdraw(1)
    assert [queue.get_nowait(), queue.get_nowait()] == [0, 2]
    assert queue.empty()
