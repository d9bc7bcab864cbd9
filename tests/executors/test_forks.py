"""Starting clean in a forked child; real forks are in tests/bridge/test_processes.py."""

import gc
import os
from collections.abc import Callable

import pytest

from asgibridge.executors import forget_after_fork


class Owner:
    """Owns threads, say."""

    def __init__(self, forgotten: list[str]) -> None:
        self._forgotten = forgotten

    def forget(self) -> None:
        """Write it down."""
        self._forgotten.append("forgotten")


def test_forget_is_called_in_the_child(monkeypatch: pytest.MonkeyPatch) -> None:
    """While the thing lives; the hook does not keep it alive."""
    hooks: list[Callable[[], None]] = []

    def register(*, after_in_child: Callable[[], None]) -> None:
        hooks.append(after_in_child)

    monkeypatch.setattr(os, "register_at_fork", register)
    forgotten: list[str] = []
    owner = Owner(forgotten)
    forget_after_fork(owner)
    (hook,) = hooks
    hook()
    assert forgotten == ["forgotten"]
    del owner
    gc.collect()
    hook()
    assert forgotten == ["forgotten"]


def test_a_system_without_fork(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is nothing to do."""
    monkeypatch.delattr(os, "register_at_fork")
    forgotten: list[str] = []
    forget_after_fork(Owner(forgotten))
    assert forgotten == []
