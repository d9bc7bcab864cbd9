"""LeakCheck."""

import _thread
import asyncio
import threading
import time

import pytest

from asgibridge.testing import LeakCheck
from tests.staging import PATIENCE


def test_nothing_left() -> None:
    """What was there before, and what ends in time, is no leak."""
    release = threading.Event()

    class EndsWhenJoined(threading.Thread):
        """Goes on until somebody waits for it."""

        def join(self, timeout: float | None = None) -> None:
            release.set()
            super().join(timeout)

    before = asyncio.new_event_loop()
    check = LeakCheck(grace=10.0)
    EndsWhenJoined(target=release.wait, args=(10,)).start()
    asyncio.run(asyncio.sleep(0))
    assert check.leaks() == []
    before.close()


def test_thread_left() -> None:
    """A thread that goes on is named."""
    release = threading.Event()
    check = LeakCheck(grace=0.0)
    thread = threading.Thread(target=release.wait, args=(10,), name="lingering")
    thread.start()
    assert check.leaks() == ["thread 'lingering'"]
    release.set()
    thread.join()
    assert check.leaks() == []


def test_foreign_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that was not started by the module threading is named while it runs."""
    known, release = threading.Event(), threading.Event()
    threads: list[threading.Thread] = []

    def run() -> None:
        threads.append(threading.current_thread())  # the module knows it now
        known.set()
        release.wait(PATIENCE)

    impatient, patient = LeakCheck(grace=0.0), LeakCheck(grace=PATIENCE)
    _thread.start_new_thread(run, ())
    assert known.wait(PATIENCE)
    (thread,) = threads
    assert impatient.leaks() == [f"thread {thread.name!r}"]
    # It ends while it is waited for.
    monkeypatch.setattr(time, "sleep", lambda _seconds: release.set())
    assert patient.leaks() == []
    # Before 3.13 the module lists it for ever, also for the other tests.
    vars(threading)["_active"].pop(thread.ident, None)


def test_loop_left() -> None:
    """A loop that is not closed is named, without the tasks that wait on it."""
    check = LeakCheck()
    loop = asyncio.new_event_loop()
    task = loop.create_task(asyncio.sleep(0))
    (leak,) = check.leaks()
    assert leak.startswith("event loop <")
    loop.run_until_complete(task)
    loop.close()
    assert check.leaks() == []


def test_task_left() -> None:
    """A pending task on a loop that was there before is named."""

    async def test() -> list[str]:
        check = LeakCheck()
        waiting = asyncio.create_task(asyncio.Event().wait(), name="lingering")
        await asyncio.sleep(0)
        leaks = check.leaks()
        waiting.cancel()
        await asyncio.wait([waiting])
        assert check.leaks() == []
        return leaks

    (leak,) = asyncio.run(test())
    assert leak.startswith("task <Task pending name='lingering'")


def test_garbage_is_not_a_leak() -> None:
    """What only a cycle holds is collected before it is judged."""
    check = LeakCheck()

    async def test() -> None:
        future = asyncio.get_running_loop().create_future()

        async def wait() -> None:
            await future

        task = asyncio.create_task(wait())
        setattr(future, "cycle", task)  # noqa: B010 - the attribute is made up
        await asyncio.sleep(0)
        asyncio.get_running_loop().set_exception_handler(lambda *_: None)

    async def look() -> list[str]:
        await test()
        return check.leaks()

    with asyncio.Runner() as runner:
        found = runner.run(look())
    # The loop that runs this is there; the task that nobody holds is not.
    assert [leak[:10] for leak in found] == ["event loop"]
