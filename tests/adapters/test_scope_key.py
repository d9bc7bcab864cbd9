"""Typed keys of scopes."""

import pytest

from asgibridge.adapters import ScopeKey
from asgibridge.errors import MissingScopeKeyError

USER = ScopeKey[int]("user")


def test_value_is_read() -> None:
    """`of` and `get` return what the scope has."""
    scope = {"type": "http", "user": 7}
    assert USER.of(scope) == 7
    assert USER.get(scope) == 7
    assert USER.is_in(scope)


def test_missing_value_is_an_error_for_of_alone() -> None:
    """The message asks for the middleware, and is not quoted as KeyErrors are."""
    with pytest.raises(MissingScopeKeyError, match=r"^the scope has no 'user': is the"):
        USER.of({"type": "http"})
    with pytest.raises(KeyError):
        USER.of({"type": "http"})
    assert USER.get({}) is None
    assert USER.get({}, "nobody") == "nobody"
    assert not USER.is_in({})


def test_adding_copies() -> None:
    """The scope of whoever is further out stays as it is."""
    scope = {"type": "http", "user": 7}
    added = USER.added_to(scope, 8)
    assert (added, scope["user"]) == ({"type": "http", "user": 8}, 7)


def test_name_is_a_str() -> None:
    """Keys of dicts are str in ASGI; keys with the same name are equal."""
    with pytest.raises(TypeError, match="name"):
        ScopeKey[int](1)  # type: ignore[arg-type]
    assert ScopeKey[int]("user") == USER
