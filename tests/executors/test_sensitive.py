"""ThreadSensitivePool."""

import threading
from threading import get_ident

import attrs
import pytest

from asgibridge.errors import DeadlockError, ExecutorClosedError
from asgibridge.executors import ThreadSensitivePool
from asgibridge.executors._queue import WorkQueue
from tests.staging import PATIENCE, Gate, Step, in_thread


def test_one_shared_thread() -> None:
    """All that is submitted to the pool itself runs on one thread, in order."""
    with ThreadSensitivePool(name="shared") as pool:
        before = pool.thread, pool.current
        assert before == (None, None)
        gate = Gate()
        first = pool.submit(gate)
        gate.wait_entered()
        assert str(pool.current) == repr(gate)
        seen: list[int] = []
        futures = [pool.submit(seen.append, number) for number in range(10)]
        gate.open()
        assert first.result(PATIENCE) == "out"
        futures[-1].result(PATIENCE)
        assert seen == list(range(10))
        assert pool.thread == gate.thread == pool.submit(get_ident).result(PATIENCE)
        name = pool.submit(lambda: threading.current_thread().name).result(PATIENCE)
        assert name == "shared"


def test_leases_have_other_threads() -> None:
    """A lease's thread is neither the shared one nor another lease's."""
    with ThreadSensitivePool() as pool:
        leases = [pool.lease(), pool.lease()]
        threads = {lease.submit(get_ident).result(PATIENCE) for lease in leases}
        threads.add(pool.submit(get_ident).result(PATIENCE))
        assert len(threads) == 3
        for lease in leases:
            lease.release()


def test_waiting_for_itself_is_a_deadlock() -> None:
    """On the shared thread, for a call that only it can run."""

    def wait() -> object:
        return pool.submit(int).result()

    with (
        ThreadSensitivePool() as pool,
        pytest.raises(DeadlockError, match="waits for int"),
    ):
        pool.submit(wait).result(PATIENCE)


def test_the_shared_thread_is_started_once() -> None:
    """By the first of several who submit at the same time."""
    with ThreadSensitivePool() as pool:
        start = threading.Barrier(4)
        idents: list[int] = []

        def submit() -> None:
            start.wait(PATIENCE)
            idents.append(pool.submit(get_ident).result(PATIENCE))

        threads = [threading.Thread(target=submit) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert idents == [pool.thread] * 4
        step = Step()
        assert pool._start(step).ident == pool.thread, "somebody was faster"


def test_closing_runs_what_is_queued() -> None:
    """On the shared and on leased threads, all of which have ended then."""
    pool = ThreadSensitivePool()
    gate = Gate()
    lease = pool.lease()
    futures = [pool.submit(gate), pool.submit(gate), lease.submit(gate)]
    gate.wait_entered()
    gate.open()
    before = set(threading.enumerate())
    pool.close()
    assert [future.result(0) for future in futures] == ["out"] * 3
    assert len(before - set(threading.enumerate())) == 2
    pool.close()
    with pytest.raises(ExecutorClosedError, match="'asgibridge-sensitive' is closed"):
        pool.submit(int)
    with pytest.raises(ExecutorClosedError, match="cannot run int"):
        lease.submit(int)


@pytest.mark.parametrize("is_leased", [False, True])
def test_work_that_comes_behind_the_end_is_refused(
    monkeypatch: pytest.MonkeyPatch, *, is_leased: bool
) -> None:
    """It was on its way when the pool was closed; nobody would ever run it."""
    pool = ThreadSensitivePool()
    target = pool.lease() if is_leased else pool
    target.submit(int).result(PATIENCE)
    step = Step()
    put = WorkQueue.put

    def close_and_put(queue: "WorkQueue[object]", item: object) -> None:
        if item is step:
            in_thread(pool.close)
        put(queue, item)

    monkeypatch.setattr(WorkQueue, "put", close_and_put)
    with pytest.raises(ExecutorClosedError, match="cannot run a step"):
        target.post(step)
    assert not step.done.is_set()


def test_closing_runs_what_waits_for_a_thread() -> None:
    """Accepted work of leases that have no thread yet runs on those there are."""
    pool = ThreadSensitivePool(max_workers=1)
    first, second, third = pool.lease(), pool.lease(), pool.lease()
    gate = Gate()
    first.submit(gate)
    gate.wait_entered()
    waiting = [second.submit(str, 2), third.submit(str, 3)]
    pool.close(wait=False)
    gate.open()
    assert [future.result(PATIENCE) for future in waiting] == ["2", "3"]
    for lease in (first, second, third):
        lease.release()
    pool.close()


def test_a_pool_never_used_can_be_closed() -> None:
    """There is nothing to end."""
    before = set(threading.enumerate())
    pool = ThreadSensitivePool()
    pool.close()
    assert set(threading.enumerate()) == before
    with pytest.raises(ExecutorClosedError, match="or make a new one"):
        pool.submit(int)


def test_closing_without_waiting() -> None:
    """It returns while calls still run."""
    pool = ThreadSensitivePool()
    gate = Gate()
    future = pool.submit(gate)
    gate.wait_entered()
    pool.close(wait=False)
    assert not future.done()
    gate.open()
    assert future.result(PATIENCE) == "out"
    pool.close()


def test_a_pool_cannot_wait_for_itself() -> None:
    """Closed from one of its own threads it says so."""
    pool = ThreadSensitivePool(name="mine")
    with pytest.raises(DeadlockError, match="'mine' was closed from one of its own"):
        pool.submit(pool.close).result(PATIENCE)
    pool.close()


def test_forgetting_makes_it_new() -> None:
    """As in a forked child: no threads, open."""
    pool = ThreadSensitivePool()
    pool.submit(int).result(PATIENCE)
    pool.close()
    pool.forget()
    assert pool.thread is None
    assert pool.submit(int).result(PATIENCE) == 0
    pool.close()


def test_wrong_options_are_refused() -> None:
    """Numbers that mean nothing, and changes afterwards."""
    with pytest.raises(ValueError, match="max_workers"):
        ThreadSensitivePool(max_workers=0)
    with pytest.raises(ValueError, match="idle_timeout"):
        ThreadSensitivePool(idle_timeout=-1)
    with pytest.raises(attrs.exceptions.FrozenAttributeError):
        ThreadSensitivePool().name = "other"
