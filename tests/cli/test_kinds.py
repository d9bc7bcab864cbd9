"""`application_kind`: WSGI and ASGI applications are told apart by their shape."""

from collections.abc import Awaitable, Callable, Generator, Iterable
from functools import partial
from typing import Self

import pytest
from flask import Flask, request

from asgibridge.cli._kinds import Kind, application_kind
from asgibridge.errors import BridgeError, NotAnApplicationError


def wsgi_function(environ: object, start_response: object) -> Iterable[bytes]:
    return [repr((environ, start_response)).encode()]


async def asgi_function(scope: object, receive: object, send: object) -> None:
    raise AssertionError(scope, receive, send)  # nothing is called to find out


def returns_awaitable(scope: object, receive: object, send: object) -> Awaitable[None]:
    return asgi_function(scope, receive, send)


def third_is_optional(
    environ: object, start_response: object, extra: object = None
) -> object:
    return wsgi_function(environ, (start_response, extra))


def optional_after_scope(scope: object, receive: object, send: object = None) -> object:
    return asgi_function(scope, receive, send)


async def async_anything(*args: object) -> None:
    assert args


class WsgiInstance:
    def __call__(self, environ: object, start_response: object) -> Iterable[bytes]:
        return wsgi_function(environ, start_response)


class AsgiInstance:
    async def __call__(self, scope: object, receive: object, send: object) -> None:
        await asgi_function(scope, receive, send)


class WsgiClass:
    """PEP 3333's second form: an instance is the iterable."""

    def __init__(self, environ: object, start_response: object) -> None:
        self.start = (environ, start_response)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> bytes:
        raise StopIteration


class AsgiClass:
    """An instance is the awaitable, as with Starlette's endpoints."""

    def __init__(self, scope: object, receive: object, send: object) -> None:
        self.connection = (scope, receive, send)

    def __await__(self) -> Generator[object]:
        return asgi_function(*self.connection).__await__()


class Methods:
    async def asgi(self, scope: object, receive: object, send: object) -> None:
        await asgi_function(scope, receive, send)


def configured(debug: object, environ: object, start_response: object) -> object:
    return wsgi_function(environ, (debug, start_response))


async def async_configured(
    debug: object, scope: object, receive: object, send: object
) -> None:
    await asgi_function(scope, receive, (debug, send))


@pytest.mark.parametrize(
    ("candidate", "kind"),
    [
        (wsgi_function, "wsgi"),
        (third_is_optional, "wsgi"),
        (WsgiInstance(), "wsgi"),
        (WsgiClass, "wsgi"),
        (Flask(__name__), "wsgi"),
        (Flask(__name__).wsgi_app, "wsgi"),
        (partial(configured, 1), "wsgi"),
        (asgi_function, "asgi"),
        (returns_awaitable, "asgi"),
        (optional_after_scope, "asgi"),
        (async_anything, "asgi"),
        (AsgiInstance(), "asgi"),
        (AsgiClass, "asgi"),
        (Methods().asgi, "asgi"),
        (partial(partial(async_configured, 1)), "asgi"),
    ],
    ids=repr,
)
def test_kind_is_found(candidate: object, kind: Kind) -> None:
    """What frameworks and the two specifications call an application is one."""
    assert application_kind(candidate, name="m:app") == kind


def make_application() -> Callable[..., object]:
    return wsgi_function


async def async_wsgi(environ: object, start_response: object) -> None:
    await asgi_function(environ, start_response, None)


def needs_a_keyword(environ: object, start_response: object, *, debug: bool) -> object:
    return wsgi_function(environ, (start_response, debug))


class Asgi2:
    def __init__(self, scope: object) -> None:
        self.scope = scope


@pytest.mark.parametrize(
    ("candidate", "why"),
    [
        (42, "it cannot be called (42)"),
        (make_application, "it takes no arguments; if it makes the application"),
        (async_wsgi, "it is async, but takes two arguments"),
        (
            needs_a_keyword,
            "its signature is (environ: object, start_response: object, *,",
        ),
        (Asgi2, "it takes one argument; if it is an ASGI 2 application, wrap it"),
    ],
    ids=repr,
)
def test_neither(candidate: object, why: str) -> None:
    """What is neither is refused, with the reason."""
    with pytest.raises(NotAnApplicationError, match="is neither a WSGI app") as caught:
        application_kind(candidate, name="m:app")
    assert str(caught.value).startswith("'m:app' is neither")
    assert why in str(caught.value)
    assert isinstance(caught.value, BridgeError)
    assert isinstance(caught.value, TypeError)


def takes_anything(*args: object) -> object:
    return args


@pytest.mark.parametrize("candidate", [takes_anything, max], ids=repr)
def test_could_be_both(candidate: object) -> None:
    """What fits both, or has no signature, is for the user to say."""
    with pytest.raises(NotAnApplicationError, match="say --wsgi or --asgi"):
        application_kind(candidate, name="m:app")


@pytest.mark.parametrize("said", ["wsgi", "asgi"])
def test_user_is_believed(said: Kind) -> None:
    """The user's word counts for anything callable."""
    assert application_kind(takes_anything, name="m:app", said=said) == said
    with pytest.raises(NotAnApplicationError, match="cannot be called"):
        application_kind("text", name="m:app", said=said)


def test_message_is_one_line() -> None:
    """A long repr with line breaks does not make the message long."""

    class Verbose:
        def __repr__(self) -> str:
            return "very\n" * 1000

    with pytest.raises(NotAnApplicationError) as caught:
        application_kind(Verbose(), name="m:app")
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300


def test_proxy_without_a_target() -> None:
    """What cannot be looked at is refused with what it raises."""
    with pytest.raises(NotAnApplicationError, match="looking at it raises Runt") as e:
        application_kind(request, name="m:request")
    assert "Working outside of request context" in str(e.value)
    assert "\n" not in str(e.value)


def test_repr_that_raises() -> None:
    """A message is made of what cannot be shown, too."""

    class Shy:
        def __repr__(self) -> str:
            raise ValueError

    with pytest.raises(NotAnApplicationError, match=r"\(an instance of .*Shy\)$"):
        application_kind(Shy(), name="m:app")
