"""What type checkers must see of wrappers: exact parameters and results."""

from collections.abc import AsyncIterator, Callable, Coroutine, Generator
from concurrent.futures import ThreadPoolExecutor
from contextvars import Context
from functools import partial
from typing import Any, assert_type

from asgibridge import Bridge
from asgibridge.bridge import AsyncSingleThreadContext, ThreadSensitiveContext
from asgibridge.executors import (
    PerCallLoopRunner,
    PersistentLoopRunner,
    ThreadSensitivePool,
    WorkerPool,
)

bridge = Bridge()


def length(text: str, /, *, strict: bool = False) -> int:
    """Block."""
    return len(text) + strict


async def length_async(text: str, /, *, strict: bool = False) -> int:
    """Wait."""
    return len(text) + strict


class Awaitable:
    """Something of a user's own to await."""

    def __await__(self) -> Generator[Any, None, bytes]:
        """Wait."""
        yield
        return b""


def awaitable(number: int) -> Awaitable:
    """Return something to await."""
    del number
    return Awaitable()


# -- sync_to_async --


async def blocking_functions() -> None:
    """Parameters are kept, the result is a coroutine's."""
    wrapped = bridge.sync_to_async(length)
    coroutine = wrapped("x", strict=True)
    same: Coroutine[Any, Any, int] = assert_type(coroutine, Coroutine[Any, Any, int])
    assert_type(await same, int)
    assert_type(await wrapped("x"), int)
    await wrapped(1)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    await wrapped(text="x")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    await wrapped("x", lenient=True)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    await wrapped()  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    assert_type(await bridge.sync_to_async(partial(length, "x"))(), int)


def as_a_task(wrapped: Callable[[str], Coroutine[Any, Any, int]]) -> None:
    """Take an async function."""


as_a_task(bridge.sync_to_async(length))
as_a_task(length)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


@bridge.sync_to_async
def bare(number: int, text: str = "") -> list[str]:
    """Block."""
    return [text] * number


@bridge.sync_to_async(thread_sensitive=False, abandon_on_cancel=True)
def with_options(number: int, text: str = "") -> list[str]:
    """Block."""
    return [text] * number


async def decorated() -> None:
    """Decorators, with and without options, keep all of it."""
    assert_type(await bare(1, text="x"), list[str])
    assert_type(await with_options(1, text="x"), list[str])
    await bare("x")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    await with_options("x")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    await with_options(1, texts="x")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]


# -- async_to_sync --


def async_functions() -> None:
    """Parameters are kept, the result is what is awaited."""
    wrapped = bridge.async_to_sync(length_async)
    assert_type(wrapped("x", strict=True), int)
    wrapped(1)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    wrapped("x", lenient=True)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    assert_type(bridge.async_to_sync(awaitable)(1), bytes)
    assert_type(bridge.async_to_sync(partial(length_async, "x"))(), int)


@bridge.async_to_sync
async def bare_async(number: int) -> list[int]:
    """Wait."""
    return [number]


@bridge.async_to_sync(force_new_loop=True, helper_loop=True)
async def async_with_options(number: int) -> list[int]:
    """Wait."""
    return [number]


assert_type(bare_async(1), list[int])
assert_type(async_with_options(1), list[int])
bare_async("x")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
async_with_options("x")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
bridge.async_to_sync(length)  # type: ignore[arg-type]  # pyright: ignore[reportCallIssue, reportArgumentType]


async def generate() -> AsyncIterator[int]:
    """Yield."""
    yield 1


bridge.async_to_sync(generate)  # type: ignore[arg-type]  # pyright: ignore[reportCallIssue, reportArgumentType]

# A round trip is the same function again.
assert_type(bridge.async_to_sync(bridge.sync_to_async(length))("x", strict=True), int)


# -- methods --


class Repository:
    """Methods of every kind."""

    @bridge.sync_to_async
    def load(self, key: int) -> str:
        """Block."""
        return str(key)

    @classmethod
    @bridge.sync_to_async
    def of_class(cls, key: int) -> str:
        """Block."""
        return str(key)

    @staticmethod
    @bridge.sync_to_async(thread_sensitive=False)
    def static(key: int) -> str:
        """Block."""
        return str(key)

    @bridge.async_to_sync
    async def save(self, key: int) -> bool:
        """Wait."""
        return bool(key)

    def plain(self, key: int) -> str:
        """Block."""
        return str(key)


async def methods(repository: Repository) -> None:
    """They are bound, and keep the rest of their parameters."""
    assert_type(await repository.load(1), str)
    assert_type(await Repository.of_class(1), str)
    assert_type(await Repository.static(1), str)
    assert_type(await bridge.sync_to_async(repository.plain)(1), str)
    assert_type(repository.save(1), bool)
    await repository.load("x")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    await Repository.static("x")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    repository.save("x")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


# -- options --

with ThreadPoolExecutor() as threads:
    bridge.sync_to_async(length, thread_sensitive=False, executor=threads)
    bridge.thread_sensitive_context(executor=threads)
    Bridge(thread_sensitive=threads, workers=threads)

bridge.sync_to_async(length, context=Context())
bridge.sync_to_async(length, context="share")
bridge.sync_to_async(length, context="mine")  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue, reportArgumentType]
bridge.sync_to_async(length, executor=object())  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue, reportArgumentType]
bridge.sync_to_async(length, unknown=True)  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue]
bridge.async_to_sync(length_async, unknown=True)  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue]
bridge.sync_to_async(3)  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue, reportArgumentType]

Bridge(
    thread_sensitive=ThreadSensitivePool(max_workers=8),
    workers=WorkerPool(),
    runner=PerCallLoopRunner(),
    context="share",
    stuck_after=1,
)
Bridge(runner=PersistentLoopRunner())
Bridge(runner=WorkerPool())  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
Bridge(workers=PersistentLoopRunner())  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
Bridge(observers=[object()])  # type: ignore[list-item]  # pyright: ignore[reportArgumentType]
Bridge(WorkerPool())  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]


# -- blocks --


async def blocks() -> None:
    """What the context managers give."""
    async with bridge.thread_sensitive_context() as scope:
        assert_type(scope, ThreadSensitiveContext)
    with bridge.async_single_thread_context() as single:
        assert_type(single, AsyncSingleThreadContext)
    with Bridge() as entered:
        assert_type(entered, Bridge)
    with bridge.thread_sensitive_context():  # type: ignore[attr-defined]  # pyright: ignore[reportGeneralTypeIssues]
        pass
