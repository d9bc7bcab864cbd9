"""Crossing between blocking and async code: ``asgiref.sync``."""

from collections.abc import Awaitable, Callable, Coroutine
from contextvars import Context
from functools import partial
from typing import Any, ParamSpec, TypeVar, overload

from ..types import BlockingExecutor
from ._async_to_sync import AsyncToSync
from ._blocks import (
    AsyncSingleThreadContext,
    ThreadSensitiveContext,
)
from ._marks import (
    iscoroutinefunction,
    markcoroutinefunction,
)
from ._sync_to_async import SyncToAsync
from .current_thread_executor import CurrentThreadExecutor
from .local import Local

__all__ = (
    "AsyncSingleThreadContext",
    "AsyncToSync",
    "CurrentThreadExecutor",
    "Local",
    "SyncToAsync",
    "ThreadSensitiveContext",
    "async_to_sync",
    "iscoroutinefunction",
    "markcoroutinefunction",
    "sync_to_async",
)

P = ParamSpec("P")
R = TypeVar("R")


@overload
def async_to_sync(
    *, force_new_loop: bool = False
) -> Callable[[Callable[P, Awaitable[R]]], Callable[P, R]]: ...


@overload
def async_to_sync(
    awaitable: Callable[P, Awaitable[R]], *, force_new_loop: bool = False
) -> Callable[P, R]: ...


def async_to_sync(
    awaitable: Callable[..., Awaitable[Any]] | None = None,
    *,
    force_new_loop: bool = False,
) -> Any:
    """Return a blocking function that runs *awaitable*; see `AsyncToSync`.

    Without *awaitable*, return a decorator with these options.
    """
    if awaitable is None:
        return partial(AsyncToSync[..., Any], force_new_loop=force_new_loop)
    return AsyncToSync(awaitable, force_new_loop=force_new_loop)


@overload
def sync_to_async(
    *,
    thread_sensitive: bool = True,
    executor: BlockingExecutor | None = None,
    context: Context | None = None,
) -> Callable[[Callable[P, R]], Callable[P, Coroutine[Any, Any, R]]]: ...


@overload
def sync_to_async(
    func: Callable[P, R],
    *,
    thread_sensitive: bool = True,
    executor: BlockingExecutor | None = None,
    context: Context | None = None,
) -> Callable[P, Coroutine[Any, Any, R]]: ...


def sync_to_async(
    func: Callable[..., Any] | None = None,
    *,
    thread_sensitive: bool = True,
    executor: BlockingExecutor | None = None,
    context: Context | None = None,
) -> Any:
    """Return an async function that runs *func* on a thread; see `SyncToAsync`.

    Without *func*, return a decorator with these options.
    """
    if func is None:
        return partial(
            SyncToAsync[..., Any],
            thread_sensitive=thread_sensitive,
            executor=executor,
            context=context,
        )
    return SyncToAsync(
        func, thread_sensitive=thread_sensitive, executor=executor, context=context
    )
