"""What can cross, and what is refused with which words."""

import asyncio
import inspect
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from functools import partial
from typing import Any

import pytest

from asgibridge import Bridge
from asgibridge.bridge._callables import is_coroutine_function
from asgibridge.errors import NotAsyncError, NotSyncError
from tests.staging import run


def blocking(value: int = 1) -> int:
    """Return the value."""
    return value


async def asynchronous(value: int = 1) -> int:
    """Return the value, in time."""
    await asyncio.sleep(0)
    return value


async def async_generator() -> AsyncIterator[int]:
    """Yield in time."""
    yield 1


def generator() -> Iterator[int]:
    """Yield."""
    yield 1


class AsyncCallable:
    """Something that is called asynchronously."""

    def __init__(self) -> None:
        self.number = 1

    async def __call__(self) -> int:
        """Return at once."""
        return self.number

    def __repr__(self) -> str:
        return "an async callable"


class Called:
    """Something that is called."""

    def __call__(self) -> int:
        """Return at once."""
        return 1


def marked() -> Coroutine[Any, Any, int]:
    """Look like a plain function, and be none."""
    return asynchronous()


if hasattr(inspect, "markcoroutinefunction"):
    inspect.markcoroutinefunction(marked)
else:
    marked._is_coroutine = asyncio.coroutines._is_coroutine  # type: ignore[attr-defined]  # how it was done


@pytest.mark.parametrize(
    ("fn", "message"),
    [
        (3, r"needs a blocking function, got 3$"),
        (asynchronous, "asynchronous is async already: await it, without sync_to"),
        (partial(asynchronous, 2), "asynchronous is async already"),
        (AsyncCallable(), "an async callable is async already"),
        (AsyncCallable().__call__, r"AsyncCallable.__call__ is async already"),
        (marked, "marked is async already"),
        (
            async_generator,
            "async_generator is an async generator function: use `async for`",
        ),
        (generator, "generator is a generator function, whose body would run where"),
    ],
)
def test_what_sync_to_async_refuses(fn: Any, message: str, bridge: Bridge) -> None:  # noqa: ANN401  # mistakes
    """The object is named, and the way out; as a decorator as well."""
    with pytest.raises(NotSyncError, match=message) as caught:
        bridge.sync_to_async(fn)
    assert isinstance(caught.value, TypeError)
    with pytest.raises(NotSyncError, match=message):
        bridge.sync_to_async(thread_sensitive=False)(fn)


def test_sync_to_async_refuses_a_coroutine(bridge: Bridge) -> None:
    """The result of a call instead of the function is recognized."""
    coro: Any = asynchronous()
    with pytest.raises(NotSyncError, match="the result of calling an async one: await"):
        bridge.sync_to_async(coro)
    coro.close()


@pytest.mark.parametrize(
    ("fn", "message"),
    [
        (3, r"needs an async function, got 3$"),
        (
            async_generator,
            "needs something to await, but async_generator is an async gen",
        ),
        (generator, "generator is a generator function: use `for` on its result"),
    ],
)
def test_what_async_to_sync_refuses(fn: Any, message: str, bridge: Bridge) -> None:  # noqa: ANN401  # mistakes
    """The object is named, and the way out; as a decorator as well."""
    with pytest.raises(NotAsyncError, match=message) as caught:
        bridge.async_to_sync(fn)
    assert isinstance(caught.value, TypeError)
    with pytest.raises(NotAsyncError, match=message):
        bridge.async_to_sync(force_new_loop=True)(fn)


def test_async_to_sync_refuses_a_coroutine(bridge: Bridge) -> None:
    """The result of a call instead of the function is recognized."""
    coro: Any = asynchronous()
    with pytest.raises(NotAsyncError, match="the result of calling one: pass the func"):
        bridge.async_to_sync(coro)
    coro.close()


@pytest.mark.parametrize(
    "fn", [blocking, partial(blocking, 1), lambda: 1, Called(), Called().__call__]
)
def test_every_kind_of_blocking_callable(fn: Callable[[], int], bridge: Bridge) -> None:
    """Functions, partials, lambdas, instances and methods cross."""
    assert run(bridge.sync_to_async(fn)) == 1


