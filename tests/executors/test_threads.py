"""Threads on loan."""

import threading
import weakref
from collections.abc import Iterator

import pytest

from asgibridge.errors import ExecutorClosedError
from asgibridge.executors._threads import ThreadCache, ThreadLease
from tests.staging import PATIENCE, Gate, Step


@pytest.fixture
def cache() -> Iterator[ThreadCache]:
    """A cache without a limit."""
    cache = ThreadCache("cached", max_workers=None, idle_timeout=60)
    yield cache
    for worker in cache.close():
        worker.join()


@pytest.fixture
def capped() -> Iterator[ThreadCache]:
    """A cache with one thread."""
    cache = ThreadCache("capped", max_workers=1, idle_timeout=60)
    yield cache
    for worker in cache.close():
        worker.join()


def used(lease: ThreadLease) -> int:
    """Use a lease; return the thread."""
    step = Step()
    lease.post(step)
    step.wait()
    assert step.thread is not None
    return step.thread


def given_back(lease: ThreadLease) -> None:
    """Release a lease whose thread is idle by then."""
    dropped = threading.Event()
    step = Step()
    weakref.finalize(step, dropped.set)
    lease.post(step)
    del step
    lease.release()
    # A worker drops its work after it has become idle.
    assert dropped.wait(PATIENCE)


def test_a_lease_takes_its_thread_at_its_first_use(cache: ThreadCache) -> None:
    """Before, there is none; then all of it runs on that one."""
    lease = cache.lease()
    no_thread = lease.thread
    assert no_thread is None
    before = lease.current
    assert before is None
    gate = Gate()
    step = Step(gate)
    lease.post(step)
    gate.wait_entered()
    assert lease.thread == gate.thread
    assert lease.current is step
    gate.open()
    assert used(lease) == gate.thread
    assert lease.submit(threading.get_ident).result() == gate.thread
    lease.release()


def test_leases_have_threads_of_their_own(cache: ThreadCache) -> None:
    """Two open leases never share a thread; names are counted."""
    leases = [cache.lease(), cache.lease()]
    assert len({used(lease) for lease in leases}) == 2
    names = [lease.worker.name for lease in leases if lease.worker is not None]
    assert names == ["cached-1", "cached-2"]
    for lease in leases:
        lease.release()


def test_the_warmest_thread_is_lent_first(cache: ThreadCache) -> None:
    """Last in, first out."""
    first, second = cache.lease(), cache.lease()
    threads = used(first), used(second)
    given_back(first)
    given_back(second)
    third, fourth = cache.lease(), cache.lease()
    assert (used(third), used(fourth)) == (threads[1], threads[0])
    third.release()
    fourth.release()


def test_a_busy_thread_is_not_lent(cache: ThreadCache) -> None:
    """One that still works for its last lease is left alone, and a free one taken."""
    lease = cache.lease()
    gate = Gate()
    lease.post(Step(gate))
    gate.wait_entered()
    lease.release()
    other = cache.lease()
    assert used(other) != gate.thread
    other.release()
    gate.open()


def test_a_cap_counts_busy_threads(capped: ThreadCache) -> None:
    """With no more threads allowed, work queues behind what was given back."""
    lease = capped.lease()
    gate = Gate()
    lease.post(Step(gate))
    gate.wait_entered()
    lease.release()
    other = capped.lease()
    step = Step()
    other.post(step)
    assert not step.done.is_set()
    gate.open()
    step.wait()
    assert step.thread == gate.thread
    other.release()


def test_waiting_leases_are_served_in_order(capped: ThreadCache) -> None:
    """First in, first out, each with all of its work, in order."""
    seen: list[str] = []
    first = capped.lease()
    used(first)
    waiting = [capped.lease() for _ in range(3)]
    steps = []
    for name, lease in zip("abc", waiting, strict=True):
        for number in range(2):
            step = Step(lambda name=name, number=number: seen.append(f"{name}{number}"))  # type: ignore[misc]  # early binding
            lease.post(step)
            steps.append(step)
    assert [lease.thread for lease in waiting] == [None] * 3
    assert seen == []
    first.release()
    for lease, last in zip(waiting, steps[1::2], strict=True):
        last.wait()
        lease.release()
    assert seen == ["a0", "a1", "b0", "b1", "c0", "c1"]


def test_a_lease_released_while_it_waits_still_runs(capped: ThreadCache) -> None:
    """Work that was accepted runs; the thread goes on to the next lease."""
    first, second, third = capped.lease(), capped.lease(), capped.lease()
    used(first)
    of_second, of_third = Step(), Step()
    second.post(of_second)
    third.post(of_third)
    second.release()
    second.release()
    with pytest.raises(ExecutorClosedError, match="lease 'capped' is closed"):
        second.post(Step())
    first.release()
    of_second.wait()
    of_third.wait()
    assert second.thread is None
    assert third.thread == of_third.thread
    third.release()


def test_a_lease_never_used_costs_nothing(capped: ThreadCache) -> None:
    """Releasing it changes nothing, and it cannot be used afterwards."""
    lease = capped.lease()
    lease.release()
    with pytest.raises(ExecutorClosedError, match="cannot run a step: the lease"):
        lease.post(Step())
    assert capped.close() == []


def test_a_released_lease_refuses(cache: ThreadCache) -> None:
    """Its thread may be somebody else's already."""
    lease = cache.lease()
    used(lease)
    lease.release()
    with pytest.raises(ExecutorClosedError, match="submit before closing"):
        lease.post(Step())


def test_a_closed_cache_refuses(cache: ThreadCache) -> None:
    """A lease without a thread gets none any more; one with a thread ends with it."""
    lease, late = cache.lease(), cache.lease()
    used(lease)
    workers = cache.close()
    with pytest.raises(ExecutorClosedError, match="executor 'cached' is closed"):
        late.post(Step())
    with pytest.raises(ExecutorClosedError, match="executor 'cached' is closed"):
        lease.post(Step())
    lease.release()
    for worker in workers:
        worker.join()
    assert [worker.name for worker in workers] == ["cached-1"]
    assert cache.close() == []


def test_idle_threads_end() -> None:
    """A thread that was given back ends; one that is lent out does not."""
    cache = ThreadCache("idle", max_workers=None, idle_timeout=0.001)
    lent, idle = cache.lease(), cache.lease()
    used(idle)
    thread = used(lent)
    worker = idle.worker
    idle.release()
    assert worker is not None
    worker.join()
    assert used(lent) == thread
    lent_worker = lent.worker
    assert lent_worker is not None
    assert not cache.may_end(lent_worker), "it is lent out"
    lent.release()
    lent_worker.join()
    assert cache.close() == []


def test_a_thread_with_work_does_not_end(cache: ThreadCache) -> None:
    """Idle by name, but with work in its inbox: it stays."""
    lease = cache.lease()
    gate = Gate()
    lease.post(Step(gate))
    gate.wait_entered()
    worker = lease.worker
    assert worker is not None
    lease.release()
    assert not cache.may_end(worker)
    assert not worker.is_stopped
    gate.open()


def test_a_thread_that_has_ended_takes_no_work() -> None:
    """Whoever looked at the lease before that is told by the thread."""
    cache = ThreadCache("idle", max_workers=None, idle_timeout=0.001)
    lease = cache.lease()
    used(lease)
    worker = lease.worker
    lease.release()
    assert worker is not None
    worker.join()
    assert not worker.put(Step())
    assert cache.close() == []
