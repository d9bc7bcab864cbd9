"""Refusing what cannot cross, with the right call in the message."""

import asyncio
import inspect
from collections.abc import Callable
from types import FunctionType
from typing import Any, Final

from ..errors import NotAsyncError, NotSyncError
from ..executors import name_of
from ._metadata import dressed_as

__all__ = ("check_may_be_async", "check_may_be_sync", "is_coroutine_function")

# Before 3.12 callables were marked as coroutine functions for asyncio only.
is_coroutine_function: Final[Callable[[object], bool]] = (
    inspect.iscoroutinefunction
    if hasattr(inspect, "markcoroutinefunction")
    else asyncio.iscoroutinefunction
)

_NOT_PLAIN: Final = (
    inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR | inspect.CO_GENERATOR
)


def check_may_be_sync(fn: object) -> None:
    """Raise `NotSyncError` unless *fn* is a blocking callable."""
    if (  # the usual case, quickly
        type(fn) is FunctionType
        and not fn.__dict__
        and not fn.__code__.co_flags & _NOT_PLAIN
    ):
        return
    if not callable(fn):
        msg = f"sync_to_async needs a blocking function, got {fn!r}"
        if inspect.iscoroutine(fn):
            msg += ", the result of calling an async one: await it"
        raise NotSyncError(msg)
    # An instance can be callable through an async method.
    for candidate in (fn, type(fn).__call__):
        _refuse_async(fn, candidate)


def _refuse_async(fn: object, candidate: object) -> None:
    if is_coroutine_function(candidate):
        msg = f"{name_of(fn)} is async already: await it, without sync_to_async"
        raise NotSyncError(msg)
    if inspect.isasyncgenfunction(candidate):
        msg = (
            f"{name_of(fn)} is an async generator function: use `async for` on its "
            f"result, without sync_to_async"
        )
        raise NotSyncError(msg)
    if inspect.isgeneratorfunction(candidate):
        msg = (
            f"{name_of(fn)} is a generator function, whose body would run where its "
            f"result is iterated, not in a thread: use iterate_in_thread("
            f"{name_of(fn)}), and `async for` on its result"
        )
        raise NotSyncError(msg)


def check_may_be_async(fn: object) -> None:
    """Raise `NotAsyncError` if *fn* certainly returns nothing to await."""
    if type(fn) is FunctionType and fn.__code__.co_flags & inspect.CO_COROUTINE:
        return
    if not callable(fn):
        msg = f"async_to_sync needs an async function, got {fn!r}"
        if inspect.isawaitable(fn):
            msg += ", the result of calling one: pass the function itself"
        raise NotAsyncError(msg)
    if inspect.isasyncgenfunction(fn):
        msg = (
            f"async_to_sync needs something to await, but {name_of(fn)} is an async "
            f"generator function: use iterate_sync({name_of(fn)}(...)) in a `for`"
        )
        raise NotAsyncError(msg)
    if inspect.isgeneratorfunction(fn):
        msg = (
            f"async_to_sync needs something to await, but {name_of(fn)} is a "
            f"generator function: use `for` on its result"
        )
        raise NotAsyncError(msg)


def applied(
    fn: Any,  # noqa: ANN401  # anything at all, which is what is checked
    check: Callable[[object], None],
    bind: Callable[[Any], Any],
    dress: Callable[[Any, Any], Any] = dressed_as,
) -> Any:  # noqa: ANN401  # the overloads of the callers say it
    """Check, bind and dress *fn*, or return a decorator that does, if it is None.

    A classmethod or staticmethod stays one, around the wrapped function.

    Args:
        fn: What to wrap.
        check: Raises if it cannot be wrapped.
        bind: Returns the wrapper.
        dress: Makes the wrapper, the second argument, look like the first.
    """
    if type(fn) is FunctionType:  # the usual case, quickly
        check(fn)
        return dress(fn, bind(fn))
    if fn is None:

        def decorate(fn: Any) -> Any:  # noqa: ANN401  # see above
            return applied(fn, check, bind, dress)

        return decorate
    if isinstance(fn, (classmethod, staticmethod)):
        descriptor: Any = fn  # pyright: ignore[reportUnknownVariableType]  # of what
        return type(descriptor)(applied(descriptor.__func__, check, bind, dress))
    check(fn)
    return dress(fn, bind(fn))
