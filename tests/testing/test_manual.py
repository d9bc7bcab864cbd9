"""ManualExecutor."""

import asyncio
import threading
from concurrent.futures import Future, ThreadPoolExecutor, wait

import pytest
from hypothesis import given, settings, strategies as st

from asgibridge.errors import ExecutorClosedError, NothingPendingError
from asgibridge.testing import ManualExecutor, PendingCall
from asgibridge.testing._calls import run_call


def test_nothing_runs_untold() -> None:
    """A submitted call waits, with all that is known of it."""
    executor = ManualExecutor()
    future = executor.submit(divmod, 7, 2)
    (call,) = executor.pending
    assert (call.function, call.args, call.kwargs) == (divmod, (7, 2), {})
    assert call.future is future
    assert call.submitter == threading.get_ident()
    assert not future.running()


def test_run_next_runs_the_oldest() -> None:
    """Calls run one at a time, on the thread that says so."""
    executor = ManualExecutor()
    first = executor.submit(threading.get_ident)
    second = executor.submit(int)
    assert executor.run_next().future is first
    assert first.result() == threading.get_ident()
    assert not second.done()


@settings(deadline=None)  # machines are shared
@given(order=st.permutations(range(5)))
def test_any_order(order: list[int]) -> None:
    """Calls run in the order told, whatever it is."""
    executor = ManualExecutor()
    ran: list[int] = []
    for number in range(5):
        executor.submit(ran.append, number)
    calls = executor.pending
    for number in order:
        executor.run(calls[number])
    assert ran == order
    assert executor.pending == ()


def test_a_call_runs_once() -> None:
    """Told to run it again, or one of another executor, it says so."""
    executor, other = ManualExecutor(), ManualExecutor()
    executor.submit(int)
    other.submit(int)
    (call,) = executor.pending
    executor.run(call)
    for again in (call, *other.pending):
        with pytest.raises(NothingPendingError, match="is not pending: run, cancelled"):
            executor.run(again)


def test_run_all_runs_what_is_submitted_meanwhile() -> None:
    """Calls submitted by calls run too; cancelled ones do not."""
    executor = ManualExecutor()
    executor.submit(executor.submit, int)
    cancelled = executor.submit(int)
    assert cancelled.cancel()
    assert executor.run_all() == 2
    assert executor.pending == ()


def test_cancelled_call_is_not_pending() -> None:
    """A cancelled call cannot be run, and those who wait for it are told."""
    executor = ManualExecutor()
    future = executor.submit(int)
    (call,) = executor.pending
    future.cancel()
    assert executor.pending == ()
    assert wait([future], timeout=60).done == {future}
    with pytest.raises(NothingPendingError, match="is not pending: run, cancelled"):
        executor.run(call)
    with pytest.raises(NothingPendingError, match="no call is pending"):
        executor.run_next()


def test_wait_pending_from_another_thread() -> None:
    """wait_pending returns when the calls have been submitted, by whomever."""
    executor = ManualExecutor()
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(executor.wait_pending, 2)
        executor.submit(int)
        assert not waiting.done()
        executor.submit(int)
        assert waiting.result(60) is None
    executor.wait_pending(2)  # at once: they are still there


def test_wait_pending_times_out() -> None:
    """Too few calls in time is an error that counts them."""
    executor = ManualExecutor()
    executor.submit(int)
    with pytest.raises(TimeoutError, match=r"1 of 2 calls were pending .* after 0.0 s"):
        executor.wait_pending(2, timeout=0.0)
    executor.submit(int)  # finds a waiter that gave up


def test_wait_pending_async() -> None:
    """The async form waits without blocking the loop, and times out too."""
    executor = ManualExecutor()

    async def use() -> None:
        loop = asyncio.get_running_loop()
        loop.call_soon(executor.submit, int)
        await executor.wait_pending_async()
        with pytest.raises(TimeoutError, match="1 of 3 calls"):
            await executor.wait_pending_async(3, timeout=0.0)

    asyncio.run(use())
    assert len(executor.pending) == 1


def test_close_cancels() -> None:
    """Closing cancels what is pending, wakes who waits, and refuses the rest."""
    with ThreadPoolExecutor(1) as pool:
        with ManualExecutor() as executor:
            future = executor.submit(int)
            waiting = pool.submit(executor.wait_pending, 2)
        with pytest.raises(
            ExecutorClosedError, match=r"ManualExecutor (is|was) closed"
        ):
            waiting.result(60)
    assert future.cancelled()
    with pytest.raises(ExecutorClosedError, match="cannot submit"):
        executor.submit(int)
    with pytest.raises(ExecutorClosedError, match="is closed"):
        executor.wait_pending(0)


def test_close_wakes_a_registered_waiter() -> None:
    """A waiter that is known to be waiting is woken by the close."""
    executor = ManualExecutor()

    async def use() -> None:
        task = asyncio.create_task(executor.wait_pending_async())
        await asyncio.sleep(0)
        executor.close()
        with pytest.raises(ExecutorClosedError, match="was closed"):
            await task

    asyncio.run(use())


def test_run_after_exception() -> None:
    """A call that raises leaves the executor usable."""
    executor = ManualExecutor()
    failing: Future[int] = executor.submit(int, "x")
    working = executor.submit(int, "1")
    assert executor.run_all() == 2
    assert isinstance(failing.exception(), ValueError)
    assert working.result() == 1


def test_call_cancelled_in_the_last_moment() -> None:
    """A call cancelled after it was taken, and before it ran, does not run."""
    ran: list[int] = []
    call = PendingCall(ran.append, (1,), {})
    call.future.cancel()
    run_call(call)
    assert ran == []
