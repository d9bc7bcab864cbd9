"""`Gates`: client and applications go on only together."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from asgibridge.cli._demo._gates import GUESTS, Gates, Sign


@pytest.mark.parametrize("sign", Sign)
def test_sign_is_waited_for(sign: Sign) -> None:
    """A sign that is not given is a timeout that says what did not happen."""
    gates = Gates(timeout=0.001)
    with pytest.raises(TimeoutError, match=f"in vain until {sign.value}$"):
        gates.wait_for(sign)
    gates.give(sign)
    gates.wait_for(sign)


def test_guests_meet() -> None:
    """Guests go on when all are there, and not before."""
    gates = Gates()
    with ThreadPoolExecutor(GUESTS) as guests:
        met = [guests.submit(gates.meet) for _ in range(GUESTS)]
    assert [one.exception() for one in met] == [None] * GUESTS


def test_guest_alone_waits_in_vain() -> None:
    """One guest fewer is an error."""
    gates = Gates(timeout=0.001)
    with pytest.raises(threading.BrokenBarrierError):
        gates.meet()


def test_left_open() -> None:
    """Nobody waits once the client has gone."""
    gates = Gates(timeout=0.001)
    gates.leave_open()
    gates.meet()
    for sign in Sign:
        gates.wait_for(sign)
