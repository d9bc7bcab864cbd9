"""LoggingObserver."""

import logging

import pytest

from asgibridge.observers import LoggingObserver
from asgibridge.testing import FakeCrossing


def load() -> None:
    """Be a function that a crossing is about."""


def store() -> None:
    """Be another one."""


def crossing_of(function: object, *times: float) -> FakeCrossing:
    """Return a crossing with these times."""
    assert callable(function)
    queued, started, finished = times
    return FakeCrossing(
        function, queued_at=queued, started_at=started, finished_at=finished
    )


@pytest.fixture
def messages(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """Catch everything that is logged about crossings."""
    caplog.set_level(logging.DEBUG, "asgibridge.crossings")
    return caplog


def test_quick_calls_are_not_logged(messages: pytest.LogCaptureFixture) -> None:
    """A call that neither waits nor runs for long leaves nothing."""
    observer = LoggingObserver()
    crossing = crossing_of(load, 1.0, 1.05, 1.5)
    observer.queued(crossing)
    observer.started(crossing)
    observer.finished(crossing)
    assert messages.records == []


def test_slow_call(messages: pytest.LogCaptureFixture) -> None:
    """A slow one is a warning with function, seconds and thread."""
    observer = LoggingObserver(slow_after=0.25)
    observer.finished(crossing_of(load, 1.0, 1.0, 1.25))
    (record,) = messages.records
    assert record.levelno == logging.WARNING
    assert (
        record.getMessage() == "load ran 0.250 s on thread MainThread (sync_to_async)"
    )


def test_call_that_waited(messages: pytest.LogCaptureFixture) -> None:
    """One that waited is a warning that names who was there before."""
    observer = LoggingObserver(waited_after=0.5, slow_after=100)
    observer.started(crossing_of(load, 1.0, 1.5, 2.0))
    observer.finished(crossing_of(store, 1.0, 1.0, 2.0))
    observer.started(crossing_of(load, 1.0, 2.0, 3.0))
    first, second = (record.getMessage() for record in messages.records)
    assert first == (
        "load waited 0.500 s for thread MainThread, behind nothing that was seen"
    )
    assert second == "load waited 1.000 s for thread MainThread, behind store"


def test_call_that_raised(messages: pytest.LogCaptureFixture) -> None:
    """A failure is for the caller: it is noted for debugging only."""
    crossing = crossing_of(load, 1.0, 1.0, 1.125)
    crossing.exception = ValueError("secret")
    LoggingObserver().finished(crossing)
    (record,) = messages.records
    assert record.levelno == logging.DEBUG
    assert record.getMessage() == "load raised ValueError after 0.125 s"


def test_call_that_never_started(messages: pytest.LogCaptureFixture) -> None:
    """Without times there is nothing to measure."""
    observer = LoggingObserver()
    observer.started(FakeCrossing(load))
    observer.finished(FakeCrossing(load))
    assert messages.records == []


def test_stuck_call(caplog: pytest.LogCaptureFixture) -> None:
    """A stuck one is an error that says what is in the way; the logger is yours."""
    observer = LoggingObserver(logger=logging.getLogger("mine"))
    observer.stuck(FakeCrossing(load), 10.04, "store on thread worker-1")
    (record,) = caplog.records
    assert (record.name, record.levelno) == ("mine", logging.ERROR)
    assert record.getMessage() == (
        "load has been waiting for 10.0 s behind store on thread worker-1"
    )
