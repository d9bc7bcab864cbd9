"""`Bridge.enter`: blocking context managers for async code."""

import asyncio
import contextvars
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager
from typing import Literal, Self

import anyio
import pytest

from asgibridge.bridge import Bridge
from asgibridge.errors import AlreadyEnteredError, NotEnteredError, NotSyncError

variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable")


@pytest.fixture
def bridge() -> Iterator[Bridge]:
    """Return a bridge that is closed in the end."""
    with Bridge() as bridge:
        yield bridge


class Transaction:
    """Keeps its state in a thread-local, as those of databases do."""

    def __init__(self, *, suppress: bool = False) -> None:
        self.suppress = suppress
        self.local = threading.local()
        self.events: list[object] = []
        self.threads: set[int] = set()
        # For tests that need it to take long.
        self.entering: threading.Event | None = None
        self.leaving: threading.Event | None = None
        self.inside = threading.Event()
        self.outside = threading.Event()

    def __enter__(self) -> Self:
        self.threads.add(threading.get_ident())
        self.inside.set()
        if self.entering is not None:
            assert self.entering.wait(timeout=60)
        self.local.open = True
        self.events.append("entered")
        return self

    def execute(self) -> None:
        """Work, on the transaction's thread."""
        assert self.local.open
        self.threads.add(threading.get_ident())

    def __exit__(self, exc_type: object, exc: object, _traceback: object) -> bool:
        self.threads.add(threading.get_ident())
        self.outside.set()
        if self.leaving is not None:
            assert self.leaving.wait(timeout=60)
        del self.local.open
        self.events.append(exc_type)
        return self.suppress


def test_entered_and_left_on_one_thread(bridge: Bridge) -> None:
    """State in thread-locals is found by the code of the block and on exit."""
    transaction = Transaction()

    async def main() -> None:
        async with bridge.enter(transaction) as same:
            assert same is transaction
            await bridge.sync_to_async(transaction.execute)()

    asyncio.run(main())
    assert transaction.events == ["entered", None]
    assert len(transaction.threads) == 1
    assert threading.get_ident() not in transaction.threads


def test_left_on_its_thread_when_the_block_is_elsewhere(bridge: Bridge) -> None:
    """A scope that the block has opened and not closed does not take it along."""
    transaction = Transaction()

    async def main() -> None:
        scope = bridge.thread_sensitive_context()
        async with bridge.enter(transaction):
            await scope.__aenter__()
        await scope.__aexit__(None, None, None)

    asyncio.run(main())
    assert len(transaction.threads) == 1


def test_worker_is_held_for_code_that_is_not_thread_sensitive(bridge: Bridge) -> None:
    """The same thread enters and leaves, and others run calls meanwhile."""
    transaction = Transaction()

    async def main() -> None:
        async with bridge.enter(transaction, thread_sensitive=False):
            other = bridge.sync_to_async(threading.get_ident, thread_sensitive=False)
            assert await other() not in transaction.threads

    asyncio.run(main())
    assert len(transaction.threads) == 1


def test_exception_of_the_block_is_the_managers_affair(bridge: Bridge) -> None:
    """It is suppressed, or goes on, as the manager says."""

    async def main(transaction: Transaction) -> Literal["suppressed"]:
        async with bridge.enter(transaction):
            msg = "block"
            raise KeyError(msg)
        return "suppressed"

    assert asyncio.run(main(Transaction(suppress=True))) == "suppressed"
    transaction = Transaction()
    with pytest.raises(KeyError, match="block"):
        asyncio.run(main(transaction))
    assert transaction.events == ["entered", KeyError]


def test_manager_may_replace_the_exception(bridge: Bridge) -> None:
    """What it raises on exit is what arrives, with its cause."""

    @contextmanager
    def translating() -> Iterator[None]:
        try:
            yield
        except KeyError as exc:
            msg = "translated"
            raise OSError(msg) from exc

    async def main() -> None:
        async with bridge.enter(translating()):
            raise KeyError

    with pytest.raises(OSError, match="translated") as caught:
        asyncio.run(main())
    assert isinstance(caught.value.__cause__, KeyError)


def test_error_on_entering(bridge: Bridge) -> None:
    """It arrives, and the manager is not left; the next one works."""

    @contextmanager
    def failing() -> Iterator[None]:
        msg = "no entry"
        raise OSError(msg)
        yield  # type: ignore[unreachable]  # what makes it a generator

    async def main() -> None:
        manager = bridge.enter(failing())
        with pytest.raises(OSError, match="no entry"):
            await manager.__aenter__()
        with pytest.raises(NotEnteredError, match="is not entered; use it with"):
            await manager.__aexit__(None, None, None)
        async with bridge.enter(Transaction()):
            pass

    asyncio.run(main())


def test_one_context_for_entering_and_leaving(bridge: Bridge) -> None:
    """Tokens can be reset, and the block sees what was set, until the exit."""

    @contextmanager
    def setting() -> Iterator[str]:
        token = variable.set("inside")
        try:
            yield variable.get()
        finally:
            variable.reset(token)

    async def main() -> list[str]:
        async with bridge.enter(setting()) as seen:
            inside = variable.get()
        return [seen, inside, variable.get("none")]

    assert asyncio.run(main()) == ["inside", "inside", "none"]


