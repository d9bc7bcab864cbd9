"""What a server offers: versions and extensions."""

import re
from collections.abc import Mapping
from typing import Any, Final, final

import attrs

from ._reading import as_dict, keys_of

__all__ = ("Offer", "known_version", "parse_version")

Version = tuple[int, int]

_VERSION: Final = re.compile(r"([0-9]{1,4})\.([0-9]{1,4})")
# What a missing spec_version means, and the newest one known.
_MISSING: Final[Mapping[str, Version]] = {"lifespan": (1, 0)}
_NEWEST: Final[Mapping[str, Version]] = {
    "http": (2, 5),
    "websocket": (2, 5),
    "lifespan": (2, 0),
}
_BASELINE: Final = (2, 0)


def parse_version(text: object) -> Version | None:
    """Return a version as integers, or None if it is not one."""
    match = _VERSION.fullmatch(text) if isinstance(text, str) else None
    return (int(match[1]), int(match[2])) if match else None


def known_version(protocol: str, version: Version) -> bool:
    """Whether the protocol has had such a version."""
    oldest = _MISSING.get(protocol, _BASELINE)
    newest = _NEWEST.get(protocol, version)
    if protocol == "lifespan" and version[1] != 0:
        return False
    return oldest <= version <= newest


@final
@attrs.frozen
class Offer:
    """What the server said it can do, for one connection.

    Args:
        spec_version: The version of the protocol, as integers.
        extensions: The names of the extensions it offers.
    """

    spec_version: Version
    extensions: frozenset[str] = frozenset()

    @property
    def version(self) -> str:
        """The version as it is written."""
        return ".".join(map(str, self.spec_version))

    @classmethod
    def of(cls, protocol: str, scope: Mapping[str, Any]) -> "Offer":
        """Read the offer of a scope that may be wrong in every respect."""
        stated = as_dict(scope.get("asgi")) or {}
        missing = _MISSING.get(protocol, _BASELINE)
        version = parse_version(stated.get("spec_version")) or missing
        names = keys_of(as_dict(scope.get("extensions")) or {})
        offered = frozenset(name for name in names if isinstance(name, str))
        return cls(version, offered)
