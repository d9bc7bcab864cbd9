"""Every clause, in the order of the table."""

from typing import Final

from tests.oracle import (
    _cancellation,
    _concurrency,
    _contexts,
    _deadlocks,
    _lifecycle,
)
from tests.oracle._model import Clause

__all__ = ("ALL",)

ALL: Final[tuple[Clause, ...]] = (
    *_deadlocks.CLAUSES,
    *_contexts.CLAUSES,
    *_cancellation.CLAUSES,
    *_lifecycle.CLAUSES,
    *_concurrency.CLAUSES,
)
