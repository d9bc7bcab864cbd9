"""The threads of a WorkerPool."""

import threading
from collections import deque

import pytest

from asgibridge.errors import NoThreadError
from asgibridge.executors import WorkerPool, _crew
from asgibridge.executors._crew import Crew, CrewThread
from asgibridge.types import Runnable
from tests.staging import PATIENCE, Gate, Step


def test_blocking_work_runs_in_parallel() -> None:
    """As much of it at once as there may be threads."""
    with WorkerPool(max_workers=4, name="pool") as pool:
        together = threading.Barrier(4)
        futures = [pool.submit(together.wait, PATIENCE) for _ in range(4)]
        assert sorted(future.result(PATIENCE) for future in futures) == [0, 1, 2, 3]
        names = sorted(thread._thread.name for thread in pool._crew.threads)
        assert names == [f"pool-{number}" for number in range(1, 5)]


def test_the_cap_holds_and_waiting_is_in_order() -> None:
    """No more threads than allowed; the rest starts first in, first out."""
    with WorkerPool(max_workers=2) as pool:
        order: list[int] = []
        gates = [Gate() for _ in range(6)]

        def work(number: int) -> None:
            order.append(number)
            gates[number]()

        for number in range(6):
            pool.submit(work, number)
        for number in range(6):
            gates[number].wait_entered()
            assert len(order) <= number + 2
            assert len(pool._crew.threads) <= 2
            gates[number].open()
    # The first two begin side by side, each of the others alone.
    assert order[2:] == [2, 3, 4, 5]


def _refuse(_: threading.Thread) -> None:
    msg = "can't start new thread"
    raise RuntimeError(msg)


