"""WorkerPool."""

import os
import threading

import attrs
import pytest

from asgibridge.errors import DeadlockError, ExecutorClosedError
from asgibridge.executors import WorkerPool
from tests.staging import PATIENCE, Gate, in_thread


def test_results_and_exceptions() -> None:
    """A call gets its arguments; its future gets what it did."""
    with WorkerPool() as pool:
        assert pool.submit(int, "11", base=3).result(PATIENCE) == 4
        with pytest.raises(ValueError, match="'x'"):
            pool.submit(int, "x").result(PATIENCE)


def test_nothing_is_started_before_it_is_needed() -> None:
    """Making and closing a pool starts no thread."""
    before = set(threading.enumerate())
    with WorkerPool():
        assert set(threading.enumerate()) == before


def test_saturation_is_told() -> None:
    """Work that waits and no thread that is free for it."""
    with WorkerPool(max_workers=1) as pool:
        gate = Gate()
        pool.submit(gate)
        gate.wait_entered()
        states = [pool.is_saturated]
        pool.submit(int)
        states.append(pool.is_saturated)
        gate.open()
    states.append(pool.is_saturated)
    assert states == [False, True, False]


# -- the end --


def test_closing_runs_what_is_queued() -> None:
    """All of it, and the threads have ended when it returns."""
    pool = WorkerPool(max_workers=1)
    gate = Gate()
    futures = [pool.submit(gate), *[pool.submit(str, n) for n in range(5)]]
    gate.wait_entered()
    thread = pool._crew.threads[0]
    gate.open()
    pool.close()
    assert [future.result(0) for future in futures] == ["out", *"01234"]
    assert not thread._thread.is_alive()
    pool.close()


def test_a_closed_pool_refuses() -> None:
    """With the function, the pool and the way out."""
    pool = WorkerPool(name="my pool")
    pool.close()
    with pytest.raises(
        ExecutorClosedError,
        match="run int: executor 'my pool' is closed; submit before",
    ):
        pool.submit(int)


def test_closing_without_waiting() -> None:
    """It returns while calls still run, which end in their time."""
    pool = WorkerPool()
    gate = Gate()
    future = pool.submit(gate)
    gate.wait_entered()
    pool.close(wait=False)
    assert not future.done()
    gate.open()
    assert future.result(PATIENCE) == "out"
    pool.close()


def test_a_pool_cannot_wait_for_itself() -> None:
    """Closed from one of its own threads it says so, and is closed."""
    pool = WorkerPool(name="my pool")
    with pytest.raises(DeadlockError, match="'my pool' was closed from one of its own"):
        pool.submit(pool.close).result(PATIENCE)
    with pytest.raises(ExecutorClosedError):
        pool.submit(int)
    pool.close()


def test_forgetting_makes_it_new() -> None:
    """As in a forked child: no threads, no work, open."""
    pool = WorkerPool()
    pool.submit(int).result(PATIENCE)
    pool.close()
    pool.forget()
    assert pool._crew.threads == []
    assert pool.submit(int).result(PATIENCE) == 0
    pool.close()


# -- configuration --


@pytest.mark.parametrize(("count", "workers"), [(None, 5), (2, 6), (64, 32)])
def test_default_number_of_threads(
    count: int | None, workers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That of the standard library."""
    monkeypatch.setattr(os, "cpu_count", lambda: count)
    assert WorkerPool().max_workers == workers


def test_wrong_options_are_refused() -> None:
    """Numbers that mean nothing, and changes afterwards."""
    with pytest.raises(ValueError, match="max_workers"):
        WorkerPool(max_workers=0)
    with pytest.raises(ValueError, match="idle_timeout"):
        WorkerPool(idle_timeout=0)
    pool = WorkerPool()
    with pytest.raises(attrs.exceptions.FrozenAttributeError):
        pool.max_workers = 3
    assert in_thread(lambda: pool.max_workers) == WorkerPool().max_workers
