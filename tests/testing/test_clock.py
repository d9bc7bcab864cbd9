"""ManualClock."""

import pytest

from asgibridge.testing import ManualClock
from asgibridge.types import Clock


def test_stands_still_and_advances() -> None:
    """Time passes when told to, and only then."""
    clock = ManualClock(100.0)
    as_clock: Clock = clock
    assert (as_clock(), as_clock()) == (100.0, 100.0)
    assert clock.advance(2.5) == 102.5
    assert clock.advance(0) == 102.5
    assert as_clock() == 102.5


def test_starts_at_zero() -> None:
    """Without a start, it begins at zero."""
    assert ManualClock()() == 0.0


def test_never_goes_backwards() -> None:
    """A negative advance is refused and changes nothing."""
    clock = ManualClock()
    with pytest.raises(ValueError, match="cannot advance by -1 s"):
        clock.advance(-1)
    assert clock() == 0.0