@pytest.mark.parametrize(
    "fn",
    [
        asynchronous,
        partial(asynchronous, 1),
        lambda: asynchronous(),  # noqa: PLW0108  # a lambda is what is tried
        AsyncCallable(),
        AsyncCallable().__call__,
        marked,
    ],
)
def test_every_kind_of_async_callable(
    fn: Callable[[], Coroutine[Any, Any, int]], bridge: Bridge
) -> None:
    """The same, and plain functions that return something to await."""
    assert bridge.async_to_sync(fn)() == 1


def test_classes_and_builtins_are_called(bridge: Bridge) -> None:
    """A class is a blocking callable, whatever its instances are."""
    instance = run(bridge.sync_to_async(AsyncCallable))
    assert isinstance(instance, AsyncCallable)
    lengths = bridge.sync_to_async(len)

    async def main() -> int:
        return await lengths("abc")

    assert run(main) == 3


def test_a_function_that_returns_nothing_to_await(bridge: Bridge) -> None:
    """Noticed when it is called, since nothing else tells."""
    fn: Any = blocking
    with pytest.raises(
        NotAsyncError, match="blocking returned 7; call it directly if it is not async"
    ):
        bridge.async_to_sync(fn)(7)


class Account:
    """Methods of every kind, wrapped in the class body."""

    bridge = Bridge(name="of a class")

    def __init__(self, name: str) -> None:
        self.name = name

    @bridge.sync_to_async
    def method(self, suffix: str) -> str:
        """Return the name."""
        return self.name + suffix

    @bridge.sync_to_async
    @classmethod
    def of_class(cls, suffix: str) -> str:
        """Return the name of the class."""
        return cls.__name__ + suffix

    @classmethod
    @bridge.sync_to_async(thread_sensitive=False)
    def inside_class(cls, suffix: str) -> str:
        """Return the name of the class."""
        return cls.__name__ + suffix

    @bridge.sync_to_async(thread_sensitive=False)
    @staticmethod
    def static(suffix: str) -> str:
        """Return the suffix."""
        return suffix

    @bridge.async_to_sync
    async def async_method(self, suffix: str) -> str:
        """Return the name."""
        return self.name + suffix

    @bridge.async_to_sync
    @classmethod
    async def async_of_class(cls, suffix: str) -> str:
        """Return the name of the class."""
        return cls.__name__ + suffix

    @bridge.async_to_sync(force_new_loop=True)
    @staticmethod
    async def async_static(suffix: str) -> str:
        """Return the suffix."""
        return suffix


def test_methods_wrapped_in_a_class_body() -> None:
    """They are bound as the plain ones would be, on instances and classes."""
    account: Any = Account("a")
    cls: Any = Account

    async def main() -> list[str]:
        return [
            await account.method("1"),
            await cls.method(account, "2"),
            await account.of_class("3"),
            await cls.of_class("4"),
            await cls.inside_class("5"),
            await account.static("6"),
            await cls.static("7"),
        ]

    assert run(main) == ["a1", "a2", "Account3", "Account4", "Account5", "6", "7"]
    assert account.async_method("1") == "a1"
    assert cls.async_of_class("2") == account.async_of_class("2") == "Account2"
    assert cls.async_static("3") == account.async_static("3") == "3"
    Account.bridge.close()


def test_bound_methods(bridge: Bridge) -> None:
    """A method of one object can be wrapped from outside."""
    seen: list[int] = []
    append = bridge.sync_to_async(seen.append)

    async def main() -> None:
        await append(1)

    run(main)
    assert seen == [1]


@pytest.mark.parametrize("fn", [asynchronous, partial(asynchronous, 1), marked])
def test_is_coroutine_function(fn: object) -> None:
    """What is async is known to be, marked ones included."""
    assert is_coroutine_function(fn)
    assert not is_coroutine_function(blocking)
