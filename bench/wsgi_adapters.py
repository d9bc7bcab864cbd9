"""Everybody who makes an ASGI application of a WSGI application."""

import asyncio
import warnings
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Final, final

import a2wsgi
from asgiref.wsgi import WsgiToAsgi as AsgirefAdapter
from hypercorn.app_wrappers import WSGIWrapper

from asgibridge.adapters import WsgiToAsgi
from asgibridge.bridge import Bridge

from ._model import Kind

with warnings.catch_warnings():
    # Both say that a2wsgi is to be used instead; here they are contenders.
    warnings.simplefilter("ignore")
    from starlette.middleware.wsgi import WSGIMiddleware as StarletteAdapter
    from uvicorn.middleware.wsgi import (
        _WSGIMiddleware as UvicornAdapter,  # pyright: ignore[reportPrivateUsage] # the public name is a2wsgi's where that is installed
    )

__all__ = ("PACKAGES", "App", "adapters", "kind_of")

App = Callable[[Any, Any, Any], Awaitable[None]]

_LONGEST_BODY: Final = 1024 * 1024 * 1024

PACKAGES: Final = (
    *("asgibridge", "asgiref", "a2wsgi", "starlette", "uvicorn", "hypercorn"),
    "uvloop",
)


@final
class Hypercorn:
    """Hypercorn's wrapper with what its server gives it."""

    def __init__(self, app: Any) -> None:
        """Wrap *app*."""
        self._wrapper = WSGIWrapper(app, _LONGEST_BODY)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one request, as ASGI asks."""
        loop = asyncio.get_running_loop()

        def call_soon(fn: Any, *args: Any) -> Any:
            future = asyncio.run_coroutine_threadsafe(fn(*args), loop)
            return future.result()

        spawn = partial(loop.run_in_executor, None)
        await self._wrapper(scope, receive, send, spawn, call_soon)


def adapters(bridge: Bridge) -> dict[str, Callable[[Any], App]]:
    """Return a factory for each contender, all with their defaults.

    Args:
        bridge: That of ours.
    """
    return {
        "asgibridge": partial(WsgiToAsgi, bridge=bridge),
        "asgiref": AsgirefAdapter,
        "a2wsgi": a2wsgi.WSGIMiddleware,
        "starlette": StarletteAdapter,
        "uvicorn": UvicornAdapter,
        "hypercorn": Hypercorn,
    }


def kind_of(name: str) -> Kind:
    """Return what sort of contender *name* is."""
    if name == "asgibridge":
        return "ours"
    return "asgiref" if name == "asgiref" else "peer"
