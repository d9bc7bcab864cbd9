"""What an executor that lends threads promises beyond its type."""

import threading
from concurrent.futures import Future, wait
from typing import ClassVar

import pytest

from ...types import SupportsLease
from ._tools import SAFETY_NET, Blocker, fixture_missing

__all__ = ("LeaseConformance",)


class LeaseConformance:
    """What `SupportsLease` promises beyond its type.

    Subclass it, and provide a fixture ``lender`` that yields a new executor
    with `lease` for each test and closes it afterwards.

    Attributes:
        max_workers: How many leases have threads at once, at least.
    """

    max_workers: ClassVar[int] = 2

    @pytest.fixture
    def lender(self) -> SupportsLease:
        """Provide the executor: yours overrides this one."""
        fixture_missing(type(self), "lender")

    def test_one_thread_in_order(self, lender: SupportsLease) -> None:
        """Calls run on one thread, not the submitter's, in their order."""
        ran: list[tuple[int, int]] = []
        lease = lender.lease()

        def note(number: int) -> None:
            ran.append((number, threading.get_ident()))

        futures = [lease.submit(note, number) for number in range(50)]
        assert not wait(futures, SAFETY_NET).not_done
        lease.release()
        assert [number for number, _ in ran] == list(range(50))
        threads = {thread for _, thread in ran}
        assert len(threads) == 1
        assert threading.get_ident() not in threads

    def test_same_thread_after_a_pause(self, lender: SupportsLease) -> None:
        """An idle lease keeps its thread, whatever others do meanwhile."""
        lease = lender.lease()
        first = lease.submit(threading.get_ident).result(SAFETY_NET)
        other = lender.lease()
        other.submit(int).result(SAFETY_NET)
        other.release()
        assert lease.submit(threading.get_ident).result(SAFETY_NET) == first
        lease.release()

    def test_leases_run_at_once(self, lender: SupportsLease) -> None:
        """Each lease has a thread of its own, up to the number of workers."""
        barrier = threading.Barrier(self.max_workers)
        leases = [lender.lease() for _ in range(self.max_workers)]

        def meet() -> int:
            barrier.wait(SAFETY_NET)
            return threading.get_ident()

        futures: list[Future[int]] = [lease.submit(meet) for lease in leases]
        threads = {future.result(SAFETY_NET) for future in futures}
        for lease in leases:
            lease.release()
        assert len(threads) == self.max_workers

    def test_lease_needs_no_thread_before_use(self, lender: SupportsLease) -> None:
        """More leases than workers can be taken: only their calls need threads."""
        leases = [lender.lease() for _ in range(self.max_workers + 3)]
        assert leases[-1].submit(int).result(SAFETY_NET) == 0
        for lease in leases:
            lease.release()
            lease.release()  # a second release does nothing

    def test_release_does_not_wait(self, lender: SupportsLease) -> None:
        """Calls submitted before the release run, without it waiting for them."""
        lease = lender.lease()
        with Blocker().occupying(lease, 1) as busy:
            queued = lease.submit(int)
            lease.release()
            assert not busy[0].done()
        assert queued.result(SAFETY_NET) == 0

    def test_released_thread_is_lent_again(self, lender: SupportsLease) -> None:
        """As many leases as workers, many times over: threads come back."""
        for _ in range(3):
            leases = [lender.lease() for _ in range(self.max_workers)]
            futures = [lease.submit(int) for lease in leases]
            assert [future.result(SAFETY_NET) for future in futures] == [0] * len(
                leases
            )
            for lease in leases:
                lease.release()

    def test_submit_after_release(self, lender: SupportsLease) -> None:
        """A released lease refuses calls with a RuntimeError."""
        lease = lender.lease()
        lease.submit(int).result(SAFETY_NET)
        lease.release()
        with pytest.raises(RuntimeError):
            lease.submit(int)
