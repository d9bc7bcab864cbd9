"""The parts of asyncio and CPython that nobody promises."""

import asyncio
import sys
import weakref
from collections.abc import Callable
from contextvars import Context, ContextVar
from types import SimpleNamespace

import pytest
from hypothesis import given, strategies as st

from asgibridge.loops import (
    RecyclableLoop,
    _internals,
    context_unchanged,
    running_loop_or_none,
    set_running_loop,
    waiter_of,
)
from tests.staging import run

VARIABLES = [ContextVar[object](f"variable {number}") for number in range(5)]


def test_nothing_set_is_noticed() -> None:
    """A copy in which nothing was set is unchanged, for certain."""
    base = Context()
    base.run(VARIABLES[0].set, 1)
    assert context_unchanged(base.copy(), base)


@given(
    start=st.lists(st.integers(0, 4)),
    steps=st.lists(st.tuples(st.integers(0, 4), st.booleans()), max_size=10),
)
def test_unchanged_is_certain(start: list[int], steps: list[tuple[int, bool]]) -> None:
    """What is called unchanged has the very same values; a set new one is seen."""
    base = Context()
    for number in start:
        base.run(VARIABLES[number].set, object())
    changed = base.copy()
    for number, same in steps:
        value = base.get(VARIABLES[number]) if same else object()
        changed.run(VARIABLES[number].set, value)
    differs = [v for v in changed if base.get(v) is not changed[v]]
    if differs:
        assert not context_unchanged(changed, base)
    if not steps:
        assert context_unchanged(changed, base)


def test_equal_trees_of_other_contexts_are_no_proof() -> None:
    """Two contexts with equal values that nobody copied count as changed."""
    first, second = Context(), Context()
    for context in (first, second):
        context.run(VARIABLES[0].set, "equal")
    assert not context_unchanged(first, second)


def no_referents(*_: object) -> list[object]:
    """Answer as an interpreter whose contexts hide their tree."""
    return []


def new_referents(*_: object) -> list[object]:
    """Answer as one whose contexts are copied deeply."""
    return [object()]


SAME = object()


def same_referents(*_: object) -> list[object]:
    """Answer as one whose contexts change their tree in place."""
    return [SAME]


@pytest.mark.parametrize("get", [no_referents, new_referents, same_referents])
def test_other_interpreters_are_recognized(
    get: Callable[..., list[object]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The short cut is not taken where contexts are made differently."""
    assert _internals._has_root() is (sys.implementation.name == "cpython")
    monkeypatch.setattr(_internals, "gc", SimpleNamespace(get_referents=get))
    assert not _internals._has_root()


def test_plain_fallback_never_claims() -> None:
    """Without the short cut nothing is known to be unchanged."""
    context = Context()
    assert not _internals._not_known(context, context)


def test_running_loop() -> None:
    """The running loop is found, hidden, and set again."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        assert running_loop_or_none() is loop
        set_running_loop(None)
        hidden = running_loop_or_none()
        set_running_loop(loop)
        assert hidden is None

    assert running_loop_or_none() is None
    run(main)


def test_waiter_of_a_task() -> None:
    """What a parked task waits for is told; other objects do not tell."""

    async def main() -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        async def wait() -> None:
            await future

        task = asyncio.create_task(wait())
        await asyncio.sleep(0)
        assert waiter_of(task) is future
        future.set_result(None)
        await task
        assert waiter_of(task) is None

    run(main)
    assert waiter_of(SimpleNamespace()) is None  # type: ignore[arg-type]  # a foreign task


def test_references_are_counted() -> None:
    """A new holder is seen, whether it holds strongly or weakly."""
    thing = type("Thing", (), {})()
    strong, weak = _internals.references(thing)
    holder = [thing]
    reference = weakref.ref(thing)
    assert _internals.references(thing) == (strong + 1, weak + 1)
    assert holder[0] is reference()


def test_cancelled_timers_are_dropped() -> None:
    """Timers that were all cancelled are forgotten; otherwise none is."""
    loop = RecyclableLoop()
    try:
        first, second = loop.call_later(60, int), loop.call_later(60, int)
        first.cancel()
        _internals.drop_cancelled_timers(loop)
        assert len(vars(loop)["_scheduled"]) == 2
        second.cancel()
        _internals.drop_cancelled_timers(loop)
        assert vars(loop)["_scheduled"] == []
        assert vars(loop)["_timer_cancelled_count"] == 0
        _internals.drop_cancelled_timers(loop)  # there is none
    finally:
        loop.close()


def test_loops_of_others_are_not_known() -> None:
    """What keeps its state elsewhere is not looked into."""
    uvloop = pytest.importorskip("uvloop")
    loop = uvloop.new_event_loop()
    try:
        assert not _internals.is_known(loop)
    finally:
        loop.close()


def test_loops_of_the_standard_library_are_known() -> None:
    """Every part that is used is there, in every version that is tested."""
    loop = RecyclableLoop()
    try:
        assert _internals.is_known(loop)
    finally:
        loop.close()


def test_turning_runs_what_is_ready() -> None:
    """A limited number of rounds, in order; cancelled handles are passed over."""
    loop = RecyclableLoop()
    seen: list[str] = []

    def first() -> None:
        assert running_loop_or_none() is loop
        seen.append("first")

    def again() -> None:
        seen.append("again")
        loop.call_soon(again)

    loop.call_soon(seen.append, "cancelled").cancel()
    loop.call_soon(again)
    _internals.turn(loop, 3, first)
    assert running_loop_or_none() is None
    assert seen == ["first", "again", "again", "again"]
    assert not loop.is_running()
    loop.close()
