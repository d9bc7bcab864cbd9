"""Request header fields as CGI variables."""

from collections.abc import Iterable
from typing import Any, Final, Literal, final

import attrs

from ..errors import RequestRefusedError
from ._limits import WsgiLimits

__all__ = ("RequestHeaders", "UnderscorePolicy")

UnderscorePolicy = Literal["drop", "keep", "refuse"]
"""What happens to header names with an underscore."""

_BAD_REQUEST: Final = 400

# RFC 9110, section 5.3: lists are joined with commas; 6265bis, section 5.6.3:
# cookies with semicolons.
_COOKIE: Final = "HTTP_COOKIE"

# A second one that differs makes it unclear which request is meant (RFC 9112,
# sections 3.2 and 6.3).
_SINGLE: Final = frozenset({"CONTENT_LENGTH", "HTTP_HOST"})

# Known beforehand, so that no client can fill the memory with others first.
_COMMON: Final = (
    *("accept", "accept-charset", "accept-encoding", "accept-language"),
    *("access-control-request-headers", "access-control-request-method"),
    *("authorization", "cache-control", "connection", "content-encoding"),
    *("content-length", "content-type", "cookie", "date", "dnt", "expect"),
    *("forwarded", "from", "host", "if-match", "if-modified-since"),
    *("if-none-match", "if-range", "if-unmodified-since", "max-forwards"),
    *("origin", "pragma", "priority", "proxy-authorization", "range", "referer"),
    *("sec-ch-ua", "sec-ch-ua-mobile", "sec-ch-ua-platform", "sec-fetch-dest"),
    *("sec-fetch-mode", "sec-fetch-site", "sec-fetch-user", "te", "traceparent"),
    *("tracestate", "transfer-encoding", "upgrade", "upgrade-insecure-requests"),
    *("user-agent", "via", "x-csrftoken", "x-forwarded-for", "x-forwarded-host"),
    *("x-forwarded-port", "x-forwarded-proto", "x-real-ip", "x-request-id"),
    "x-requested-with",
)
_REMEMBERED: Final = 1024
_REMEMBERED_LENGTH: Final = 64


@final
class _Keys(dict[bytes, str]):
    """The CGI variable of each header name; empty for those left out."""

    __slots__ = ("_underscores",)

    def __init__(self, underscores: UnderscorePolicy) -> None:
        super().__init__()
        self._underscores = underscores
        for name in _COMMON:
            # Servers send lower case, or what the client sent: Title-Case.
            self[name.encode("ascii")]
            self[name.title().encode("ascii")]

    def __missing__(self, name: bytes) -> str:
        key = self._key(name)
        if len(self) < _REMEMBERED and len(name) <= _REMEMBERED_LENGTH:
            self[name] = key
        return key

    def _key(self, name: bytes) -> str:
        if b"_" in name and self._underscores != "keep":
            if self._underscores == "refuse":
                msg = f"header name {_shown(name)} has an underscore"
                raise RequestRefusedError(_BAD_REQUEST, msg)
            return ""
        # bytes.upper() knows ASCII only.  str.upper() would turn other letters
        # into ASCII ones ("ß" into "SS") and so into another header's name.
        key = name.upper().replace(b"-", b"_").decode("latin-1")
        return key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else "HTTP_" + key


@final
@attrs.define(eq=False)
class RequestHeaders:
    """Puts header fields into an environ.

    Safe to share between threads: its memory of names only saves work.

    Args:
        limits: How many headers, of what size, and how often the same.
        underscores: ``X_Forwarded_For`` and ``X-Forwarded-For`` become the same
            variable, so a client could slip one past a proxy that guards only
            the other.  ``"drop"`` leaves such headers out, ``"refuse"`` answers
            with 400, ``"keep"`` is for networks where no proxy is trusted.
    """

    _limits: WsgiLimits = attrs.field(alias="limits")
    _keys: _Keys = attrs.field(converter=_Keys, alias="underscores")

    def add_to(
        self, environ: dict[str, Any], headers: Iterable[tuple[bytes, bytes]]
    ) -> None:
        """Add a variable for each field name; repeated fields are joined.

        *environ* holds none of these variables yet.

        Takes time linear in the size of *headers*.

        Raises:
            RequestRefusedError: If a limit is exceeded, or fields contradict
                each other.
        """
        keys = self._keys
        limits = self._limits
        most, room = limits.max_headers, limits.max_header_bytes
        repeated: dict[str, list[str]] = {}
        for name, value in headers:
            most -= 1
            room -= len(name) + len(value)
            if most < 0 or room < 0:
                raise RequestRefusedError(_BAD_REQUEST, self._too_many(most))
            key = keys[name]
            if not key:
                continue
            text = value.decode("latin-1")
            if key not in environ:
                environ[key] = text
            elif key in repeated:
                repeated[key].append(text)
            else:
                repeated[key] = [environ[key], text]
        if repeated:
            for key, values in repeated.items():
                environ[key] = self._joined(key, values)

    def _joined(self, key: str, values: list[str]) -> str:
        if key in _SINGLE:
            if any(value != values[0] for value in values):
                msg = f"{_field(key)} is given more than once, with different values"
                raise RequestRefusedError(_BAD_REQUEST, msg)
            return values[0]
        most = self._limits.max_header_repeats
        if len(values) > most:
            msg = f"{_field(key)} is given {len(values)} times; {most} are allowed"
            raise RequestRefusedError(_BAD_REQUEST, msg)
        return ("; " if key == _COOKIE else ",").join(values)

    def _too_many(self, most: int) -> str:
        if most < 0:
            return f"more than {self._limits.max_headers} header fields"
        return f"more than {self._limits.max_header_bytes} bytes of header fields"


def _field(key: str) -> str:
    name = key.removeprefix("HTTP_").replace("_", "-").title()
    return f"header {name[:80]!r}"


def _shown(name: bytes) -> str:
    return repr(name[:80].decode("latin-1"))
