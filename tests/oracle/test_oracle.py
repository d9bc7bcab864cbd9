"""Every clause, on asgibridge.

What becomes of the same clauses on asgiref is written down in
``docs/design/asgiref-differences.md``, by ``python -m tests.oracle table``; some
of them hang there, so that takes minutes and is no part of the suite.
"""

import faulthandler
import signal
from collections.abc import Iterator
from types import FrameType

import pytest

from tests.oracle._all import ALL
from tests.oracle._model import Clause, Options
from tests.oracle._ours import open_ours
from tests.oracle._processes import Verdict, try_in_process

_SECONDS = 20
_HERE = [pytest.param(it, id=it.name) for it in ALL if not it.own_process]
_ELSEWHERE = [pytest.param(it, id=it.name) for it in ALL if it.own_process]


@pytest.fixture
def no_endless_wait() -> Iterator[None]:
    """Turn a test that hangs into one that fails; no test that passes gets near."""

    def end(_signal: int, _frame: FrameType | None) -> None:
        faulthandler.dump_traceback()
        msg = f"the clause hangs: no end after {_SECONDS} s"
        raise AssertionError(msg)

    before = signal.signal(signal.SIGALRM, end)
    signal.alarm(_SECONDS)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.mark.usefixtures("no_endless_wait")
@pytest.mark.parametrize("clause", _HERE)
def test_clause(clause: Clause) -> None:
    """The promise is kept."""
    with open_ours(Options()) as subject:
        clause.function(subject)


@pytest.mark.parametrize("clause", _ELSEWHERE)
def test_clause_in_a_process_of_its_own(clause: Clause) -> None:
    """The promise is kept, and the process ends by itself."""
    assert try_in_process("asgibridge", clause.name) == Verdict("kept")


def test_clauses_have_names_and_promises() -> None:
    """Each is found by its name, and has a line for the table."""
    assert len({clause.name for clause in ALL}) == len(ALL)
    assert all(clause.promise.endswith((".", "`")) for clause in ALL)
