"""One blocking call: its states, as others see them."""

import asyncio
from typing import Any

from asgibridge import Bridge
from asgibridge.loops import waiter_of
from tests.staging import Gate, run, settled


def test_a_call_tells_its_state(bridge: Bridge) -> None:
    """In the repr of a parked task one can see what it waits for."""

    async def main() -> None:
        gate = Gate()

        def work() -> str:
            return gate()

        task = asyncio.create_task(bridge.sync_to_async(work)())
        await gate.entered_async()
        behind = asyncio.create_task(bridge.sync_to_async(work)())
        await settled()
        running, queued = waiter_of(task), waiter_of(behind)
        assert repr(running).endswith("work running>")
        assert repr(queued).endswith("work queued>")
        assert "blocking call" in repr(task)
        gate.open()
        await asyncio.gather(task, behind)
        assert repr(running).endswith("work done>")

    run(main)


def test_a_call_runs_once(bridge: Bridge) -> None:
    """However often it is queued, and whatever becomes of it."""

    async def main() -> None:
        ran: list[int] = []
        task = asyncio.create_task(bridge.sync_to_async(ran.append)(1))
        await asyncio.sleep(0)
        call: Any = waiter_of(task)
        await task
        call.run()
        call.fail(LookupError())
        assert ran == [1]
        assert call.exception is None
        assert not call.claim()
        assert call.result() is None
        assert not call.cancel()

    run(main)
