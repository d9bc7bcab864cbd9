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
_MARKS_ARE_INSPECTED: Final = hasattr(inspect, "markcoroutinefunction")

if _MARKS_ARE_INSPECTED:  # pragma: no cover  # which of the two, Python decides
    iscoroutinefunction: Callable[[object], bool] = inspect.iscoroutinefunction
    markcoroutinefunction: Callable[[Any], Any] = getattr(  # noqa: B009  # not in 3.11
        inspect, "markcoroutinefunction"
    )
else:  # pragma: no cover
    iscoroutinefunction = asyncio.iscoroutinefunction

    def markcoroutinefunction(func: F) -> F:
        """Have *func* taken for a coroutine function."""
        func._is_coroutine = asyncio.coroutines._is_coroutine  # type: ignore[attr-defined]  # noqa: SLF001  # asyncio's mark has no other spelling
        return func


def runs_when_awaited(fn: object) -> bool:
    """Whether calling *fn* runs nothing of it: it was written with ``async def``."""
    while isinstance(fn, partial):
        fn = fn.func
    fn = getattr(fn, "__func__", fn)
    return isinstance(fn, FunctionType) and bool(
        fn.__code__.co_flags & inspect.CO_COROUTINE
    )
