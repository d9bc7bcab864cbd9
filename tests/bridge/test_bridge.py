"""The composition root: options, what belongs to it, its end."""

import asyncio
import gc
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from asgibridge import Bridge
from asgibridge.errors import (
    AlreadyEnteredError,
    BridgeClosedError,
    BridgeError,
    DeadlockError,
    ExecutorClosedError,
    OptionError,
)
from asgibridge.executors import PerCallLoopRunner, ThreadSensitivePool, WorkerPool
from tests.conftest import open_descriptors
from tests.staging import PATIENCE, BareExecutor, run


async def nothing() -> None:
    """Do nothing."""


def test_creating_a_bridge_starts_nothing() -> None:
    """No thread, until the first call needs one."""
    before = set(threading.enumerate())
    with Bridge() as bridge:
        bridge.sync_to_async(int)
        bridge.async_to_sync(nothing)
        bridge.thread_sensitive_context()
        bridge.async_single_thread_context()
        assert set(threading.enumerate()) == before


def test_threads_have_the_name_of_the_bridge() -> None:
    """Workers, the shared thread, leased ones, loops."""

    def name() -> str:
        return threading.current_thread().name

    async def async_name() -> str:
        return name()

    with Bridge(name="mine") as bridge:

        async def main() -> list[str]:
            sensitive = bridge.sync_to_async(name)
            names = [
                await sensitive(),
                await bridge.sync_to_async(name, thread_sensitive=False)(),
            ]
            async with bridge.thread_sensitive_context():
                return [*names, await sensitive()]

        names = [*run(main), bridge.async_to_sync(async_name)()]
    assert names == [
        "mine-sensitive",
        "mine-worker-1",
        "mine-sensitive-1",
        "mine-loop-1",
    ]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"stuck_after": 0}, r"stuck_after is in seconds and above 0, got 0$"),
        ({"stuck_after": -1.5}, r"got -1.5$"),
        ({"context": "mine"}, r"""context is "copy" or "share", got 'mine'$"""),
    ],
)
def test_wrong_options_of_a_bridge(options: dict[str, Any], message: str) -> None:
    """Refused when it is made, with the value."""
    with pytest.raises(OptionError, match=message) as caught:
        Bridge(**options)
    assert isinstance(caught.value, TypeError)
    assert isinstance(caught.value, BridgeError)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"executor": BareExecutor()}, "thread-sensitive code does not choose its ex"),
        ({"executor": 3, "thread_sensitive": False}, "needs a method `submit`, got 3"),
        (
            {"context": "mine"},
            """"copy", "share" or a contextvars.Context, got 'mine""",
        ),
        ({"context": 3}, "got 3"),
        (
            {"context": "share", "abandon_on_cancel": True},
            'context="share" cannot be abandoned.*use context="copy"',
        ),
    ],
)
def test_wrong_options_of_a_wrapper(
    bridge: Bridge, options: dict[str, Any], message: str
) -> None:
    """Refused when the wrapper is made, before anything runs."""
    with pytest.raises(OptionError, match=message):
        bridge.sync_to_async(int, **options)
    with pytest.raises(OptionError, match=message):
        bridge.sync_to_async(**options)


def test_closing_ends_what_the_bridge_made() -> None:
    """Its threads have ended, and it can be closed again."""
    before = set(threading.enumerate())
    bridge = Bridge()
    run(bridge.sync_to_async(int))
    run(bridge.sync_to_async(int, thread_sensitive=False))
    bridge.async_to_sync(nothing)()
    assert len(set(threading.enumerate()) - before) == 3
    bridge.close()
    assert set(threading.enumerate()) == before
    bridge.close()
    assert repr(bridge) == "<Bridge 'asgibridge' closed>"


def test_closing_gives_descriptors_back() -> None:
    """All of them, there and then: nothing is left to the collector."""

    gc.collect()  # of whatever was before
    gc.disable()
    try:
        before = open_descriptors()
        with Bridge() as bridge:
            bridge.async_to_sync(bridge.sync_to_async(int))()
            run(bridge.sync_to_async(bridge.async_to_sync(nothing)))
            run(bridge.sync_to_async(int, thread_sensitive=False))
        assert open_descriptors() == before
    finally:
        gc.enable()


def test_what_is_called_on_close() -> None:
    """Once, last in, first out, while the bridge's parts still work."""
    called: list[str] = []
    bridge = Bridge()
    bridge.call_on_close(lambda: called.append("first"))
    bridge.call_on_close(lambda: called.append(str(run(bridge.sync_to_async(int)))))
    bridge.close()
    bridge.close()
    assert called == ["0", "first"]


def test_parts_that_were_handed_in_stay_open() -> None:
    """They belong to whoever made them."""
    with (
        ThreadSensitivePool() as pool,
        WorkerPool() as workers,
        PerCallLoopRunner() as runner,
        ThreadPoolExecutor(1) as executor,
    ):
        with Bridge(
            thread_sensitive=pool, workers=workers, runner=runner, name="mine"
        ) as bridge:
            assert repr(bridge) == "<Bridge 'mine'>"
            own = bridge.sync_to_async(int, thread_sensitive=False, executor=executor)
            assert run(own) == 0
        for part in (pool, workers, executor):
            assert part.submit(int).result(PATIENCE) == 0
        with Bridge(runner=runner) as other:
            assert other.async_to_sync(asyncio.sleep)(0) is None


def test_calls_after_the_end_are_refused() -> None:
    """Both directions, every kind of thread."""
    with Bridge() as bridge:
        run(bridge.sync_to_async(int))
    for sensitive in (True, False):
        with pytest.raises(ExecutorClosedError, match="cannot run int"):
            run(bridge.sync_to_async(int, thread_sensitive=sensitive))
    with pytest.raises(ExecutorClosedError, match="nothing"):
        bridge.async_to_sync(nothing)()


def test_calls_in_a_scope_after_the_end_are_refused() -> None:
    """A scope that is still open has no thread any more."""
    bridge = Bridge()
    call = bridge.sync_to_async(int)

    async def main() -> None:
        async with bridge.thread_sensitive_context():
            await call()
            await asyncio.to_thread(bridge.close)
            with pytest.raises(ExecutorClosedError, match="cannot run int"):
                await call()

    run(main)


def test_entering_twice() -> None:
    """A bridge ends with its block, so it is entered once."""
    bridge = Bridge(name="mine")
    with (
        bridge,
        pytest.raises(AlreadyEnteredError, match="<Bridge 'mine'> is entered already"),
        bridge,
    ):
        raise AssertionError
    with pytest.raises(BridgeClosedError, match="cannot be entered again; make a new"):
        bridge.__enter__()


def test_closing_from_a_thread_of_its_own() -> None:
    """It would wait for itself."""
    bridge = Bridge()
    with pytest.raises(DeadlockError, match="was closed from one of its own threads"):
        run(bridge.sync_to_async(bridge.close))
    bridge.close()
