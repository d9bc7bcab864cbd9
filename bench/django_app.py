"""The project in ``examples/django`` as an ASGI application, for `bench.django`.

ASGIBRIDGE_BENCH_SIDE says what crosses in it: ``asgibridge``, the original
``asgiref``, ``bare`` (see `bench.django_bare`), or ``nothing``.  With the last one
all blocking code runs on the event loop, where it must not be: a request then
takes what Django itself takes, and no bridge can be faster.
"""

import os
import sys
from collections.abc import Callable, Coroutine
from functools import partial, wraps
from pathlib import Path
from typing import Any, Final, ParamSpec, TypeVar

from .django_bare import BareContext, bare_sync_to_async

__all__ = ("application",)

P = ParamSpec("P")
T = TypeVar("T")

PROJECT: Final = Path(__file__).parents[1] / "examples" / "django"
SIDE: Final = os.environ.get("ASGIBRIDGE_BENCH_SIDE", "asgibridge")


class _NoContext:
    """Stands for ThreadSensitiveContext."""

    async def __aenter__(self) -> None: ...

    async def __aexit__(self, *exc_info: object) -> None: ...


def _stay_here(
    func: Callable[P, T] | None = None,
    **options: Any,
) -> Any:
    """Stand for sync_to_async: call *func* when it is awaited."""
    if func is None:
        return partial(_stay_here, **options)
    blocking = func

    @wraps(blocking)
    async def call(*args: P.args, **kwargs: P.kwargs) -> T:
        return blocking(*args, **kwargs)

    return call


def _cross_with(sync_to_async: object, context: type) -> None:
    """Put something into the place of asgiref's crossings, before Django gets them."""
    sync: Any = __import__("asgiref.sync").sync
    sync.sync_to_async = sync_to_async
    sync.ThreadSensitiveContext = context


sys.path.insert(0, str(PROJECT))
if SIDE != "asgibridge":
    os.environ["ASGIBRIDGE_EXAMPLE_ORIGINAL"] = "1"
if SIDE == "bare":
    _cross_with(bare_sync_to_async, BareContext)
if SIDE == "nothing":
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"
    _cross_with(_stay_here, _NoContext)

application: Callable[[Any, Any, Any], Coroutine[Any, Any, None]] = __import__(
    "shop.asgi", fromlist=["application"]
).application
"""What a server runs: ``uvicorn bench.django_app:application``."""
