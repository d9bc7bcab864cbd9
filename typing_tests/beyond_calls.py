"""What type checkers know of iterators, context managers and portals."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Iterator
from contextlib import (
    AbstractAsyncContextManager,
    AbstractContextManager,
    asynccontextmanager,
    contextmanager,
)
from typing import assert_type

from asgibridge.bridge import (
    Bridge,
    LoopIterator,
    LoopManager,
    Portal,
    PortalTask,
    ThreadIterator,
    ThreadManager,
)

bridge = Bridge()


# Blocking iterators: item and return types, parameters of functions.
def rows(table: str, *, limit: int = 10) -> Generator[bytes, None, int]:
    """Yield rows, return their number."""
    yield table.encode()
    return limit


def lines(path: str) -> Iterator[str]:
    """Yield lines."""
    yield path


assert_type(bridge.iterate_in_thread([1, 2]), ThreadIterator[int, object])
assert_type(bridge.iterate_in_thread(rows("t")), ThreadIterator[bytes, int])
assert_type(bridge.iterate_in_thread(rows)("t", limit=3), ThreadIterator[bytes, int])
assert_type(bridge.iterate_in_thread(lines)("p"), ThreadIterator[str, object])
bridge.iterate_in_thread(rows)(1)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # a str
bridge.iterate_in_thread(rows)("t", lim=3)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]  # limit
bridge.iterate_in_thread(5)  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue, reportArgumentType]  # no iterable


@bridge.iterate_in_thread
def bare(count: int) -> Generator[int, None, None]:
    """Use it as a decorator."""
    yield count


@bridge.iterate_in_thread(look_ahead=1)
def with_options(count: int) -> Iterator[int]:
    """Use it as a decorator with options."""
    yield count


assert_type(bare(1), ThreadIterator[int, None])
assert_type(with_options(1), ThreadIterator[int, object])


def takes_iterator(_items: AsyncIterator[bytes]) -> None:
    """Take an async iterator."""


async def use_iterator() -> None:
    """The items and the return value."""
    items = bridge.iterate_in_thread(rows("t"))
    async for row in items:
        assert_type(row, bytes)
    assert_type(items.returned, int)
    async with bridge.iterate_in_thread(rows("t")) as same:
        assert_type(same, ThreadIterator[bytes, int])
    takes_iterator(items)
    takes_iterator(bridge.iterate_in_thread([1]))  # type: ignore[list-item]  # pyright: ignore[reportArgumentType]  # not bytes


# Async iterators.
async def ticks() -> AsyncIterator[float]:
    """Yield numbers."""
    yield 1.0


assert_type(bridge.iterate_sync(ticks()), LoopIterator[float])
for tick in bridge.iterate_sync(ticks(), look_ahead=1):
    assert_type(tick, float)
bridge.iterate_sync(ticks)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # not called
bridge.iterate_sync([1])  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # not async


# Context managers: the value, and whether they can suppress.
@contextmanager
def transaction(name: str) -> Generator[int]:
    """Enter with a number."""
    yield len(name)


@asynccontextmanager
async def client(url: str) -> AsyncGenerator[str]:
    """Enter with a text."""
    yield url


class Strict(AbstractContextManager["Strict", None]):
    """Never suppresses."""

    def __exit__(self, *exc_info: object) -> None:
        """Do nothing."""


def takes_manager(_manager: AbstractAsyncContextManager[int]) -> None:
    """Take an async context manager."""


async def use_manager() -> int:
    """The value; a manager that never suppresses needs no return after it."""
    async with bridge.enter(transaction("t")) as number:
        assert_type(number, int)
    assert_type(bridge.enter(Strict()), ThreadManager[Strict, None])
    takes_manager(bridge.enter(transaction("t")))
    async with bridge.enter(Strict()):
        return 1


bridge.enter(client("u"))  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # async
bridge.enter_sync(transaction("t"))  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # not async
with bridge.enter_sync(client("u")) as text:
    assert_type(text, str)
as_plain: AbstractContextManager[str] = bridge.enter_sync(client("u"))


# Portals: as precise as the function wrappers.
async def fetch(url: str, *, retries: int = 0) -> bytes:
    """Return bytes."""
    return url.encode() * retries


with bridge.portal() as portal:
    assert_type(portal, Portal)
    assert_type(portal.call(fetch, "u", retries=1), bytes)
    assert_type(portal.start_task(fetch, "u"), PortalTask[bytes])
    assert_type(portal.start_task(fetch, "u").result(), bytes)
    assert_type(portal.call(asyncio.sleep, 1, "x"), str)
    assert_type(portal.iterate_sync(ticks()), LoopIterator[float])
    assert_type(
        portal.wrap_async_context_manager(client("u")), LoopManager[str, bool | None]
    )
    portal.call(fetch, 1)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # a str
    portal.call(fetch, "u", tries=1)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]  # retries
    portal.start_task(len, "u")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # not async

wrapped: Callable[[str], ThreadIterator[str, object]] = bridge.iterate_in_thread(lines)
