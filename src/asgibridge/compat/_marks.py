"""Telling async functions from others, as asgiref does."""

import asyncio
import inspect
from collections.abc import Callable
from functools import partial
from types import FunctionType, MethodType
from typing import Any, Final, TypeVar, cast

__all__ = (
    "is_async",
    "iscoroutinefunction",
    "markcoroutinefunction",
    "runs_when_awaited",
)

F = TypeVar("F", bound=Callable[..., Any])

# The attributes that functions are marked with: before 3.12, and since.
_MARKS: Final = frozenset({"_is_coroutine", "_is_coroutine_marker"})

# Before 3.12 functions are marked for asyncio only.
_ASYNCIO_MARK: Final[object] = getattr(asyncio.coroutines, "_is_coroutine", None)

iscoroutinefunction: Final = cast(
    "Callable[[object], bool]",
    inspect.iscoroutinefunction
    if hasattr(inspect, "markcoroutinefunction")
    else asyncio.iscoroutinefunction,
)


def _mark_for_asyncio(func: F) -> F:
    """Have *func* taken for a coroutine function."""
    func.__dict__["_is_coroutine"] = _ASYNCIO_MARK
    return func


markcoroutinefunction: Final[Callable[[Any], Any]] = getattr(
    inspect, "markcoroutinefunction", _mark_for_asyncio
)


def is_async(fn: Any) -> bool:  # noqa: ANN401  # what it is, is asked
    """Whether *fn*, or what its class calls, is an async function or marked as one."""
    # Functions and their methods, the usual case, without asking any further:
    # wrappers are often made for one call, and this was half of the making.
    function: object = fn.__func__ if type(fn) is MethodType else fn
    if type(function) is FunctionType and _MARKS.isdisjoint(function.__dict__):
        return bool(function.__code__.co_flags & inspect.CO_COROUTINE)
    return iscoroutinefunction(fn) or iscoroutinefunction(getattr(fn, "__call__", fn))  # noqa: B004  # what it is, not whether


def runs_when_awaited(fn: object) -> bool:
    """Whether calling *fn* runs nothing of it: it was written with ``async def``."""
    while isinstance(fn, partial):
        fn = fn.func
    fn = getattr(fn, "__func__", fn)
    return isinstance(fn, FunctionType) and bool(
        fn.__code__.co_flags & inspect.CO_COROUTINE
    )
