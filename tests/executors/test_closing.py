"""Closing runners and pools where that would wait for itself."""

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest

from asgibridge import Bridge
from asgibridge.errors import DeadlockError
from asgibridge.executors import (
    InThreadLoopRunner,
    PerCallLoopRunner,
    PersistentLoopRunner,
    ThreadSensitivePool,
)
from tests.staging import Gate, run

Runner = InThreadLoopRunner | PerCallLoopRunner | PersistentLoopRunner
RUNNERS = [InThreadLoopRunner, PerCallLoopRunner, PersistentLoopRunner]
REFUSAL = "was closed from one of its own threads, or by what one of them waits for"


@pytest.mark.parametrize("make", RUNNERS)
@pytest.mark.parametrize("is_async", [False, True])
def test_a_call_closes_its_own_runner(
    make: Callable[[], Runner], *, is_async: bool
) -> None:
    """On the loop's thread, or on the thread that waits for it; both go on."""
    runner = make()
    with Bridge(runner=runner) as bridge:

        async def main() -> str:
            # Something to do, and a call: so a loop has a thread of its own.
            task = asyncio.create_task(asyncio.sleep(60))
            await bridge.sync_to_async(int)()
            if is_async:
                with pytest.raises(DeadlockError, match=REFUSAL):
                    runner.close()
            else:
                with pytest.raises(DeadlockError, match=REFUSAL):
                    await bridge.sync_to_async(runner.close)()
            task.cancel()
            return "went on"

        try:
            assert bridge.async_to_sync(main)() == "went on"
        except asyncio.CancelledError:
            # The loop that is there for all is ending, and with it all calls.
            assert make is PersistentLoopRunner
    runner.close()


@pytest.mark.parametrize("make", RUNNERS)
def test_another_thread_waits_for_the_call(make: Callable[[], Runner]) -> None:
    """That is no deadlock: it closes when the call has ended."""
    runner, gate = make(), Gate()
    with Bridge(runner=runner) as bridge:

        async def main() -> str:
            task = asyncio.create_task(asyncio.sleep(60))
            result = await bridge.sync_to_async(gate)()
            task.cancel()
            return result

        def close() -> None:
            gate.wait_entered()
            opening = threading.Thread(target=gate.open)
            opening.start()
            runner.close()
            opening.join()

        closer = threading.Thread(target=close)
        closer.start()
        try:
            assert bridge.async_to_sync(main)() == "out"
        except asyncio.CancelledError:
            assert make is PersistentLoopRunner
        closer.join()


def test_a_pool_is_closed_on_the_loop_that_it_waits_for() -> None:
    """Blocking code waits for a coroutine of the very loop that would stand still."""
    with ThreadSensitivePool(name="mine") as pool:
        bridge = Bridge(thread_sensitive=pool)
        refusals: list[Any] = []

        async def close() -> None:
            with pytest.raises(DeadlockError, match=r"'mine' .* thread 'mine'") as info:
                pool.close()
            refusals.append(info.value)

        run(bridge.sync_to_async(bridge.async_to_sync(close)))
        assert len(refusals) == 1
        bridge.close()


def test_a_pool_is_closed_on_a_loop_that_nobody_waits_for() -> None:
    """A call that is done, and one that waits for nothing of the loop: no deadlock."""
    pool, gate = ThreadSensitivePool(), Gate()
    with Bridge(thread_sensitive=pool) as bridge:

        async def main() -> str:
            call = asyncio.create_task(bridge.sync_to_async(gate)())
            await gate.entered_async()
            gate.open()
            pool.close()
            return await call

        assert run(main) == "out"
