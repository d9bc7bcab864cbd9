"""Telling async functions from others, as asgiref does."""

import asyncio
import inspect
from collections.abc import Callable
from functools import partial
from types import FunctionType
from typing import Any, Final, TypeVar

__all__ = ("iscoroutinefunction", "markcoroutinefunction", "runs_when_awaited")

F = TypeVar("F", bound=Callable[..., Any])

# Before 3.12 functions are marked for asyncio only.
_ASYNCIO_MARK: Final[object] = getattr(asyncio.coroutines, "_is_coroutine", None)

iscoroutinefunction: Final[Callable[[object], bool]] = (
    inspect.iscoroutinefunction
    if hasattr(inspect, "markcoroutinefunction")
    else asyncio.iscoroutinefunction
)


def _mark_for_asyncio(func: F) -> F:
    """Have *func* taken for a coroutine function."""
    func.__dict__["_is_coroutine"] = _ASYNCIO_MARK
    return func


markcoroutinefunction: Final[Callable[[Any], Any]] = getattr(
    inspect, "markcoroutinefunction", _mark_for_asyncio
)


def runs_when_awaited(fn: object) -> bool:
    """Whether calling *fn* runs nothing of it: it was written with ``async def``."""
    while isinstance(fn, partial):
        fn = fn.func
    fn = getattr(fn, "__func__", fn)
    return isinstance(fn, FunctionType) and bool(
        fn.__code__.co_flags & inspect.CO_COROUTINE
    )
