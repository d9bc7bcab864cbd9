"""`Local` through the calls of a bridge."""

import asyncio
import contextvars
import threading
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given, settings, strategies as st

from asgibridge.bridge import Bridge
from asgibridge.executors import PersistentLoopRunner
from asgibridge.local import DeclaredLocal, Local


class Declared(DeclaredLocal):
    """The attributes that the tests use."""

    x: int
    y: int


@pytest.fixture(scope="module")
def bridge() -> Iterator[Bridge]:
    """Return a bridge for the tests of this module."""
    with Bridge() as bridge:
        yield bridge


@pytest.fixture(params=[Local, Declared])
def local(request: pytest.FixtureRequest) -> Local | Declared:
    """Return an object with attributes x and y."""
    make: Callable[[], Local | Declared] = request.param
    return make()


def test_follows_into_blocking_code_and_back(
    bridge: Bridge, local: Local | Declared
) -> None:
    """A function on another thread sees the values, and what it sets is seen."""

    def blocking() -> int:
        seen = local.x
        local.x = 2
        local.y = 3
        return seen

    async def main() -> tuple[int, int, int]:
        local.x = 1
        seen = await bridge.sync_to_async(blocking)()
        return seen, local.x, local.y

    assert asyncio.run(main()) == (1, 2, 3)


def test_follows_into_async_code_and_back(
    bridge: Bridge, local: Local | Declared
) -> None:
    """A coroutine sees its blocking caller's values, and what it sets is seen."""

    async def coroutine() -> int:
        seen = local.x
        local.x = 2
        return seen

    local.x = 1
    assert bridge.async_to_sync(coroutine)() == 1
    assert local.x == 2


def test_deletion_follows(bridge: Bridge, local: Local | Declared) -> None:
    """A value that is deleted on the other side is gone here."""

    async def coroutine() -> None:
        del local.x

    local.x = 1
    bridge.async_to_sync(coroutine)()
    assert not hasattr(local, "x")


def test_override_across_a_crossing(bridge: Bridge, local: Local | Declared) -> None:
    """A block that is entered on a thread and left in the task restores the value."""

    async def main() -> tuple[int, int]:
        local.x = 1
        override = local.override(x=2)
        await bridge.sync_to_async(override.__enter__)()
        inside = local.x
        override.__exit__(None, None, None)
        return inside, local.x

    assert asyncio.run(main()) == (2, 1)


def test_reused_thread_shows_nothing_of_an_earlier_call(
    bridge: Bridge, local: Local | Declared
) -> None:
    """Requests that share the one sensitive thread do not share values."""
    threads: set[int] = set()

    def handle(value: int) -> bool:
        threads.add(threading.get_ident())
        before = hasattr(local, "x")
        local.x = value
        return before

    async def request(value: int) -> tuple[bool, int]:
        return await bridge.sync_to_async(handle)(value), local.x

    async def main() -> list[tuple[bool, int]]:
        return await asyncio.gather(*map(request, range(3)))

    assert asyncio.run(main()) == [(False, 0), (False, 1), (False, 2)]
    assert len(threads) == 1


@settings(deadline=None)
@given(st.lists(st.sampled_from(["sync", "async"]), max_size=6))
def test_follows_any_chain(chain: list[str]) -> None:
    """However the code goes back and forth, each part sees and adds to the value."""
    local = Local()

    def step(rest: list[str]) -> None:
        local.path += ("sync",)
        if rest:
            ours.async_to_sync(astep)(rest)
        local.path += ("sync done",)

    async def astep(rest: list[str]) -> None:
        local.path += ("async",)
        if rest[1:]:
            follow = astep if rest[1] == "async" else ours.sync_to_async(step)
            await follow(rest[1:])
        local.path += ("async done",)

    with Bridge() as ours:
        local.path = ()
        step(chain)
    assert local.path == tuple(_expected("sync", chain))


def _expected(kind: str, rest: list[str]) -> list[str]:
    """Return what the same calls write down when nothing is crossed."""
    if kind == "sync":
        inner = _expected("async", rest) if rest else []
    else:
        inner = _expected(rest[1], rest[1:]) if rest[1:] else []
    return [kind, *inner, f"{kind} done"]


def test_critical_values_stay_behind(bridge: Bridge) -> None:
    """Neither direction takes a thread-critical value along, nor brings one back."""
    local = Local(thread_critical=True)

    def blocking() -> bool:
        before = hasattr(local, "x")
        local.x = "worker"
        return before

    async def main() -> tuple[bool, str]:
        before = hasattr(local, "x")
        local.x = "task"
        seen = await bridge.sync_to_async(blocking, thread_sensitive=False)()
        return before or seen, local.x

    local.x = "caller"
    assert bridge.async_to_sync(main)() == (False, "task")
    assert local.x == "caller"


def test_critical_value_does_not_reach_the_next_coroutine() -> None:
    """Two coroutines of one caller, on one thread and loop, share nothing."""
    local = Local(thread_critical=True)
    threads: set[int] = set()

    async def coroutine() -> bool:
        threads.add(threading.get_ident())
        before = hasattr(local, "x")
        local.x = 1
        return before

    def caller() -> list[bool]:
        return [ours.async_to_sync(coroutine)() for _ in range(2)]

    with PersistentLoopRunner() as runner, Bridge(runner=runner) as ours:
        assert contextvars.copy_context().run(caller) == [False, False]
    assert len(threads) == 1
