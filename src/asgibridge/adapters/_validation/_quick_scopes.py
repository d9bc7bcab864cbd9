"""Recognising, at little cost, the scope of a request that is certainly right.

As in the neighbouring module for events: what is not recognised is examined.
"""

from collections.abc import Iterable
from typing import Any, Final, cast

from ._offers import parse_version
from ._quick import plain_headers

__all__ = ("KNOWN_VERSIONS", "plain_http_version")

KNOWN_VERSIONS: Final = frozenset({"2.0", "2.1", "2.2", "2.3", "2.4", "2.5"})
_HTTP_VERSIONS: Final = frozenset({"1.0", "1.1", "2", "3"})
_VERSION_KEYS: Final = frozenset({"version", "spec_version"})
_BASELINE: Final = "2.0"
_NOWHERE: Final = ("", 0)
_EMPTY: Final[dict[str, object]] = {}
_INT64: Final = 1 << 63
_UINT16: Final = 0xFFFF


def _plain_pair(pair: object, *, may_be_none: bool, may_be_unix: bool = False) -> bool:
    """Whether it is a host and a port, or else what it may be instead."""
    if pair is None:
        return may_be_none
    if type(pair) is not tuple and type(pair) is not list:
        return False
    host, port = cast("tuple[object, object]", pair)
    if port is None:
        return may_be_unix and type(host) is str
    return type(host) is str and type(port) is int and -_INT64 <= port < _INT64


def _plain_line(scope: dict[str, Any], *, lenient: bool) -> bool:
    """Whether what is from the request's first line is right."""
    method, path, root = scope["method"], scope["path"], scope.get("root_path", "")
    scheme, raw_path = scope.get("scheme", "http"), scope.get("raw_path", b"")
    return (
        type(method) is str
        and method.isupper()
        and type(path) is str
        and type(root) is str
        and (lenient or path.startswith(root))
        and type(scheme) is str
        and scheme != ""
        and type(scope["query_string"]) is bytes
        and (type(raw_path) is bytes or (lenient and raw_path is None))
        and scope["http_version"] in _HTTP_VERSIONS
    )


def _plain_tls(entry: dict[str, Any]) -> bool:
    """Whether the entry of a connection that uses TLS is right."""
    chain, name = entry.get("client_cert_chain", ()), entry.get("client_cert_name")
    error = entry.get("client_cert_error")
    return (
        _is_text(entry["server_cert"])
        and (type(chain) is list or type(chain) is tuple)
        and all(type(item) is str for item in cast("Iterable[object]", chain))
        and (type(name) is str or (name is None and not chain))
        and _is_text(error)
        and error != ""
        and _is_number(entry["tls_version"], _INT64 - 1)
        and _is_number(entry["cipher_suite"], _UINT16)
    )


def _is_text(value: object) -> bool:
    return value is None or type(value) is str


def _is_number(value: object, largest: int) -> bool:
    return value is None or (type(value) is int and 0 <= value <= largest)


def _plain_extensions(extensions: object, *, is_secure: bool) -> bool:
    """Whether it is a dict of dicts, and what it says about TLS is right."""
    if type(extensions) is not dict:
        return False
    offered = cast("dict[object, object]", extensions)
    for name, value in offered.items():
        if type(name) is not str or type(value) is not dict:
            return False
    tls = offered.get("tls")
    return tls is None or (is_secure and _plain_tls(cast("dict[str, Any]", tls)))


def _plain_versions(versions: object, *, lenient: bool) -> bool:
    if type(versions) is not dict:
        return False
    stated = cast("dict[str, object]", versions)
    version = stated.get("spec_version", _BASELINE)
    return (
        type(version) is str
        and (version in KNOWN_VERSIONS or (lenient and _is_version(version)))
        and stated.keys() <= _VERSION_KEYS
        and type(stated.get("version", "" if lenient else None)) is str
    )


def _is_version(text: str) -> bool:
    return parse_version(text) is not None


def plain_http_version(scope: dict[str, Any], *, lenient: bool) -> str | None:
    """Return the spec_version of a plain HTTP scope.

    With *lenient* also for scopes that only the strictest profile objects to.
    """
    server = scope.get("server", _NOWHERE)
    # Without TLS there should be no entry about it, says the strictest one.
    is_secure = lenient or scope.get("scheme", "http") not in ("http", "ws")
    if (
        _plain_versions(scope["asgi"], lenient=lenient)
        and _plain_line(scope, lenient=lenient)
        and _plain_pair(scope.get("client", _NOWHERE), may_be_none=lenient)
        and _plain_pair(server, may_be_none=lenient, may_be_unix=lenient)
        and plain_headers(scope["headers"], any_case=lenient)
        and _plain_extensions(scope.get("extensions", _EMPTY), is_secure=is_secure)
        and type(scope.get("state", _EMPTY)) is dict
        and all(type(key) is str for key in scope)
        and all(type(key) is str for key in scope.get("state", ()))
    ):
        return str(scope["asgi"].get("spec_version", _BASELINE))
    return None
