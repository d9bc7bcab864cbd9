"""`Bridge.enter_sync`: async context managers for blocking code."""

import asyncio
import contextvars
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from types import TracebackType
from typing import Self

import pytest

from asgibridge.bridge import Bridge
from asgibridge.bridge._places import Frame
from asgibridge.errors import (
    AlreadyEnteredError,
    NotAsyncError,
    NotEnteredError,
    RunningLoopError,
)
from asgibridge.executors import InThreadLoopRunner

variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable")


@pytest.fixture
def bridge() -> Iterator[Bridge]:
    """Return a bridge that is closed in the end."""
    with Bridge() as bridge:
        yield bridge


class Client:
    """Belongs to the task and the loop that entered it."""

    def __init__(self, *, suppress: bool = False) -> None:
        self.suppress = suppress
        self.events: list[object] = []
        self.tasks: set[object] = set()

    async def __aenter__(self) -> Self:
        self.tasks.add(asyncio.current_task())
        await asyncio.sleep(0)
        self.events.append("entered")
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        _exc: BaseException | None,
        _traceback: TracebackType | None,
    ) -> bool:
        self.tasks.add(asyncio.current_task())
        await asyncio.sleep(0)
        self.events.append(exc_type)
        return self.suppress


class Interrupt:
    """Work that is interrupted, as by Ctrl-C just when its thread waits."""

    def run(self) -> None:
        """Raise."""
        raise KeyboardInterrupt


def interrupt(bridge: Bridge) -> None:
    """Interrupt the thread that waits for the current coroutine."""
    place = bridge._engine.affinity.get()
    assert isinstance(place, Frame)
    place.executor.post(Interrupt())


def outermost(_bridge: Bridge, fn: Callable[[], object]) -> object:
    """Run *fn* with no async code above it."""
    return fn()


def below_async(bridge: Bridge, fn: Callable[[], object]) -> object:
    """Run *fn* in a blocking call of async code."""

    async def main() -> object:
        return await bridge.sync_to_async(fn)()

    return asyncio.run(main())


Place = Callable[[Bridge, Callable[[], object]], object]
places = pytest.mark.parametrize("place", [outermost, below_async])


@places
def test_entered_and_left_in_one_task(bridge: Bridge, place: Place) -> None:
    """So timeouts, cancel scopes and task groups work."""
    client = Client()

    def block() -> object:
        with bridge.enter_sync(client) as same:
            pass
        return same

    assert place(bridge, block) is client
    assert client.events == ["entered", None]
    assert len(client.tasks) == 1


@places
def test_exception_of_the_block_is_the_managers_affair(
    bridge: Bridge, place: Place
) -> None:
    """It is suppressed, or goes on, as the manager says."""

    def block(client: Client) -> str:
        with bridge.enter_sync(client):
            msg = "block"
            raise KeyError(msg)
        return "suppressed"

    assert place(bridge, lambda: block(Client(suppress=True))) == "suppressed"
    client = Client()
    with pytest.raises(KeyError, match="block"):
        place(bridge, lambda: block(client))
    assert client.events == ["entered", KeyError]


def test_error_on_entering(bridge: Bridge) -> None:
    """It arrives, and there is nothing to leave."""

    @asynccontextmanager
    async def failing() -> AsyncIterator[None]:
        msg = "no entry"
        raise OSError(msg)
        yield  # type: ignore[unreachable]  # what makes it a generator

    manager = bridge.enter_sync(failing())
    with pytest.raises(OSError, match="no entry"):
        manager.__enter__()
    with pytest.raises(NotEnteredError, match="is not entered; use it with `with`"):
        manager.__exit__(None, None, None)


def test_one_context_for_entering_and_leaving(bridge: Bridge) -> None:
    """Tokens can be reset, and the block sees what was set, until the exit."""

    @asynccontextmanager
    async def setting() -> AsyncIterator[str]:
        token = variable.set("inside")
        yield variable.get()
        variable.reset(token)

    def block() -> list[str]:
        with bridge.enter_sync(setting()) as seen:
            inside = variable.get()
        return [seen, inside, variable.get("none")]

    assert contextvars.copy_context().run(block) == ["inside", "inside", "none"]


def test_sensitive_calls_of_the_manager_run_on_the_blocks_thread(
    bridge: Bridge,
) -> None:
    """The thread that waits for entering and leaving runs them."""
    threads: list[int] = []

    @asynccontextmanager
    async def calling() -> AsyncIterator[None]:
        threads.append(await bridge.sync_to_async(threading.get_ident)())
        yield
        threads.append(await bridge.sync_to_async(threading.get_ident)())

    with bridge.enter_sync(calling()):
        pass
    assert threads == [threading.get_ident()] * 2


@asynccontextmanager
async def expiring(expired: threading.Event) -> AsyncIterator[None]:
    """A timeout that runs out as soon as the block has been entered."""
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(None) as timeout:
        timeout.reschedule(loop.time())
        # After the timeout has done its part, in the loop's next iterations.
        loop.call_later(0.001, loop.call_soon, expired.set)
        yield


@places
def test_timeout_that_runs_out_in_the_block(bridge: Bridge, place: Place) -> None:
    """The block runs to its end; then the timeout is raised, as in async code."""
    expired = threading.Event()

    def block() -> None:
        with bridge.enter_sync(expiring(expired)):
            assert expired.wait(timeout=60)

    with pytest.raises(TimeoutError):
        place(bridge, block)


