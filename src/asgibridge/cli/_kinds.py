"""Telling WSGI applications from ASGI applications.

Neither kind has a mark.  What differs is how they are called: WSGI with two
arguments, and it returns an iterable; ASGI with three, and it returns an
awaitable.  So the signature decides, then whether calling gives a coroutine;
the names of the parameters break ties only.
"""

import inspect
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final, Literal, TypeGuard

from ..errors import NotAnApplicationError

__all__ = ("Kind", "application_kind")

Kind = Literal["wsgi", "asgi"]

_ASGI_2: Final = 1  # (scope), which returns a callable; superseded in 2019
_WSGI: Final = 2  # (environ, start_response)
_ASGI: Final = 3  # (scope, receive, send)

_FIRST_PARAMETER: Final[Mapping[str, Kind]] = {
    "environ": "wsgi",
    "env": "wsgi",
    "scope": "asgi",
}


def application_kind(candidate: object, *, name: str, said: Kind | None = None) -> Kind:
    """Return which of the two interfaces *candidate* can be called through.

    Calls nothing.

    Args:
        candidate: What may be an application: a function, an instance, a class.
        name: What messages call it.
        said: What the user says it is; believed of anything callable.

    Raises:
        NotAnApplicationError: If it is neither, or could be both.
    """
    try:
        return _examine(candidate, name, said)
    except NotAnApplicationError:
        raise
    except Exception as exc:
        # A proxy, such as flask.request, asks its target for everything, and
        # its target may not be there.
        why = f"looking at it raises {type(exc).__name__}: {_one_line(exc)}"
        raise _refusal(name, candidate, why) from exc


def _examine(candidate: object, name: str, said: Kind | None) -> Kind:
    if not _is_callable(candidate):
        raise _refusal(name, candidate, "it cannot be called")
    if said is not None:
        return said
    signature = _signature(candidate)
    fits = _fitting(signature)
    if _WSGI not in fits and _ASGI not in fits:
        raise _refusal(name, candidate, _why_not(fits, signature))
    if _is_async(candidate):
        return _async_kind(candidate, fits, name)
    if _WSGI in fits and _ASGI in fits:
        return _kind_by_name(candidate, signature, name)
    return "asgi" if _ASGI in fits else "wsgi"


def _async_kind(
    candidate: Callable[..., Any], fits: tuple[int, ...], name: str
) -> Kind:
    if _ASGI not in fits:
        raise _refusal(name, candidate, "it is async, but takes two arguments")
    return "asgi"


def _kind_by_name(
    candidate: Callable[..., Any], signature: inspect.Signature | None, name: str
) -> Kind:
    parameters = () if signature is None else tuple(signature.parameters)
    kind = _FIRST_PARAMETER.get(parameters[0]) if parameters else None
    if kind is None:
        msg = (
            f"cannot tell whether {name!r} is a WSGI or an ASGI application, its "
            f"signature fits both: say --wsgi or --asgi ({_describe(candidate)})"
        )
        raise NotAnApplicationError(msg)
    return kind


def _is_callable(candidate: object) -> TypeGuard[Callable[..., Any]]:
    return callable(candidate)


def _signature(candidate: Callable[..., Any]) -> inspect.Signature | None:
    """Return the signature; None for what has none, such as some of C's."""
    try:
        return inspect.signature(candidate)
    except (TypeError, ValueError):
        return None


def _fitting(signature: inspect.Signature | None) -> tuple[int, ...]:
    """Return the numbers of arguments that *signature* takes."""
    counts = (_ASGI_2, _WSGI, _ASGI)
    return tuple(n for n in counts if signature is None or _binds(signature, n))


def _binds(signature: inspect.Signature, count: int) -> bool:
    try:
        signature.bind(*range(count))
    except TypeError:
        return False
    return True


def _is_async(candidate: Callable[..., Any]) -> bool:
    """Whether calling *candidate* gives a coroutine, as far as can be seen."""
    function: object = candidate
    while isinstance(function, partial):
        function = function.func
    if inspect.isclass(function):
        return False
    if not inspect.isroutine(function):
        function = inspect.getattr_static(type(function), "__call__", None)
    return inspect.iscoroutinefunction(function)


def _why_not(fits: tuple[int, ...], signature: inspect.Signature | None) -> str:
    if fits == (_ASGI_2,):
        return "it takes one argument; if it is an ASGI 2 application, wrap it first"
    if signature is not None and not signature.parameters:
        return "it takes no arguments; if it makes the application, name its result"
    return f"it cannot be called that way, its signature is {signature}"


def _refusal(name: str, candidate: object, why: str) -> NotAnApplicationError:
    msg = (
        f"{name!r} is neither a WSGI application, called with (environ, "
        "start_response), nor an ASGI application, called with (scope, receive, "
        f"send): {why} ({_describe(candidate)})"
    )
    return NotAnApplicationError(msg)


def _describe(candidate: object) -> str:
    """Return what *candidate* is; its type, if it cannot even be shown."""
    try:
        return _one_line(repr(candidate))
    except Exception:  # noqa: BLE001 - foreign code, and a message is on its way
        return f"an instance of {type(candidate).__qualname__}"


def _one_line(content: object) -> str:
    """Return the first 80 characters, without line breaks."""
    text = " ".join(str(content).split())
    limit = 80
    return text if len(text) <= limit else f"{text[:limit]}..."
