"""An ASGI http scope, built from the environ of PEP 3333."""

from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import quote_from_bytes

from ._asgi import Scope

__all__ = ("body_length", "http_scope")

_PATH_SAFE: Final = "/!$&'()*+,;=:@~"
_SPEC_VERSION: Final = "2.5"


def http_scope(environ: dict[str, Any], state: Mapping[str, Any] | None) -> Scope:
    """Return the scope of a request.

    The environ itself is under ``"wsgi.environ"``, for applications that know
    where they run.

    Args:
        environ: From the WSGI server; not changed.
        state: Of the lifespan; a copy of it goes into the scope.  None if the
            application has no lifespan.
    """
    script = environ.get("SCRIPT_NAME", "").encode("latin-1")
    path = script + environ.get("PATH_INFO", "").encode("latin-1")
    scope: Scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": _SPEC_VERSION},
        "http_version": _http_version(environ.get("SERVER_PROTOCOL", "HTTP/1.1")),
        "method": environ["REQUEST_METHOD"].upper(),
        "scheme": environ.get("wsgi.url_scheme") or "http",
        # As servers do it: what is not UTF-8 can be told from raw_path only.
        "path": path.decode("utf-8", "replace"),
        "raw_path": _raw_path(environ, path),
        "query_string": environ.get("QUERY_STRING", "").encode("latin-1"),
        "root_path": script.decode("utf-8", "replace"),
        "headers": list(_headers(environ)),
        "client": _address(environ.get("REMOTE_ADDR"), environ.get("REMOTE_PORT")),
        "server": _address(environ["SERVER_NAME"], environ["SERVER_PORT"]),
        "wsgi.environ": environ,
    }
    if state is not None:
        scope["state"] = dict(state)
    if callable(environ.get("wsgi.early_hints")):
        scope["extensions"] = {"http.response.early_hint": {}}
    return scope


def body_length(environ: Mapping[str, Any]) -> int | None:
    """Return how many bytes of body may be read; None up to the end.

    Servers that do not end the body by themselves block whoever reads beyond
    CONTENT_LENGTH.
    """
    announced: str = environ.get("CONTENT_LENGTH") or ""
    if announced.isascii() and announced.isdigit():
        return int(announced)
    return None if environ.get("wsgi.input_terminated") else 0


def _http_version(protocol: str) -> str:
    version = protocol.rpartition("/")[2]
    # ASGI knows them as "2" and "3"; some servers say "HTTP/2.0".
    return {"2.0": "2", "3.0": "3"}.get(version, version)


def _raw_path(environ: Mapping[str, Any], path: bytes) -> bytes:
    target: str = environ.get("RAW_URI") or environ.get("REQUEST_URI") or ""
    if target.startswith("/"):
        return target.partition("?")[0].encode("latin-1", "replace")
    return quote_from_bytes(path, _PATH_SAFE).encode("ascii")


def _headers(environ: Mapping[str, Any]) -> Iterator[tuple[bytes, bytes]]:
    for key, value in environ.items():
        if key.startswith("HTTP_"):
            name = key[5:]
        elif key in ("CONTENT_TYPE", "CONTENT_LENGTH") and value:
            name = key
        else:
            continue
        yield (
            name.replace("_", "-").lower().encode("latin-1"),
            value.encode("latin-1"),
        )


def _address(host: str | None, port: str | None) -> tuple[str, int] | None:
    if not host:
        return None
    return host, int(port) if port and port.isdigit() else 0