def test_timeout_does_not_hide_the_error_of_the_block(bridge: Bridge) -> None:
    """What the block raised goes first."""
    expired = threading.Event()

    def block() -> None:
        with bridge.enter_sync(expiring(expired)):
            assert expired.wait(timeout=60)
            raise KeyError

    with pytest.raises(KeyError):
        block()


def test_cancellation_that_the_manager_does_not_want(bridge: Bridge) -> None:
    """Who cancels the task in the block is answered on leaving."""
    client = Client()
    manager = bridge.enter_sync(client)
    with pytest.raises(asyncio.CancelledError), manager:
        _cancel(manager)
    assert client.events == ["entered", asyncio.CancelledError]


def test_cancellation_that_the_manager_suppresses(bridge: Bridge) -> None:
    """It is not heard of again."""
    client = Client(suppress=True)
    manager = bridge.enter_sync(client)
    with manager:
        _cancel(manager)
    assert client.events == ["entered", asyncio.CancelledError]


def _cancel(manager: object) -> None:
    """Cancel the task of *manager*, and return when it knows."""
    actor = manager._actor  # type: ignore[attr-defined]
    known = threading.Event()
    actor._loop.call_soon_threadsafe(actor._task.cancel)
    actor._loop.call_soon_threadsafe(
        lambda: actor._loop.call_soon(lambda: actor._loop.call_soon(known.set))
    )
    assert known.wait(timeout=60)


def test_cancelled_call_leaves_the_manager(bridge: Bridge) -> None:
    """The task that waits for the block is cancelled: the exit is made."""
    client = Client()
    inside, cancelled = threading.Event(), threading.Event()

    def block() -> None:
        with bridge.enter_sync(client):
            inside.set()
            assert cancelled.wait(timeout=60)

    async def main() -> None:
        task = asyncio.create_task(bridge.sync_to_async(block)())
        assert await asyncio.to_thread(inside.wait, 5)
        task.cancel()
        await asyncio.sleep(0)
        cancelled.set()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert client.events == ["entered", None]


def test_call_that_was_cancelled_enters_nothing(bridge: Bridge) -> None:
    """There is no more work for it."""
    client = Client()
    inside, cancelled = threading.Event(), threading.Event()

    def block() -> None:
        inside.set()
        assert cancelled.wait(timeout=60)
        with bridge.enter_sync(client):
            pytest.fail("there is no block")

    async def main() -> None:
        task = asyncio.create_task(bridge.sync_to_async(block)())
        assert await asyncio.to_thread(inside.wait, 5)
        task.cancel()
        await asyncio.sleep(0)
        cancelled.set()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert client.events == []


@pytest.mark.parametrize("finishes", [True, False])
def test_interrupted_while_entering(
    bridge: Bridge,
    finishes: bool,  # noqa: FBT001  # a parameter of the test
) -> None:
    """What was entered in spite of Ctrl-C is left, since there is no block."""
    events: list[object] = []

    class Stubborn(Client):
        async def __aenter__(self) -> Self:
            interrupt(bridge)
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                if not finishes:
                    raise
            return await super().__aenter__()

    client = Stubborn()
    with pytest.raises(KeyboardInterrupt), bridge.enter_sync(client):
        pytest.fail("there is no block")
    events = client.events
    assert events == (["entered", KeyboardInterrupt] if finishes else [])


def test_manager_that_was_left_entered_ends_with_its_loop(bridge: Bridge) -> None:
    """A block that never ends does not keep the loop from ending."""
    client = Client()

    async def main() -> None:
        manager = bridge.enter_sync(client)
        await bridge.sync_to_async(manager.__enter__)()

    asyncio.run(main())
    assert client.events == ["entered", asyncio.CancelledError]


def test_entered_twice(bridge: Bridge) -> None:
    """Only after it was left; one at a time."""
    client = Client()
    manager = bridge.enter_sync(client)
    with manager, pytest.raises(AlreadyEnteredError, match="entered already; wrap"):
        manager.__enter__()
    with manager:
        pass
    assert client.events == ["entered", None] * 2


def test_refused_where_a_loop_runs(bridge: Bridge) -> None:
    """It would block the loop, unless that is wanted."""
    client = Client()

    async def main() -> None:
        with pytest.raises(RunningLoopError, match=r"enter_sync\(Client\) was used"):
            bridge.enter_sync(client).__enter__()
        with bridge.enter_sync(client, helper_loop=True):
            pass

    asyncio.run(main())
    assert client.events == ["entered", None]


def test_in_thread_runner() -> None:
    """Where loop and blocking code take turns on one thread, it works as well."""
    client = Client()
    with InThreadLoopRunner() as runner, Bridge(runner=runner) as ours:

        def block() -> None:
            with ours.enter_sync(client):
                pass

        async def main() -> None:
            await ours.sync_to_async(block)()

        ours.async_to_sync(main)()
    assert client.events == ["entered", None]


@contextmanager
def plain_manager() -> Iterator[None]:
    """Do nothing."""
    yield


@pytest.mark.parametrize(
    ("thing", "message"),
    [
        (plain_manager(), "a plain one: use it with `with`"),
        (5, "an async context manager is needed here, got 5$"),
    ],
)
def test_what_cannot_be_entered(
    bridge: Bridge, thing: AbstractAsyncContextManager[None], message: str
) -> None:
    """Plain managers and other things are refused, with the right way."""
    with pytest.raises(NotAsyncError, match=message):
        bridge.enter_sync(thing)
