"""ASGI 2 applications, and telling them from ASGI 3."""

import asyncio
import functools
from collections.abc import Awaitable, Generator
from typing import Any

import pytest

from asgibridge.adapters import Asgi2ToAsgi3, is_asgi2


def double(scope: Any) -> Any:
    async def instance(receive: Any, send: Any) -> None:
        await send((scope["type"], await receive()))

    return instance


class DoubleClass:
    def __init__(self, scope: Any) -> None:
        self.scope = scope

    async def __call__(self, receive: Any, send: Any) -> None:
        await send((self.scope["type"], await receive()))


class DoubleInstance:
    def __call__(self, scope: Any) -> Any:
        return double(scope)


async def single(scope: Any, receive: Any, send: Any) -> None:
    """Serve."""


def single_by_a_sync_function(scope: Any, receive: Any, send: Any) -> Awaitable[None]:
    return single(scope, receive, send)


def single_with_options(scope: Any, receive: Any, send: Any, more: int = 1) -> Any:
    return more


def anything(*args: Any) -> Awaitable[None]:
    return single(*args)


async def anything_async(*args: Any) -> None:
    """Serve."""


class SingleClass:
    """An endpoint, as Starlette has them."""

    def __init__(self, scope: Any, receive: Any, send: Any) -> None:
        self.scope = scope

    def __await__(self) -> Generator[Any, None, None]:
        return iter(())  # type: ignore[return-value] # only looked at


class SingleInstance:
    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve."""


class AsyncOfOne:
    async def __call__(self, scope: Any) -> None:
        """Fit neither."""


@pytest.mark.parametrize(
    "app",
    [
        double,
        DoubleClass,
        DoubleInstance(),
        DoubleInstance().__call__,
        functools.partial(lambda option, scope: double(scope), 1),
    ],
)
def test_double_callables_are_found(app: Any) -> None:
    """Functions, classes, instances, methods and partials."""
    assert is_asgi2(app)
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "event"}

    async def send(event: Any) -> None:
        sent.append(event)

    asyncio.run(Asgi2ToAsgi3(app)({"type": "http"}, receive, send))
    assert sent == [("http", {"type": "event"})]


@pytest.mark.parametrize(
    "app",
    [
        single,
        single_by_a_sync_function,
        single_with_options,
        functools.partial(single_by_a_sync_function),
        functools.partial(single_with_options, more=2),
        functools.wraps(single)(anything),
        anything,
        anything_async,
        SingleClass,
        SingleInstance(),
        SingleInstance().__call__,
        Asgi2ToAsgi3(double),
        print,
        dict,
    ],
)
def test_nothing_else_is_mistaken_for_one(app: Any) -> None:
    """Above all no sync function that returns the coroutine of an ASGI 3 one."""
    assert not is_asgi2(app)


def test_an_async_function_of_one_argument_is_none() -> None:
    """ASGI 2's first call is not awaited."""

    async def app(scope: Any) -> None:
        """Fit neither."""

    assert not is_asgi2(app)
    assert not is_asgi2(AsyncOfOne())


def test_what_cannot_be_called_is_an_error() -> None:
    """And not silently "no"."""
    with pytest.raises(TypeError, match="5 is not"):
        is_asgi2(5)
