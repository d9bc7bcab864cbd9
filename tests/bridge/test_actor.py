"""The task that does errands: what its users' tests do not reach."""

import asyncio
import contextvars
import threading
from collections.abc import Generator, Iterator

import pytest

from asgibridge.bridge import Bridge
from asgibridge.bridge._actor import Actor
from asgibridge.bridge._errand import Errand
from asgibridge.bridge._loop_leases import lease_loop
from asgibridge.bridge._places import Frame
from asgibridge.bridge._tokens import Tokens
from asgibridge.errors import LoopStoppedError
from asgibridge.executors import _caller


@pytest.fixture
def bridge() -> Iterator[Bridge]:
    """Return a bridge that is closed in the end."""
    with Bridge() as bridge:
        yield bridge


class LoopThread:
    """A loop on a thread of its own."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever)
        self.thread.start()

    def stop(self) -> None:
        """Stop the loop, and leave it as it is."""
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(timeout=60)


@pytest.fixture
def loop_thread() -> Iterator[LoopThread]:
    """Return a running loop that is closed in the end."""
    thread = LoopThread()
    yield thread
    if thread.loop.is_running():
        thread.stop()
    while tasks := asyncio.all_tasks(thread.loop):
        for task in tasks:
            task.cancel()
        thread.loop.run_until_complete(asyncio.sleep(0))
    thread.loop.close()


async def end() -> bool:
    """Give up at once."""
    return True


def make_actor(bridge: Bridge, loop: asyncio.AbstractEventLoop) -> Actor:
    """Return an actor on *loop*."""
    return Actor(bridge._engine, loop, end, "actor")


async def forever() -> None:
    """Wait for what never comes."""
    await asyncio.Event().wait()


def test_errand_that_is_recalled_before_it_begins(
    bridge: Bridge, loop_thread: LoopThread
) -> None:
    """It never runs, and the next one does."""
    ran: list[int] = []

    async def run(number: int) -> None:
        ran.append(number)

    release = threading.Event()
    loop_thread.loop.call_soon_threadsafe(release.wait, 5)
    actor = make_actor(bridge, loop_thread.loop)
    errand = actor.send(run, 1)
    actor.recall(errand)
    release.set()
    actor.wait(errand)
    with pytest.raises(asyncio.CancelledError):
        actor.take(errand)
    actor.recall(errand)  # it is done: nothing happens
    actor.call(run, 2)
    actor.end()
    assert ran == [2]


def test_errand_that_swallows_its_recall(
    bridge: Bridge, loop_thread: LoopThread
) -> None:
    """It returns what it wants; the task counts as not cancelled afterwards."""
    begun = threading.Event()

    async def stubborn() -> str:
        begun.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return "stubborn"
        return "never"

    async def cancelling() -> int:
        task = asyncio.current_task()
        assert task is not None
        return task.cancelling()

    actor = make_actor(bridge, loop_thread.loop)
    errand = actor.send(stubborn)
    assert begun.wait(timeout=60)
    actor.recall(errand)
    actor.wait(errand)
    assert actor.take(errand) == "stubborn"
    assert actor.call(cancelling) == 0
    actor.end()


def test_wait_ends_when_the_loop_stops(
    bridge: Bridge, loop_thread: LoopThread, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not a hang: a loop that runs no more is an error."""
    monkeypatch.setattr(_caller, "CHECK_SECONDS", 0.001)
    actor = make_actor(bridge, loop_thread.loop)
    errand = actor.send(forever)
    # It runs for a while, as far as the wait can see, and then no more.
    threading.Timer(0.01, loop_thread.stop).start()
    with pytest.raises(LoopStoppedError, match="actor cannot go on"):
        actor.wait(errand)


def test_errand_that_is_destroyed_with_its_loop(bridge: Bridge) -> None:
    """A task that is dropped in the middle of it leaves an error to be taken."""

    class Suspended:
        def __await__(self) -> Generator[None, None, None]:
            yield

    async def suspend() -> None:
        await Suspended()

    engine = bridge._engine
    frame = Frame(engine.threads.state.inbox, None)
    context = contextvars.copy_context()
    errand = Errand(frame, context, context.copy(), suspend, ())
    serving = errand.serve(engine)
    assert serving.send(None) is None
    serving.close()
    assert not errand.is_ok
    with pytest.raises(LoopStoppedError, match="closed meanwhile"):
        errand.take(Tokens())


def test_actor_that_has_given_up_refuses_errands(
    bridge: Bridge, loop_thread: LoopThread
) -> None:
    """With the cancellation that made it give up; its end is no error."""
    actor = make_actor(bridge, loop_thread.loop)
    actor.call(asyncio.sleep, 0)
    task = actor._task
    assert task is not None
    given_up = threading.Event()
    task.add_done_callback(lambda _: given_up.set())
    loop_thread.loop.call_soon_threadsafe(task.cancel, "enough")
    assert given_up.wait(timeout=60)
    with pytest.raises(asyncio.CancelledError, match="enough"):
        actor.call(asyncio.sleep, 0)
    actor.end()
    loop_thread.stop()
    assert task.exception() is None


def test_cancellation_that_comes_before_the_wait(bridge: Bridge) -> None:
    """It is noticed by the wait, and cancels the errand."""
    sent, cancelled = threading.Event(), threading.Event()

    def block() -> None:
        lease = lease_loop(bridge._engine, None)
        actor = make_actor(bridge, lease.loop)
        errand = actor.send(forever)
        sent.set()
        assert cancelled.wait(timeout=60)
        actor.wait(errand)
        with pytest.raises(asyncio.CancelledError):
            actor.take(errand)
        actor.end()

    async def main() -> None:
        task = asyncio.create_task(bridge.sync_to_async(block)())
        assert await asyncio.to_thread(sent.wait, 5)
        task.cancel()
        await asyncio.sleep(0)
        cancelled.set()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert cancelled.is_set()
