"""The same code on a pool, at once, and in an order that the test tells."""

import asyncio
import threading
from collections.abc import Callable

import pytest

from asgibridge import Bridge
from asgibridge.executors import WorkerPool
from asgibridge.testing import InlineExecutor, ManualExecutor
from examples.swapped_executors import Thumbnails


def render(picture: str) -> bytes:
    """Stand in for something slow."""
    return f"small {picture}".encode()


@pytest.mark.parametrize("make", [InlineExecutor, WorkerPool])
def test_on_any_executor(make: Callable[[], InlineExecutor | WorkerPool]) -> None:
    """What comes out does not depend on where the function runs."""
    executor = make()
    with Bridge(workers=executor) as bridge:
        thumbnails = Thumbnails(bridge=bridge, render=render)
        assert bridge.async_to_sync(thumbnails.get)("cat") == b"small cat"
    executor.close()


def test_at_once_on_the_thread_of_the_test() -> None:
    """An InlineExecutor needs no thread."""
    threads: list[threading.Thread] = []

    def note_thread(picture: str) -> bytes:
        threads.append(threading.current_thread())
        return render(picture)

    async def main() -> bytes:
        thumbnails = Thumbnails(
            bridge=Bridge(workers=InlineExecutor()), render=note_thread
        )
        await thumbnails.get("cat")
        return await thumbnails.get("cat")

    assert asyncio.run(main()) == b"small cat"
    assert threads == [threading.main_thread()]  # once: the second was kept


def test_two_tasks_that_ask_at_once() -> None:
    """Both render; both get the thumbnail that was ready first."""
    versions = iter([b"first", b"second"])

    async def main() -> tuple[bytes, bytes]:
        executor = ManualExecutor()
        thumbnails = Thumbnails(
            bridge=Bridge(workers=executor), render=lambda _: next(versions)
        )
        async with asyncio.TaskGroup() as group:
            one = group.create_task(thumbnails.get("cat"))
            other = group.create_task(thumbnails.get("cat"))
            await executor.wait_pending_async(2)
            executor.run_all()
        return one.result(), other.result()

    assert asyncio.run(main()) == (b"first", b"first")
    assert next(versions, None) is None
