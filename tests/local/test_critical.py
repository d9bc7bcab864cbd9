"""`Local(thread_critical=True)`: values that stay on their thread."""

import asyncio
import contextvars
import gc
import threading
import weakref
from collections.abc import Callable

import pytest

from asgibridge.local import Local, ThreadCriticalLocal

KINDS = [lambda: Local(thread_critical=True), ThreadCriticalLocal]


@pytest.fixture(params=KINDS, ids=["argument", "class"])
def local(request: pytest.FixtureRequest) -> Local:
    """Return a thread-critical Local, made either way."""
    make: Callable[[], Local] = request.param
    return make()


def test_sync_code_has_one_set_of_values_per_thread(local: Local) -> None:
    """In sync code the context does not matter, as with threading.local."""
    local.x = 1
    contextvars.Context().run(setattr, local, "x", 2)
    assert local.x == 2
    assert contextvars.Context().run(lambda: local.x) == 2
    del local.x
    assert not hasattr(local, "x")


def test_does_not_follow_its_context_to_another_thread(local: Local) -> None:
    """Neither to_thread nor a context that is run elsewhere takes it along."""
    local.x = 1

    async def main() -> tuple[bool, bool]:
        before = hasattr(local, "x")
        local.x = 2
        return before, await asyncio.to_thread(hasattr, local, "x")

    assert asyncio.run(main()) == (False, False)
    assert local.x == 1


def test_async_code_has_values_per_task(local: Local) -> None:
    """A task inherits its creator's values and cannot change them for it."""

    async def child() -> tuple[int, int]:
        before = local.x
        local.x = 2
        return before, local.x

    async def main() -> tuple[tuple[int, int], int]:
        local.x = 1
        return await asyncio.create_task(child()), local.x

    assert asyncio.run(main()) == ((1, 2), 1)
    assert not hasattr(local, "x")


def test_does_not_follow_to_a_loop_on_another_thread(local: Local) -> None:
    """A context with an async value, run on another thread's loop, shows nothing."""

    async def look() -> bool:
        return hasattr(local, "x")

    def other_loop() -> bool:
        return asyncio.run(look())

    async def main() -> bool:
        local.x = 1
        return await asyncio.to_thread(other_loop)

    assert asyncio.run(main()) is False


def test_override_and_namespace(local: Local) -> None:
    """override(), vars() and dir() work on the values of the kind of code."""

    def use() -> list[dict[str, int]]:
        local.x = 1
        with local.override(x=2, y=3):
            inside = dict(vars(local))
        with local.override(x=2):
            local.z = 4
        return [inside, dict(vars(local))]

    async def main() -> list[dict[str, int]]:
        return use()

    expected = [{"x": 2, "y": 3}, {"x": 1, "z": 4}]
    assert use() == expected
    assert asyncio.run(main()) == expected


def test_subclass_with_init_per_thread_and_task() -> None:
    """A subclass of ThreadCriticalLocal runs __init__ where nothing is inherited."""

    class Connections(ThreadCriticalLocal):
        def __init__(self, size: int) -> None:
            super().__init__()
            self.pool = [size]

    connections = Connections(3)
    connections.pool.append(4)
    seen: list[list[int]] = []
    thread = threading.Thread(target=lambda: seen.append(connections.pool))
    thread.start()
    thread.join(timeout=60)
    assert seen == [[3]]
    assert connections.pool == [3, 4]

    async def main() -> list[int]:
        pool: list[int] = connections.pool
        return pool

    assert asyncio.run(main()) == [3]


def test_missing_attribute_is_named(local: Local) -> None:
    """The error is that of any Local, for both kinds of code."""

    async def main() -> None:
        local.x  # noqa: B018  # the read is the test

    for read in (lambda: local.x, lambda: asyncio.run(main())):
        with pytest.raises(AttributeError, match=r"Local from .* no attribute 'x'"):
            read()


def test_dead_local_frees_values_of_all_threads() -> None:
    """What sync code set on any thread goes with the object, at once."""

    class Value:
        pass

    box = [Local(thread_critical=True)]
    alive: list[weakref.ref[Value]] = []
    filled, release = threading.Event(), threading.Event()

    def fill() -> None:
        box[0].x = Value()
        alive.append(weakref.ref(box[0].x))

    def hold() -> None:
        fill()
        filled.set()
        release.wait(timeout=60)

    thread = threading.Thread(target=hold)
    thread.start()
    assert filled.wait(timeout=60)
    fill()
    gc.disable()
    try:
        box.clear()
        assert [ref() for ref in alive] == [None, None]
    finally:
        gc.enable()
        release.set()
        thread.join(timeout=60)
