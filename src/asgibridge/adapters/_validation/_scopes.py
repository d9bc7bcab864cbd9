"""What is wrong with one scope."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from ._events import examine_keys
from ._kinds import Finding, keys
from ._offers import known_version, parse_version
from ._reading import as_dict, items_of, rereadable
from ._shapes import SCOPE_KEYS, TLS_KEYS, VERSION_KEYS
from ._show import show

__all__ = ("examine_scope",)

_HTTP_VERSIONS: Final[Mapping[str, tuple[str, ...]]] = {
    "http": ("1.0", "1.1", "2", "3"),
    "websocket": ("1.1", "2"),
}
_UINT16: Final = 0xFFFF


def examine_scope(scope: object) -> Iterator[Finding]:
    """Say what is wrong with the scope a server calls the application with."""
    content = as_dict(scope)
    if content is None:
        yield "scope.is_dict", f"is {show(scope)}"
        return
    yield from keys(content)
    protocol = content.get("type")
    if not isinstance(protocol, str):
        yield "scope.is_dict", f"has 'type' {show(protocol)}"
        return
    yield from _examine_versions(protocol, content)
    shape = SCOPE_KEYS.get(protocol, ())
    yield from examine_keys(content, shape)
    if shape:
        yield from _examine_values(protocol, content)
        yield from _examine_extensions(content)


def _examine_versions(protocol: str, scope: Mapping[str, Any]) -> Iterator[Finding]:
    stated = as_dict(scope.get("asgi"))
    if stated is None:
        yield "scope.asgi", f"has 'asgi' {show(scope.get('asgi'))}"
        return
    for rule, found in (*keys(stated), *examine_keys(stated, VERSION_KEYS)):
        yield rule, f"has 'asgi' that {found}"
    if "version" not in stated:
        yield "scope.asgi_version", "has 'asgi' without 'version'"
    text = stated.get("spec_version")
    version = parse_version(text)
    if isinstance(text, str) and version is None:
        yield "scope.spec_version", f"has spec_version {show(text)}"
    elif version is not None and not known_version(protocol, version):
        yield "scope.spec_version_known", f"has spec_version {show(text)}"


def _examine_values(protocol: str, scope: Mapping[str, Any]) -> Iterator[Finding]:
    http_version = scope.get("http_version")
    known = _HTTP_VERSIONS.get(protocol, ())
    if isinstance(http_version, str) and http_version not in known:
        yield "http_version.values", f"has http_version {show(http_version)}"
    method = scope.get("method")
    if protocol == "http" and isinstance(method, str) and method != method.upper():
        yield "method.upper", f"has method {show(method)}"
    if scope.get("scheme") == "":
        yield "scheme.nonempty", "has scheme ''"
    path, root = scope.get("path"), scope.get("root_path")
    if isinstance(path, str) and isinstance(root, str) and not path.startswith(root):
        yield "path.includes_root", f"has path {show(path)}, root_path {show(root)}"
    yield from _examine_server(scope)


def _examine_server(scope: Mapping[str, Any]) -> Iterator[Finding]:
    server = rereadable(scope.get("server"))
    stated = as_dict(scope.get("asgi")) or {}
    version = parse_version(stated.get("spec_version")) or (2, 0)
    if server is not None and server[1:] == [None] and version < (2, 2):
        yield "server.unix", f"has server {show(scope.get('server'))}"


def _examine_extensions(scope: Mapping[str, Any]) -> Iterator[Finding]:
    offered = as_dict(scope.get("extensions")) or {}
    for name, value in items_of(offered):
        if as_dict(value) is None:
            yield "ext.offer", f"has extensions[{show(name)}] {show(value)}"
    tls = as_dict(offered.get("tls"))
    if tls is not None:
        if scope.get("scheme", "http") in ("http", "ws"):
            yield "tls.only_tls", f"has 'tls' for scheme {show(scope.get('scheme'))}"
        for rule, found in _examine_tls(tls):
            yield rule, f"has extensions['tls'] that {found}"


def _examine_tls(tls: Mapping[str, Any]) -> Iterator[Finding]:
    yield from examine_keys(tls, TLS_KEYS)
    if rereadable(tls.get("client_cert_chain")) and tls.get("client_cert_name") is None:
        yield "tls.name.needed", "has a chain and no client_cert_name"
    if tls.get("client_cert_error") == "":
        yield "tls.error.nonempty", "has client_cert_error ''"
    cipher, version = tls.get("cipher_suite"), tls.get("tls_version")
    if isinstance(cipher, int) and not 0 <= cipher <= _UINT16:
        yield "tls.cipher.encoding", f"has cipher_suite {show(cipher)}"
    if isinstance(version, int) and version < 0:
        yield "tls.version.unsigned", f"has tls_version {show(version)}"
