"""ASGI 2 applications as ASGI 3 applications."""

import inspect
from collections.abc import Awaitable, Callable
from typing import Any, final

import attrs

from ..errors import OptionError
from ._asgi import Receive, Scope, Send

__all__ = ("ASGI2App", "Asgi2ToAsgi3", "is_asgi2")

ASGI2App = Callable[[Any], Callable[[Any, Any], Awaitable[None]]]
"""Called with the scope, returns what is called with receive and send."""


@final
@attrs.define(eq=False)
class Asgi2ToAsgi3:
    """Presents an ASGI 2 application, called twice, as an ASGI 3 one.

    Explicit: nothing is guessed.  See `is_asgi2` for what can be told.

    Args:
        app: Called with the scope; what it returns is called with receive and
            send, and awaited.
    """

    app: ASGI2App = attrs.field(on_setattr=attrs.setters.frozen)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        await self.app(scope)(receive, send)


def is_asgi2(app: object) -> bool:
    """Tell whether *app* is an ASGI 2 application, by what it can be called with.

    An application that can be called with one argument and not with three is
    ASGI 2; whether a function is async says nothing, since a sync function may
    return the coroutine of an ASGI 3 application.  Where both or neither are
    possible (``*args``, a signature that cannot be read) the answer is False.

    Args:
        app: A function, class, instance or partial.

    Raises:
        OptionError: If it cannot be called at all.
    """
    if not callable(app):
        msg = f"an ASGI application is callable, {app!r} is not"
        raise OptionError(msg)
    if _is_async(app):
        return False  # ASGI 2's first call is not awaited
    try:
        signature = inspect.signature(app)
    except (TypeError, ValueError):
        return False
    return _takes(signature, 1) and not _takes(signature, 3)


def _takes(signature: inspect.Signature, count: int) -> bool:
    try:
        signature.bind(*range(count))
    except TypeError:
        return False
    return True


def _is_async(app: Callable[..., object]) -> bool:
    # That of the class, so that a class is not taken for its instances.
    return inspect.iscoroutinefunction(app) or inspect.iscoroutinefunction(
        type(app).__call__
    )
