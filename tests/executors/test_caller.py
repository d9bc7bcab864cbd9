"""CurrentThreadExecutor."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import Empty
from threading import get_ident

import pytest

from asgibridge.errors import DeadlockError, ExecutorClosedError, WrongThreadError
from asgibridge.executors import CurrentThreadExecutor, Inbox, _caller
from asgibridge.executors._queue import WorkQueue
from asgibridge.types import Runnable
from tests.staging import PATIENCE, Gate, Step, in_thread


def inbox_with(queue: WorkQueue[Runnable]) -> Inbox:
    """Return an inbox around an odd queue."""
    inbox = Inbox()
    inbox.queue = queue
    return inbox


def test_runs_calls_of_other_threads_while_it_waits() -> None:
    """Calls run on the waiting thread, in order, until the future is done."""
    executor = CurrentThreadExecutor()
    end = Future[None]()
    seen: list[tuple[str, int]] = []

    def other() -> None:
        first = executor.submit(lambda: seen.append(("first", get_ident())))
        second = executor.submit(lambda: seen.append(("second", get_ident())))
        first.result(PATIENCE)
        second.result(PATIENCE)
        end.set_result(None)

    thread = threading.Thread(target=other)
    thread.start()
    executor.run_until_future(end)
    thread.join()
    assert seen == [("first", get_ident()), ("second", get_ident())]


def test_a_future_that_is_done_ends_the_wait_at_once() -> None:
    """What was submitted before is left for the next wait, or the close."""
    executor = CurrentThreadExecutor()
    seen: list[str] = []
    before = executor.submit(seen.append, "before")
    end = Future[None]()
    end.set_result(None)
    executor.run_until_future(end)
    assert not before.done()
    executor.close()
    assert seen == ["before"]


def test_arguments_results_and_exceptions() -> None:
    """A call gets its arguments; its future gets what it did."""
    with CurrentThreadExecutor() as executor:
        result = executor.submit(int, "11", base=3)
        failure = executor.submit(int, "x")
    assert result.result() == 4
    with pytest.raises(ValueError, match="'x'"):
        failure.result()


def test_nested_waits() -> None:
    """What is submitted to an outer executor runs in the innermost wait."""
    inbox = Inbox()
    outer = CurrentThreadExecutor(inbox)
    outer_end, inner_end = Future[None](), Future[None]()
    seen: list[str] = []

    def wait_inside() -> None:
        inner = CurrentThreadExecutor(inbox)
        outer.submit(seen.append, "to the outer one").add_done_callback(
            lambda _: inner_end.set_result(None)
        )
        inner.run_until_future(inner_end)
        inner.close()
        seen.append("inner end")
        outer_end.set_result(None)

    outer.submit(wait_inside)
    outer.run_until_future(outer_end)
    assert seen == ["to the outer one", "inner end"]


def test_closing_runs_what_was_accepted() -> None:
    """Nothing that was accepted is lost; nothing is accepted afterwards."""
    executor = CurrentThreadExecutor()
    future = executor.submit(get_ident)
    executor.close()
    assert future.result(0) == get_ident()
    with pytest.raises(ExecutorClosedError, match=r"int.*thread \d+ no longer waits"):
        executor.submit(int)
    work = Step()
    with pytest.raises(ExecutorClosedError, match="cannot run a step"):
        executor.post(work)


class FastOther(WorkQueue[Runnable]):
    """An inbox from which somebody else takes the last piece of work."""

    def empty(self) -> bool:
        """Say that there is something, as there was a moment ago."""
        return False


def test_closing_while_another_thread_takes_the_work() -> None:
    """An inbox that is emptied between look and take ends the closing."""
    executor = CurrentThreadExecutor(inbox_with(FastOther()))
    step = Step()
    executor.post(step)
    executor.close()
    assert step.done.is_set()


class RacingInbox(WorkQueue[Runnable]):
    """An inbox whose owner closes the executor as soon as work arrives."""

    close: Callable[[], None]

    def put(self, item: Runnable) -> None:
        """Put, and be overtaken by the close."""
        super().put(item)
        self.close()


def test_submitting_while_it_is_closed() -> None:
    """Work that the close has run all the same is a success."""
    queue = RacingInbox()
    executor = CurrentThreadExecutor(inbox_with(queue))
    queue.close = executor.close
    assert executor.submit(str, "done").result(0) == "done"


def test_only_its_own_thread_can_wait() -> None:
    """Waiting elsewhere is refused, with both threads named."""
    executor = CurrentThreadExecutor()
    end = Future[None]()
    end.set_result(None)
    with pytest.raises(WrongThreadError, match=rf"thread {executor.thread} cannot.*by"):
        in_thread(lambda: executor.run_until_future(end))
    executor.close()


def test_waiting_for_its_own_future_is_a_deadlock() -> None:
    """Its own thread cannot wait for a call that only it can run."""
    executor = CurrentThreadExecutor()
    future = executor.submit(int)
    with pytest.raises(DeadlockError, match="waits for int, which only this thread"):
        future.result()
    with pytest.raises(DeadlockError, match="call it directly"):
        future.exception()
    with pytest.raises(TimeoutError):
        future.result(timeout=0)
    executor.close()
    assert future.result() == 0
    assert future.exception() is None


def test_other_threads_may_wait_for_its_futures() -> None:
    """A thread that is not the executor's own waits as usual."""
    executor = CurrentThreadExecutor()
    end = Future[None]()
    future = executor.submit(int)
    gate = Gate()

    def other() -> int:
        gate.open()
        try:
            return future.result()
        finally:
            end.set_result(None)

    results: list[int] = []
    thread = threading.Thread(target=lambda: results.append(other()))
    thread.start()
    executor.run_until_future(end)
    thread.join()
    assert results == [0]


class Overdue:
    """An outcome that never comes."""

    is_done = False

    def __init__(self) -> None:
        self.looks = 0

    def run(self) -> None:
        """Do nothing."""

    def check(self) -> None:
        """Give up at the second look."""
        self.looks += 1
        if self.looks == 2:
            msg = "it never comes"
            raise LookupError(msg)


def test_outcomes_are_asked_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    """An outcome that can no longer come ends the wait with its error."""
    monkeypatch.setattr(_caller, "CHECK_SECONDS", 0.001)
    executor = CurrentThreadExecutor()
    outcome = Overdue()
    with pytest.raises(LookupError, match="it never comes"):
        executor.run_until(outcome)
    assert outcome.looks == 2


def test_futures_have_nothing_to_check(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waiting for a plain future goes on for as long as it takes."""
    monkeypatch.setattr(_caller, "CHECK_SECONDS", 0.001)
    end = Future[None]()
    looks: list[int] = []

    class EmptyTwice(WorkQueue[Runnable]):
        """Comes up empty twice; then the future gets done."""

        def get(self, timeout: float | None = None) -> Runnable:
            if len(looks) < 2:
                looks.append(1)
                raise Empty
            if not end.done():
                end.set_result(None)
            return super().get(timeout)

    CurrentThreadExecutor(inbox_with(EmptyTwice())).run_until_future(end)
    assert len(looks) == 2


def test_repr() -> None:
    """The thread and the state are told."""
    executor = CurrentThreadExecutor()
    assert repr(executor) == f"<CurrentThreadExecutor of thread {get_ident()}, open>"
    executor.close()
    assert repr(executor).endswith("closed>")
