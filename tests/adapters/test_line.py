"""The two ends of a request."""

import asyncio
import threading

from asgibridge.adapters._gate import Gates
from asgibridge.adapters._line import Line
from asgibridge.loops import Mailbox


def test_every_thread_that_waits_is_woken() -> None:
    """One may wait for the body while another waits until it may write."""
    asked = [threading.Event(), threading.Event()]
    is_there = False

    async def main() -> None:
        nonlocal is_there
        loop = asyncio.get_running_loop()
        line = Line(loop, Mailbox(loop), Gates())

        def wait(number: int) -> None:
            def look() -> bool:
                asked[number].set()  # the wait has been announced by then
                return is_there

            line.wait(look)
            line.wait(look)

        threads = [threading.Thread(target=wait, args=(it,)) for it in range(2)]
        for thread, event in zip(threads, asked, strict=True):
            thread.start()
            assert event.wait(timeout=60)
        is_there = True
        line.wake()
        for thread in threads:
            thread.join(timeout=60)
            assert not thread.is_alive()
        assert len(line.sleepers) == len(threads)

    asyncio.run(main())


def test_a_thread_that_hangs_on_is_told_of_the_end() -> None:
    """All of them are, and those that come later do not wait."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        line = Line(loop, Mailbox(loop), Gates())
        line.hang_up()
        line.wait(lambda: False)
        assert line.gone

    asyncio.run(main())
