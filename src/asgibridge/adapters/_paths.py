"""Paths: from ASGI's decoded strings to the bytes-in-latin-1 of PEP 3333."""

import string
from typing import Final
from urllib.parse import quote_from_bytes, unquote_to_bytes

from ._asgi import Scope

__all__ = ("PATH_SAFE", "SAFE_BYTES", "request_uri", "split_path")

# RFC 3986: what may stand in a path without being percent-encoded, beside letters,
# digits, "_", "." and "-".
PATH_SAFE: Final = "/!$&'()*+,;=:@~"
SAFE_BYTES: Final = (PATH_SAFE + string.ascii_letters + string.digits + "_.-").encode()


def split_path(scope: Scope) -> tuple[str, str]:
    """Return SCRIPT_NAME and PATH_INFO: bytes, each as a latin-1 character.

    ``root_path`` is taken off the front of ``path`` where it ends at a segment
    border; servers that leave it out of ``path`` are served as well.  A path
    that does not start with a slash, such as that of ``OPTIONS *``, gets one,
    so that it is never taken for the root.
    """
    path: str = scope["path"]
    root: str = scope.get("root_path") or ""
    if path.isascii() and path[:1] == "/" and not root:
        return "", path
    info = _path_bytes(path, scope.get("raw_path"), root).decode("latin-1")
    script = _encode(root).decode("latin-1").rstrip("/")
    if script:
        script = "/" + script.lstrip("/")
        if info == script or info.startswith(script + "/"):
            return script, info[len(script) :]
        if not info:
            return script, ""
    return script, info if info[:1] == "/" else "/" + info


def request_uri(scope: Scope) -> str:
    """Return the target as the client sent it, as far as the server tells."""
    raw: bytes | None = scope.get("raw_path")
    if raw:
        path = raw.partition(b"?")[0].decode("latin-1")
    else:
        path = quote_from_bytes(_encode(scope["path"]), PATH_SAFE)
    query: bytes | None = scope.get("query_string")
    return f"{path}?{query.decode('latin-1')}" if query else path


def _path_bytes(path: str, raw: bytes | None, root: str) -> bytes:
    if raw and "\N{REPLACEMENT CHARACTER}" in path:
        # The server could not decode the bytes.  They are in raw_path, unless
        # something on the way has changed path without it.
        exact = unquote_to_bytes(raw.partition(b"?")[0])
        if exact.decode("utf-8", "replace") in (path, root.rstrip("/") + path):
            return exact
    return _encode(path)


def _encode(text: str) -> bytes:
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        # A lone surrogate that stands for no byte: keep it recognisable.
        return text.encode("utf-8", "surrogatepass")
