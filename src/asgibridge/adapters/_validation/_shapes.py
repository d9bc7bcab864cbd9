"""Which keys scopes and events have: the tables of ASGI's values."""

from collections.abc import Mapping
from typing import Final, Literal, final

import attrs

from . import _kinds as kinds
from ._kinds import Check

__all__ = ("EVENTS", "SCOPE_KEYS", "TLS_KEYS", "VERSION_KEYS", "Key", "Shape")

NoneValue = Literal["no", "yes", "unstated"]
"""Whether None may be given instead of leaving a key out."""


@final
@attrs.frozen
class Key:
    """One key of a scope or an event.

    Args:
        name: The key.
        check: Says what is wrong with its value.
        required: Whether it has to be there.
        none: Whether None may be its value.
    """

    name: str
    check: Check
    required: bool = True
    none: NoneValue = "no"


@final
@attrs.frozen
class Shape:
    """One type of event.

    Args:
        direction: ``receive`` is server to application, ``send`` the opposite.
        protocol: The type of the scopes it belongs to.
        keys: Its keys besides ``type``.
        extension: The extension that has to be offered.
    """

    direction: Literal["receive", "send"]
    protocol: str
    keys: tuple[Key, ...] = ()
    extension: str | None = None


def _optional(name: str, check: Check, none: NoneValue = "no") -> Key:
    return Key(name, check, required=False, none=none)


_BODY: Final = (
    _optional("body", kinds.bytestring),
    _optional("more_body", kinds.a_bool),
)
_START: Final = (
    Key("status", kinds.status),
    _optional("headers", kinds.response_headers),
    _optional("trailers", kinds.a_bool),
)
_MESSAGE: Final = (
    _optional("bytes", kinds.bytestring, "yes"),
    _optional("text", kinds.a_str, "yes"),
)
_FAILED: Final = (_optional("message", kinds.a_str),)
_DENIAL: Final = "websocket.http.response"

EVENTS: Final[Mapping[str, Shape]] = {
    "http.request": Shape("receive", "http", _BODY),
    "http.disconnect": Shape("receive", "http"),
    "http.response.start": Shape("send", "http", _START),
    "http.response.body": Shape("send", "http", _BODY),
    "http.response.trailers": Shape(
        "send",
        "http",
        (
            Key("headers", kinds.response_headers),
            _optional("more_trailers", kinds.a_bool),
        ),
        "http.response.trailers",
    ),
    "http.response.push": Shape(
        "send",
        "http",
        (Key("path", kinds.a_str), Key("headers", kinds.response_headers)),
        "http.response.push",
    ),
    "http.response.zerocopysend": Shape(
        "send",
        "http",
        (
            Key("file", kinds.a_file),
            _optional("offset", kinds.integer),
            _optional("count", kinds.integer),
            _optional("more_body", kinds.a_bool),
        ),
        "http.response.zerocopysend",
    ),
    "http.response.pathsend": Shape(
        "send", "http", (Key("path", kinds.absolute_path),), "http.response.pathsend"
    ),
    "http.response.early_hint": Shape(
        "send", "http", (Key("links", kinds.byte_strings),), "http.response.early_hint"
    ),
    "http.response.debug": Shape(
        "send", "http", (Key("info", kinds.a_dict),), "http.response.debug"
    ),
    "websocket.connect": Shape("receive", "websocket"),
    "websocket.accept": Shape(
        "send",
        "websocket",
        (
            _optional("subprotocol", kinds.a_str, "unstated"),
            _optional("headers", kinds.accept_headers),
        ),
    ),
    "websocket.receive": Shape("receive", "websocket", _MESSAGE),
    "websocket.send": Shape("send", "websocket", _MESSAGE),
    "websocket.disconnect": Shape(
        "receive",
        "websocket",
        (Key("code", kinds.integer), _optional("reason", kinds.a_str, "yes")),
    ),
    "websocket.close": Shape(
        "send",
        "websocket",
        (_optional("code", kinds.integer), _optional("reason", kinds.a_str, "yes")),
    ),
    "websocket.http.response.start": Shape("send", "websocket", _START, _DENIAL),
    "websocket.http.response.body": Shape("send", "websocket", _BODY, _DENIAL),
    "lifespan.startup": Shape("receive", "lifespan"),
    "lifespan.startup.complete": Shape("send", "lifespan"),
    "lifespan.startup.failed": Shape("send", "lifespan", _FAILED),
    "lifespan.shutdown": Shape("receive", "lifespan"),
    "lifespan.shutdown.complete": Shape("send", "lifespan"),
    "lifespan.shutdown.failed": Shape("send", "lifespan", _FAILED),
}
"""Every event of the specification, by type."""

VERSION_KEYS: Final = (
    _optional("version", kinds.a_str),
    _optional("spec_version", kinds.a_str),
)
"""The keys of ``scope["asgi"]``."""

TLS_KEYS: Final = (
    Key("server_cert", kinds.a_str, none="yes"),
    _optional("client_cert_chain", kinds.strings),
    _optional("client_cert_name", kinds.a_str, "yes"),
    _optional("client_cert_error", kinds.a_str, "yes"),
    Key("tls_version", kinds.integer, none="yes"),
    Key("cipher_suite", kinds.integer, none="yes"),
)
"""The keys of ``scope["extensions"]["tls"]``."""

_STATE: Final = (
    _optional("state", kinds.a_dict),
    _optional("extensions", kinds.a_dict),
)
_CONNECTION: Final = (
    _optional("scheme", kinds.a_str),
    Key("path", kinds.a_str),
    _optional("raw_path", kinds.bytestring, "unstated"),
    _optional("root_path", kinds.a_str),
    Key("headers", kinds.request_headers),
    _optional("client", kinds.pair(second_may_be_none=False), "unstated"),
    _optional("server", kinds.pair(second_may_be_none=True), "unstated"),
    *_STATE,
)

SCOPE_KEYS: Final[Mapping[str, tuple[Key, ...]]] = {
    "http": (
        Key("http_version", kinds.a_str),
        Key("method", kinds.a_str),
        Key("query_string", kinds.bytestring),
        *_CONNECTION,
    ),
    "websocket": (
        _optional("http_version", kinds.a_str),
        _optional("query_string", kinds.bytestring, "yes"),
        _optional("subprotocols", kinds.strings),
        *_CONNECTION,
    ),
    "lifespan": _STATE,
}
"""The keys of each type of scope, besides ``type`` and ``asgi``."""
