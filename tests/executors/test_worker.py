"""One thread and its inbox."""

import gc
import threading
import weakref
from collections import deque

import pytest

from asgibridge.executors import _queue
from asgibridge.executors._worker import WorkerThread
from tests.staging import PATIENCE, Gate, Step


class Owner:
    """Lets a worker end at the second time it asks."""

    def __init__(self) -> None:
        self.asked = 0
        self.answers = [False, True]

    def may_end(self, _worker: WorkerThread) -> bool:
        """Count and answer."""
        self.asked += 1
        return self.answers.pop(0)


def test_work_runs_in_order_on_one_named_daemon() -> None:
    """All of it on the thread with that name; stop ends it after its work."""
    worker = WorkerThread("a name")
    names: list[str] = []
    daemons: list[bool] = []

    def look() -> None:
        names.append(threading.current_thread().name)
        daemons.append(threading.current_thread().daemon)

    steps = [Step(look) for _ in range(3)]
    for step in steps:
        worker.inbox.put(step)
    worker.stop()
    worker.join()
    assert names == ["a name"] * 3
    assert daemons == [True] * 3
    assert {step.thread for step in steps} == {worker.ident}


def test_busy_and_current() -> None:
    """It tells what it runs, and whether there is anything."""
    worker = WorkerThread("worker")
    gate = Gate()
    step, behind = Step(gate), Step()
    worker.inbox.put(step)
    gate.wait_entered()
    current = worker.current
    assert current is step
    assert worker.is_busy
    worker.inbox.put(behind)
    gate.open()
    worker.stop()
    worker.join()
    assert worker.current is None
    assert not worker.is_busy


def test_work_is_run_or_refused() -> None:
    """What lies before the end is run, though it is looked at after that."""
    worker = WorkerThread("worker")
    gate = Gate()
    assert worker.put(Step(gate))
    gate.wait_entered()
    before, behind = Step(), Step()
    assert worker.put(before)
    worker.stop()
    assert not worker.put(behind)
    gate.open()
    worker.join()
    assert before.done.is_set()
    assert not behind.done.is_set()


def test_an_idle_worker_asks_its_owner() -> None:
    """It goes on until the owner lets it end."""
    owner = Owner()
    worker = WorkerThread("worker", owner, 0.001)
    worker.join()
    assert owner.asked == 2
    assert owner.answers == []


def test_nothing_lives_on_in_an_idle_worker() -> None:
    """Work is dropped when it is done, and not when the next comes."""
    worker = WorkerThread("worker")
    step, last = Step(), Step()
    reference = weakref.ref(step)
    worker.inbox.put(step)
    worker.inbox.put(last)
    last.wait()
    del step
    gc.collect()
    assert reference() is None
    worker.stop()
    worker.join()


def test_who_was_told_of_the_end_is_not_too_early() -> None:
    """A worker whose work says that it is done is free for more."""
    worker = WorkerThread("worker")

    class Telling:
        """Is done before the thread has left it."""

        def __init__(self) -> None:
            self.is_done = False
            self.told, self.leave = threading.Event(), threading.Event()

        def run(self) -> None:
            self.is_done = True
            self.told.set()
            self.leave.wait(PATIENCE)

    class Plain(Telling):
        def run(self) -> None:
            self.told.set()
            self.leave.wait(PATIENCE)

    for work, is_busy in ((Telling(), False), (Plain(), True)):
        worker.inbox.put(work)
        assert work.told.wait(PATIENCE)
        assert worker.is_busy is is_busy
        behind = Step()
        worker.inbox.put(behind)
        assert worker.is_busy
        work.leave.set()
        behind.wait()
    worker.stop()
    worker.join()


class Overtaken(deque[object]):
    """Says once that it has an item, which somebody else has taken back by then."""

    lies = 1

    def __bool__(self) -> bool:
        """Lie, then tell."""
        if self.lies:
            self.lies -= 1
            return True
        return len(self) > 0


def test_work_withdrawn_while_it_is_being_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The thread goes on to what comes next."""
    monkeypatch.setattr(_queue, "deque", Overtaken)
    worker = WorkerThread("a name")
    step = Step()
    worker.inbox.put(step)
    step.wait()
    worker.stop()
    worker.join()
    assert isinstance(worker.inbox.items, Overtaken)
    assert worker.inbox.items.lies == 0
