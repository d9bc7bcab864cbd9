"""What observers cost: python -m tests.observers.costs has the figures."""

from collections.abc import Callable

import pytest

from asgibridge.types import Observer
from tests.observers.costs import OBSERVERS, costs


@pytest.mark.parametrize("make", OBSERVERS.values(), ids=OBSERVERS)
def test_costs_little(make: Callable[[], Observer]) -> None:
    """A step takes well below the 2 microseconds it may take.

    Ten times the limit, since machines are shared.
    """
    assert max(costs(make(), runs=5).values()) < 20e-6
