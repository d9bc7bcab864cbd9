"""Typed access to the keys that frameworks add to scopes."""

from collections.abc import Mapping
from typing import Any, Generic, TypeVar, cast, final, overload

import attrs

from .._options import text
from ..errors import MissingScopeKeyError

__all__ = ("ScopeKey",)

T = TypeVar("T")
D = TypeVar("D")
S = TypeVar("S", bound=Mapping[str, Any])


@final
@attrs.frozen
class ScopeKey(Generic[T]):
    """A key of a scope that is not in the specification, with its type.

    Middleware makes one and uses it on both sides::

        USER = ScopeKey[User]("user")

        await self.app(USER.added_to(scope, user), receive, send)
        ...
        user = USER.of(scope)

    It is the middleware that answers for the type: values are not looked at.
    Keys are equal if their names are.

    Args:
        name: The key; choose one that collides with nobody else's.
    """

    name: str = attrs.field(validator=text)

    def of(self, scope: Mapping[str, Any]) -> T:
        """Return the value that *scope* has.

        Raises:
            MissingScopeKeyError: If there is none.
        """
        try:
            return cast("T", scope[self.name])
        except KeyError:
            msg = (
                f"the scope has no {self.name!r}: "
                "is the middleware that adds it around this application?"
            )
            raise MissingScopeKeyError(msg) from None

    @overload
    def get(self, scope: Mapping[str, Any]) -> T | None: ...
    @overload
    def get(self, scope: Mapping[str, Any], default: D) -> T | D: ...
    def get(self, scope: Mapping[str, Any], default: object = None) -> object:
        """Return the value that *scope* has, or *default*."""
        return scope.get(self.name, default)

    def is_in(self, scope: Mapping[str, Any]) -> bool:
        """Whether *scope* has a value."""
        return self.name in scope

    def added_to(self, scope: S, value: T) -> S:
        """Return a copy of *scope* that has *value*.

        A copy, because a change of the scope itself would be seen by whoever
        is further out (specs/asgi.rst:264-270).
        """
        return cast("S", {**scope, self.name: value})
