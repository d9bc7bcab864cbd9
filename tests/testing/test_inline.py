"""InlineExecutor."""

import threading

import pytest

from asgibridge.errors import ExecutorClosedError
from asgibridge.testing import InlineExecutor


def test_runs_before_submit_returns() -> None:
    """The future is done, and the call ran on the submitting thread."""
    future = InlineExecutor().submit(threading.get_ident)
    assert future.done()
    assert future.result() == threading.get_ident()


def test_submit_after_close() -> None:
    """A closed one refuses, and says which call and why."""
    with InlineExecutor() as executor:
        pass
    with pytest.raises(ExecutorClosedError, match=r"cannot submit .*int.* is closed"):
        executor.submit(int)
