"""Calling what returns something to await."""

import inspect
from collections.abc import Awaitable, Callable, Coroutine
from types import FunctionType
from typing import Any, TypeVar

from ..errors import NotAsyncError
from ..executors import name_of

__all__ = ("awaiting",)

T = TypeVar("T")


def awaiting(
    fn: Callable[..., Awaitable[T]],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    handling: BaseException | None,
) -> Coroutine[Any, Any, T]:
    """Return a coroutine for ``await fn(*args, **kwargs)``.

    Args:
        fn: Called inside the coroutine, where the loop is running, unless it is
            a coroutine function, for which that makes no difference.
        args: Its positional arguments.
        kwargs: Its keyword arguments.
        handling: The exception that the blocked caller is handling; the
            coroutine sees it, as a plain call would.
    """
    if handling is not None:
        return _await_handling(fn, args, kwargs, handling)
    if isinstance(fn, FunctionType) and fn.__code__.co_flags & inspect.CO_COROUTINE:
        coro: Coroutine[Any, Any, T] = fn(*args, **kwargs)
        return coro
    return _await(fn, args, kwargs)


async def _await(
    fn: Callable[..., Awaitable[T]], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> T:
    awaitable: object = fn(*args, **kwargs)
    if not inspect.isawaitable(awaitable):
        msg = (
            f"async_to_sync needs something to await, but {name_of(fn)} returned "
            f"{awaitable!r}; call it directly if it is not async"
        )
        raise NotAsyncError(msg)
    result: T = await awaitable
    return result


async def _await_handling(
    fn: Callable[..., Awaitable[T]],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    handling: BaseException,
) -> T:
    traceback = handling.__traceback__
    try:
        raise handling
    except BaseException as exc:  # noqa: BLE001  # the caller is handling it
        exc.__traceback__ = traceback
        del exc
        return await _await(fn, args, kwargs)
