"""The types of options and decorators."""

from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Literal, ParamSpec, Protocol, TypeVar

__all__ = ("AsyncToSyncDecorator", "ContextMode", "SyncToAsyncDecorator")

P = ParamSpec("P")
T = TypeVar("T")

ContextMode = Literal["copy", "share"]
"""Whether a blocking call works in a copy of its caller's context or in itself."""


class SyncToAsyncDecorator(Protocol):
    """Turns a blocking function into an async one."""

    def __call__(
        self, fn: Callable[P, T], /
    ) -> Callable[P, Coroutine[Any, Any, T]]: ...


class AsyncToSyncDecorator(Protocol):
    """Turns an async function into a blocking one."""

    def __call__(self, fn: Callable[P, Awaitable[T]], /) -> Callable[P, T]: ...