def test_left_in_another_task(bridge: Bridge) -> None:
    """What was set for the first task cannot be taken back in the second."""

    @contextmanager
    def setting() -> Iterator[None]:
        token = variable.set("inside")
        yield
        variable.reset(token)

    async def main() -> str:
        manager = bridge.enter(setting())
        await manager.__aenter__()
        await asyncio.create_task(manager.__aexit__(None, None, None))
        return variable.get("none")

    assert asyncio.run(main()) == "inside"


def test_cancelled_block_is_left(bridge: Bridge) -> None:
    """The manager sees the cancellation, which goes on."""
    transaction = Transaction()

    async def main() -> None:
        entered = asyncio.Event()

        async def block() -> None:
            async with bridge.enter(transaction):
                entered.set()
                await asyncio.Event().wait()

        task = asyncio.create_task(block())
        await entered.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert transaction.events == ["entered", asyncio.CancelledError]


def test_cancelled_exit_is_made_to_its_end(bridge: Bridge) -> None:
    """Even if cancelled again and again, and then the cancellation is raised."""
    transaction = Transaction()
    leaving = transaction.leaving = threading.Event()

    async def main() -> None:
        async def block() -> None:
            async with bridge.enter(transaction):
                pass

        task = asyncio.create_task(block())
        assert await asyncio.to_thread(transaction.outside.wait, 5)
        for _ in range(3):
            task.cancel()
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        assert not task.done()
        leaving.set()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert transaction.events == ["entered", None]


def test_cancelled_while_entering_is_left_at_once(bridge: Bridge) -> None:
    """The manager was entered: it is left, and no block runs."""
    transaction = Transaction()
    transaction.entering = threading.Event()

    async def main() -> None:
        async def block() -> None:
            async with bridge.enter(transaction):
                pytest.fail("there is no block")

        task = asyncio.create_task(block())
        assert await asyncio.to_thread(transaction.inside.wait, 5)
        task.cancel("why")
        await asyncio.sleep(0)
        assert transaction.entering is not None
        transaction.entering.set()
        with pytest.raises(asyncio.CancelledError, match="why"):
            await task

    asyncio.run(main())
    assert transaction.events == ["entered", asyncio.CancelledError]


def test_cancelled_before_entering_is_not_entered(bridge: Bridge) -> None:
    """Queued behind something else, it is withdrawn."""
    transaction = Transaction()
    inside, release = threading.Event(), threading.Event()

    def block() -> None:
        inside.set()
        assert release.wait(timeout=60)

    async def enter() -> None:
        async with bridge.enter(transaction):
            pytest.fail("there is no block")

    async def main() -> None:
        blocking = asyncio.create_task(bridge.sync_to_async(block)())
        assert await asyncio.to_thread(inside.wait, 5)
        task = asyncio.create_task(enter())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        release.set()
        await blocking

    asyncio.run(main())
    assert transaction.events == []


def test_error_of_a_cancelled_exit_is_the_cause(bridge: Bridge) -> None:
    """The cancellation comes first; what the exit raised is not lost."""
    inside, release = threading.Event(), threading.Event()

    @contextmanager
    def failing() -> Iterator[None]:
        yield
        inside.set()
        assert release.wait(timeout=60)
        msg = "on exit"
        raise OSError(msg)

    async def block() -> None:
        async with bridge.enter(failing()):
            pass

    async def main() -> None:
        task = asyncio.create_task(block())
        assert await asyncio.to_thread(inside.wait, 5)
        task.cancel()
        await asyncio.sleep(0)
        release.set()
        with pytest.raises(asyncio.CancelledError) as caught:
            await task
        assert isinstance(caught.value.__cause__, OSError)

    asyncio.run(main())


def test_entered_twice(bridge: Bridge) -> None:
    """Only after it was left; one at a time."""
    transaction = Transaction()

    async def main() -> None:
        manager = bridge.enter(transaction)
        async with manager:
            with pytest.raises(AlreadyEnteredError, match="entered already; make"):
                await manager.__aenter__()
        async with manager:
            pass

    asyncio.run(main())
    assert transaction.events == ["entered", None] * 2


@asynccontextmanager
async def async_manager() -> AsyncIterator[None]:
    """Do nothing."""
    yield


@pytest.mark.parametrize(
    ("thing", "message"),
    [
        (async_manager(), "an async one: use it with `async with`, without enter"),
        (5, "enter needs a context manager, got 5$"),
    ],
)
def test_what_cannot_be_entered(
    bridge: Bridge, thing: AbstractContextManager[None], message: str
) -> None:
    """Async managers and other things are refused, with the right way."""
    with pytest.raises(NotSyncError, match=message):
        bridge.enter(thing)


def test_anyio_scope_that_is_cancelled(bridge: Bridge) -> None:
    """A scope repeats its cancellation: the exit is made, and nothing spins."""
    transaction = Transaction()
    leaving = transaction.leaving = threading.Event()
    awoken = 0

    async def main() -> bool:
        nonlocal awoken
        with anyio.CancelScope() as scope:
            async with bridge.enter(transaction):
                scope.cancel()
                release = asyncio.create_task(_release())
                await asyncio.Event().wait()
        await release
        return scope.cancelled_caught

    async def _release() -> None:
        nonlocal awoken
        assert await asyncio.to_thread(transaction.outside.wait, 5)
        for _ in range(100):
            await asyncio.sleep(0)
            awoken += 1
        leaving.set()

    assert asyncio.run(main())
    assert awoken == 100
    assert transaction.events == ["entered", asyncio.CancelledError]
