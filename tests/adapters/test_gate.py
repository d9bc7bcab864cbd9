"""Where a thread sleeps."""

import os
import threading
from collections import deque

import pytest

from asgibridge.adapters._gate import Gate, Gates


def test_no_wake_up_is_lost_between_two_threads() -> None:
    """Thousands of items, handed over one by one, each way."""
    there, back = Gate(), Gate()
    going: deque[int] = deque()
    coming: deque[int] = deque()

    def answer() -> None:
        for _ in range(2_000):
            there.wait(lambda: going)
            coming.append(going.popleft())
            back.wake()

    thread = threading.Thread(target=answer)
    thread.start()
    for number in range(2_000):
        going.append(number)
        there.wake()
        assert back.wait(lambda: coming, timeout=60)
        assert coming.popleft() == number
    thread.join(timeout=60)
    assert not thread.is_alive()


def test_what_is_ready_is_not_waited_for() -> None:
    """And nobody is woken who does not sleep."""
    gate = Gate()
    gate.wake()
    assert gate.wait(lambda: True)


def test_what_becomes_ready_meanwhile_is_seen() -> None:
    """Between the first look and the sleep: the second look."""
    looks = iter([False, True, True])
    gate = Gate()
    assert gate.wait(lambda: next(looks))
    assert not gate.is_idle


def test_a_wake_up_during_the_second_look_is_no_end() -> None:
    """The ring is left over for the sleep, which looks again after it."""
    gate = Gate()
    looks = 0

    def ready() -> bool:
        nonlocal looks
        looks += 1
        if looks == 2:
            gate.wake()
        return looks > 2

    assert gate.wait(ready, timeout=60)
    assert looks == 3


def test_a_wait_can_have_an_end() -> None:
    """It says whether what was waited for has come."""
    gate = Gate()
    assert not gate.wait(lambda: False, timeout=0)
    assert not gate.is_idle
    looks = iter([False, False, True])
    assert gate.wait(lambda: next(looks), timeout=0)


def test_each_thread_has_a_gate_of_its_own_and_keeps_it() -> None:
    """Opening one takes several system calls."""
    gates = Gates()
    others: list[Gate] = []
    thread = threading.Thread(target=lambda: others.append(gates.gate))
    thread.start()
    thread.join(timeout=60)
    assert others != [gates.gate]
    assert gates.gate is gates.gate


def test_a_forked_child_has_gates_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its parent's descriptors would wake the one for the other."""
    gates = Gates()
    parents, process = gates.gate, os.getpid()
    monkeypatch.setattr(os, "getpid", lambda: process + 1)
    assert gates.gate is not parents
    assert gates.gate is gates.gate
