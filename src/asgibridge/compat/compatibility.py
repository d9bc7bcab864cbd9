"""Applications of ASGI 2 and 3: ``asgiref.compatibility``."""

import inspect
from collections.abc import Awaitable, Callable
from typing import Any

from ._marks import iscoroutinefunction

__all__ = (
    "double_to_single_callable",
    "guarantee_single_callable",
    "is_double_callable",
)


def is_double_callable(application: Any) -> bool:  # noqa: ANN401  # of either kind
    """Tell whether *application* is of ASGI 2: called twice.

    A hint on the object decides (``_asgi_single_callable`` or
    ``_asgi_double_callable``); else it is of ASGI 2 if it is a class or not
    async.  `asgibridge.adapters.is_asgi2` looks at the parameters instead.
    """
    if getattr(application, "_asgi_single_callable", False):
        return False
    if getattr(application, "_asgi_double_callable", False):
        return True
    if inspect.isclass(application):
        return True
    call = getattr(application, "__call__", None)  # noqa: B004  # what it is, not whether
    return not (iscoroutinefunction(call) or iscoroutinefunction(application))


def double_to_single_callable(
    application: Callable[[Any], Callable[[Any, Any], Awaitable[Any]]],
) -> Callable[[Any, Any, Any], Awaitable[Any]]:
    """Return the ASGI 3 form of an ASGI 2 application."""

    async def new_application(scope: Any, receive: Any, send: Any) -> Any:  # noqa: ANN401  # passed on
        return await application(scope)(receive, send)

    return new_application


def guarantee_single_callable(application: Any) -> Any:  # noqa: ANN401  # of either kind
    """Return *application* in its ASGI 3 form, whatever it is."""
    if is_double_callable(application):
        return double_to_single_callable(application)
    return application