@pytest.fixture
def standing(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Have guards wait to be woken; tells when one has looked for the first time."""
    monkeypatch.setattr(_crew, "STALL_SECONDS", PATIENCE)
    looked = threading.Event()
    look = Crew.look

    def look_and_tell(crew: Crew, finished: int) -> int | None:
        try:
            return look(crew, finished)
        finally:
            looked.set()

    monkeypatch.setattr(Crew, "look", look_and_tell)
    return looked


def test_quick_work_wakes_one_guard(standing: threading.Event) -> None:
    """While work is quick there is one worker and one that looks after it."""
    pool = WorkerPool(max_workers=8)
    gates = [Gate() for _ in range(4)]
    pool.submit(gates[0])
    gates[0].wait_entered()
    for gate in gates[1:]:
        pool.submit(gate)
    assert len(pool._crew.threads) == 2
    assert standing.wait(PATIENCE)
    # The guard finds after a while that nothing was finished: all are needed.
    pool._crew.threads[1].wake()
    for gate in gates:
        gate.wait_entered()
    assert len(pool._crew.threads) == 4
    for gate in gates:
        gate.open()
    pool.close()


def test_a_guard_leaves_progress_alone() -> None:
    """As long as something was finished since its last look, nobody is woken."""
    pool = WorkerPool(max_workers=8)
    pool._crew._queue.append(Step())
    assert pool._crew.look(-1) == 0
    pool._crew.note(0.0)
    assert pool._crew.look(0) == 1
    assert pool._crew.threads == []
    pool._crew._queue.clear()
    assert [pool._crew.look(1) for _ in range(_crew.QUIET_LOOKS)] == [
        1
    ] * _crew.QUIET_LOOKS
    assert pool._crew.look(1) is None, "nothing to guard for a while: it leaves"
    assert pool._crew.threads == []
    assert pool._crew._awake == 1, "it works, now that it does not guard"


def test_a_guard_gives_new_work_a_moment() -> None:
    """Work that came since its last look may be about to be taken."""
    pool = WorkerPool(max_workers=8)
    assert pool._crew.look(0) == 0
    pool._crew._queue.append(Step())
    assert pool._crew.look(0) == 0
    assert pool._crew.threads == []


def test_a_guard_wakes_no_more_threads_than_allowed() -> None:
    """What there is to run may be more."""
    pool = WorkerPool(max_workers=1)
    steps = [Step() for _ in range(4)]
    pool._crew._queue.extend(steps)
    assert pool._crew.look(0) is None
    for step in steps:
        step.wait()
    assert len(pool._crew.threads) == 1
    pool.close()


def test_slow_work_wakes_a_thread_for_each() -> None:
    """Where much of the work blocks no guard is needed."""
    pool = WorkerPool(max_workers=8)
    for _ in range(10):
        pool._crew.note(1.0)
    gates = [Gate() for _ in range(3)]
    for gate in gates:
        pool.submit(gate)
    assert len(pool._crew.threads) == 3
    assert not pool._crew._has_guard
    for gate in gates:
        gate.wait_entered()
        gate.open()
    pool.close()


def test_the_judgement_follows_the_work() -> None:
    """Quick and slow work move the estimate, to its limits and no further."""
    pool = WorkerPool()
    for _ in range(200):
        pool._crew.note(1.0)
    assert 0.99 < pool._crew._slow_share <= 1
    for _ in range(200):
        pool._crew.note(0.0)
    assert 0 <= pool._crew._slow_share < 0.01


def test_idle_threads_are_used_again() -> None:
    """A thread that has nothing to do takes the next work."""
    with WorkerPool(max_workers=8) as pool:
        pool.submit(int).result(PATIENCE)
        (thread,) = pool._crew.threads
        _wait_idle(pool)
        assert pool.submit(threading.get_ident).result(PATIENCE) == thread.ident
        assert pool._crew.threads == [thread]


def _wait_idle(pool: WorkerPool) -> None:
    """Wait until every thread of the pool rests."""
    gate = threading.Event()
    while len(pool._crew._idle) < len(pool._crew.threads):
        gate.wait(0.0005)  # nobody tells that a thread rests


def test_idle_threads_end() -> None:
    """After the idle time, and only then; the next work starts a new one."""
    pool = WorkerPool(idle_timeout=0.001)
    first = pool.submit(threading.current_thread).result(PATIENCE)
    first.join(PATIENCE)
    assert not first.is_alive()
    assert pool._crew.threads == []
    second = pool.submit(threading.current_thread).result(PATIENCE)
    assert second is not first
    pool.close()


def test_a_thread_chosen_just_now_does_not_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One that is about to be woken asks whether it may end, and may not."""
    answers: list[bool] = []
    refused = threading.Event()
    may_end = Crew.may_end

    def ask(crew: Crew, thread: CrewThread) -> bool:
        if not answers:
            # What post() does before it wakes the thread it has chosen.
            with crew._lock:
                assert crew._rouse() is thread
        answers.append(may_end(crew, thread))
        if len(answers) == 2:
            refused.set()
        return answers[-1]

    monkeypatch.setattr(Crew, "may_end", ask)
    pool = WorkerPool(idle_timeout=0.001)
    thread = pool.submit(threading.current_thread).result(PATIENCE)
    assert refused.wait(PATIENCE)
    assert answers[:2] == [False, False]
    assert thread.is_alive()
    pool._crew.threads[0].wake()
    thread.join(PATIENCE)
    assert answers[-1] is True
    pool.close()


class OvertakenQueue(deque[Runnable]):
    """A queue that looks empty once, to somebody who is being overtaken."""

    lies = 1

    def popleft(self) -> Runnable:
        """Lie, then take."""
        if self.lies:
            self.lies -= 1
            raise IndexError
        return super().popleft()


def test_work_that_comes_at_the_last_moment() -> None:
    """A thread looks once more, under the lock, before it rests."""
    pool = WorkerPool()
    pool._crew._queue = OvertakenQueue()
    assert pool.submit(int).result(PATIENCE) == 0
    pool.close()


def test_work_goes_to_the_threads_that_there_are(
    standing: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where no more can be started: by a call, or by the guard."""
    pool = WorkerPool(max_workers=3)
    gates = [Gate() for _ in range(4)]
    pool.submit(gates[0])
    gates[0].wait_entered()
    futures = [pool.submit(gates[1])]
    assert standing.wait(PATIENCE)
    _, guard = pool._crew.threads
    monkeypatch.setattr(threading.Thread, "start", _refuse)
    futures.append(pool.submit(gates[2]))
    guard.wake()
    gates[1].wait_entered()
    pool._crew._slow_share = 1.0  # now each call asks for a thread
    futures.append(pool.submit(gates[3]))
    for gate in gates:
        gate.open()
    assert [future.result(PATIENCE) for future in futures] == ["out"] * 3
    assert len(pool._crew.threads) == 2
    pool.close()


def test_work_without_any_thread_is_not_accepted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is not run later, when its caller knows that it failed."""
    pool = WorkerPool()
    step = Step()
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", _refuse)
        with pytest.raises(NoThreadError, match=r"'asgibridge-worker-1' cannot be"):
            pool.post(step)
    assert pool.submit(int).result(PATIENCE) == 0
    pool.close()
    assert not step.done.is_set()


def test_closing_runs_what_an_idle_thread_was_chosen_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Though the pool is closed before that thread looks whether it is to end."""
    idle, closed = threading.Event(), threading.Event()
    work = CrewThread._work

    def work_and_stand(thread: CrewThread) -> None:
        work(thread)
        idle.set()
        assert closed.wait(PATIENCE)

    monkeypatch.setattr(CrewThread, "_work", work_and_stand)
    pool = WorkerPool(max_workers=1)
    assert pool.submit(int).result(PATIENCE) == 0
    assert idle.wait(PATIENCE)
    future = pool.submit(str, "last")
    pool.close(wait=False)
    closed.set()
    assert future.result(PATIENCE) == "last"
    pool.close()


def test_closing_ends_idle_threads() -> None:
    """Those that rest are woken for it."""
    pool = WorkerPool()
    thread = pool.submit(threading.current_thread).result(PATIENCE)
    _wait_idle(pool)
    pool.close()
    assert not thread.is_alive()


def test_closing_waits_for_threads_that_start_meanwhile(
    standing: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A guard that wakes more threads during the close does not leave one behind."""
    pool = WorkerPool(max_workers=3)
    gates = [Gate() for _ in range(3)]
    for gate in gates:
        pool.submit(gate)
    gates[0].wait_entered()
    _, guard = pool._crew.threads
    assert standing.wait(PATIENCE)
    joining = threading.Event()
    join = CrewThread.join

    def join_and_tell(thread: CrewThread) -> None:
        joining.set()
        if thread.ident == gates[2].thread:  # the guard, or the one that it woke
            gates[2].open()  # nobody else does
        join(thread)

    monkeypatch.setattr(CrewThread, "join", join_and_tell)
    closer = threading.Thread(target=pool.close)
    closer.start()
    assert joining.wait(PATIENCE)
    guard.wake()
    gates[2].wait_entered()
    gates[0].open()
    gates[1].open()
    closer.join(PATIENCE)
    assert gates[2].opened.is_set()
    assert not any(thread.is_alive for thread in pool._crew.threads)
