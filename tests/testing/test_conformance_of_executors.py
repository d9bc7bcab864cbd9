"""The conformance suites, run on everything in `asgibridge.executors`."""

from collections.abc import Iterator

import pytest

from asgibridge.executors import (
    InThreadLoopRunner,
    PerCallLoopRunner,
    PersistentLoopRunner,
    ThreadSensitivePool,
    WorkerPool,
)
from asgibridge.testing.conformance import (
    ExecutorConformance,
    LeaseConformance,
    PostConformance,
    RunnerConformance,
)


class TestWorkerPool(ExecutorConformance):
    """The pool of several threads."""

    max_workers = 3

    @pytest.fixture
    def executor(self) -> Iterator[WorkerPool]:
        with WorkerPool(max_workers=3) as executor:
            yield executor


class TestWorkerPoolPost(PostConformance):
    """The same, without futures."""

    @pytest.fixture
    def poster(self) -> Iterator[WorkerPool]:
        with WorkerPool(max_workers=3) as executor:
            yield executor


class TestOneWorker(ExecutorConformance):
    """The pool with one thread, which then promises more."""

    in_order = True
    one_thread = True

    @pytest.fixture
    def executor(self) -> Iterator[WorkerPool]:
        with WorkerPool(max_workers=1) as executor:
            yield executor


class TestSharedThread(ExecutorConformance):
    """The shared thread of the thread-sensitive pool."""

    in_order = True
    one_thread = True

    @pytest.fixture
    def executor(self) -> Iterator[ThreadSensitivePool]:
        with ThreadSensitivePool() as executor:
            yield executor


class TestSharedThreadPost(PostConformance):
    """The same, without futures."""

    in_order = True

    @pytest.fixture
    def poster(self) -> Iterator[ThreadSensitivePool]:
        with ThreadSensitivePool() as executor:
            yield executor


class TestLeases(LeaseConformance):
    """Threads on loan, as many as there are scopes."""

    @pytest.fixture
    def lender(self) -> Iterator[ThreadSensitivePool]:
        with ThreadSensitivePool() as executor:
            yield executor


class TestCappedLeases(LeaseConformance):
    """Threads on loan, two at a time."""

    @pytest.fixture
    def lender(self) -> Iterator[ThreadSensitivePool]:
        with ThreadSensitivePool(max_workers=2) as executor:
            yield executor


class TestPerCallLoopRunner(RunnerConformance):
    """A loop for each call."""

    @pytest.fixture
    def runner(self) -> Iterator[PerCallLoopRunner]:
        with PerCallLoopRunner() as runner:
            yield runner


class TestInThreadLoopRunner(RunnerConformance):
    """A loop for each call, on the caller's own thread."""

    @pytest.fixture
    def runner(self) -> Iterator[InThreadLoopRunner]:
        with InThreadLoopRunner() as runner:
            yield runner


class TestPerCallUvloop(RunnerConformance):
    """The same, with loops that are not recycled."""

    @pytest.fixture
    def runner(self) -> Iterator[PerCallLoopRunner]:
        uvloop = pytest.importorskip("uvloop")
        with PerCallLoopRunner(loop_factory=uvloop.new_event_loop) as runner:
            yield runner


# SystemExit ends the loop's thread, which is reported beside reaching the caller.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
class TestPersistentLoopRunner(RunnerConformance):
    """One loop for all calls."""

    shares_loop = True

    @pytest.fixture
    def runner(self) -> Iterator[PersistentLoopRunner]:
        runner = PersistentLoopRunner()
        yield runner
        runner.close()
