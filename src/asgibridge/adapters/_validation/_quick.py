"""Recognising, at little cost, what is certainly right.

Nearly everything in real traffic is plain: exact types, known keys, nothing
that needs an extension or a version.  These functions answer None for whatever
else, which then is examined rule by rule; so they need not be complete, only
never accept what an examination would not.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, cast

__all__ = ("KNOWN_VERSIONS", "PLAIN_EVENTS", "plain_http_version")

Plain = Callable[[dict[str, Any]], str | None]

KNOWN_VERSIONS: Final = frozenset({"2.0", "2.1", "2.2", "2.3", "2.4", "2.5"})
_HTTP_VERSIONS: Final = frozenset({"1.0", "1.1", "2", "3"})
_START_KEYS: Final = frozenset({"type", "status", "headers"})
_BODY_KEYS: Final = frozenset({"type", "body", "more_body"})
_MESSAGE_KEYS: Final = frozenset({"type", "text", "bytes"})
_VERSION_KEYS: Final = frozenset({"version", "spec_version"})
_TYPE_ONLY: Final = frozenset({"type"})
_BASELINE: Final = "2.0"
_NOWHERE: Final = ("", 0)
_EMPTY: Final[dict[str, object]] = {}
_COLON: Final = 58
_PAIR: Final = 2
_STATUSES: Final = range(100, 1000)
_INT64: Final = 1 << 63


def _plain_headers(headers: object) -> bool:
    if type(headers) is not list and type(headers) is not tuple:
        return False
    for pair in cast("list[Any]", headers):
        kind = cast("type[object]", type(pair))
        if (kind is not tuple and kind is not list) or len(pair) != _PAIR:
            return False
        name, value = pair
        if type(name) is not bytes or type(value) is not bytes:
            return False
        # islower() also is False for names without letters: not plain, then.
        if not name.islower() or name[0] == _COLON:
            return False
    return True


def _body(type_: str) -> Plain:
    more_type = f"{type_}[more_body]"

    def plain(event: dict[str, Any]) -> str | None:
        more = event.get("more_body", False)
        if type(event.get("body", b"")) is bytes and event.keys() <= _BODY_KEYS:
            if more is False:
                return type_
            if more is True:
                return more_type
        return None

    return plain


def _start(event: dict[str, Any]) -> str | None:
    status = event["status"]
    if (
        type(status) is int
        and status in _STATUSES
        and event.keys() <= _START_KEYS
        and _plain_headers(event.get("headers", ()))
    ):
        return "http.response.start"
    return None


def _message(type_: str) -> Plain:
    def plain(event: dict[str, Any]) -> str | None:
        text, data = event.get("text"), event.get("bytes")
        if data is None:
            right = type(text) is str
        else:
            right = text is None and type(data) is bytes
        return type_ if right and event.keys() <= _MESSAGE_KEYS else None

    return plain


def _bare(type_: str) -> Plain:
    def plain(event: dict[str, Any]) -> str | None:
        return type_ if event.keys() == _TYPE_ONLY else None

    return plain


PLAIN_EVENTS: Final[Mapping[tuple[str, str], Mapping[str, Plain]]] = {
    ("http", "send"): {
        "http.response.start": _start,
        "http.response.body": _body("http.response.body"),
    },
    ("http", "receive"): {
        "http.request": _body("http.request"),
        "http.disconnect": _bare("http.disconnect"),
    },
    ("websocket", "send"): {"websocket.send": _message("websocket.send")},
    ("websocket", "receive"): {
        "websocket.receive": _message("websocket.receive"),
        "websocket.connect": _bare("websocket.connect"),
    },
}
"""Per protocol, direction and type: what makes an event's symbol if it is plain."""


def _plain_pair(pair: object, *, lenient: bool) -> bool:
    if pair is None:
        return lenient
    if type(pair) is not tuple and type(pair) is not list:
        return False
    host, port = cast("tuple[object, object]", pair)
    return type(host) is str and type(port) is int and -_INT64 <= port < _INT64


def _plain_server(pair: object, *, lenient: bool) -> bool:
    """Whether it is a plain pair, or a unix socket's."""
    anything = pair
    if lenient and type(pair) is tuple:
        items = cast("tuple[object, ...]", pair)
        if len(items) == _PAIR and items[1] is None:
            return type(items[0]) is str
    return _plain_pair(anything, lenient=lenient)


def _plain_line(scope: dict[str, Any]) -> bool:
    """Whether what is from the request's first line is right."""
    method, path, root = scope["method"], scope["path"], scope.get("root_path", "")
    scheme = scope.get("scheme", "http")
    return (
        type(method) is str
        and method.isupper()
        and type(path) is str
        and type(root) is str
        and path.startswith(root)
        and type(scheme) is str
        and scheme != ""
        and type(scope["query_string"]) is bytes
        and type(scope.get("raw_path", b"")) is bytes
        and scope["http_version"] in _HTTP_VERSIONS
    )


def _plain_extensions(extensions: object) -> bool:
    """Whether it is a dict of dicts; TLS is not plain, its entry has rules."""
    if type(extensions) is not dict:
        return False
    offered = cast("dict[object, object]", extensions)
    for name, value in offered.items():
        if type(name) is not str or type(value) is not dict:
            return False
    return "tls" not in offered


def _plain_versions(versions: object) -> bool:
    if type(versions) is not dict:
        return False
    stated = cast("dict[str, object]", versions)
    version = stated.get("spec_version", _BASELINE)
    return (
        type(version) is str
        and version in KNOWN_VERSIONS
        and stated.keys() <= _VERSION_KEYS
        and type(stated["version"]) is str
    )


def plain_http_version(scope: dict[str, Any], *, lenient: bool) -> str | None:
    """Return the spec_version of a plain HTTP scope.

    With *lenient* also for scopes that only the strictest profile objects to.
    """
    if (
        _plain_versions(scope["asgi"])
        and _plain_line(scope)
        and _plain_pair(scope.get("client", _NOWHERE), lenient=lenient)
        and _plain_server(scope.get("server", _NOWHERE), lenient=lenient)
        and _plain_headers(scope["headers"])
        and _plain_extensions(scope.get("extensions", _EMPTY))
        and type(scope.get("state", _EMPTY)) is dict
        and all(type(key) is str for key in scope)
        and all(type(key) is str for key in scope.get("state", ()))
    ):
        return str(scope["asgi"].get("spec_version", _BASELINE))
    return None
