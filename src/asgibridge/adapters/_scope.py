"""An ASGI http scope, built from the environ of PEP 3333."""

from collections.abc import Mapping
from typing import Any, Final, final
from urllib.parse import quote_from_bytes

from ._asgi import Scope
from ._paths import PATH_SAFE, SAFE_BYTES

__all__ = ("HeaderVariables", "body_length", "http_scope")

_SPEC_VERSION: Final = "2.5"

# ASGI knows these as "2" and "3"; some servers say "HTTP/2.0".
_VERSIONS: Final = {
    "HTTP/1.1": "1.1",
    "HTTP/2.0": "2",
    "HTTP/3.0": "3",
}

_CONTENT: Final = ("CONTENT_TYPE", "CONTENT_LENGTH")
# Made of a header whose name has an underscore: the true ones have no prefix.
_SPOOFED: Final = frozenset("HTTP_" + variable for variable in _CONTENT)

# An environ has some forty variables; more are headers that clients make up.
_REMEMBERED: Final = 1024
_REMEMBERED_LENGTH: Final = 64


@final
class HeaderVariables(dict[str, bytes]):
    """The header that a variable stands for; empty for other variables.

    Remembers what it was asked for before.  Safe to share between threads: at
    worst a name is made twice.
    """

    __slots__ = ()

    def __missing__(self, variable: str) -> bytes:
        """Make the header's name of *variable*."""
        name = ""
        if variable in _CONTENT:
            name = variable
        elif variable.startswith("HTTP_") and variable not in _SPOOFED:
            name = variable[5:]
        field = name.replace("_", "-").lower().encode("latin-1")
        if len(self) < _REMEMBERED and len(variable) <= _REMEMBERED_LENGTH:
            self[variable] = field
        return field


def http_scope(
    environ: dict[str, Any], state: Mapping[str, Any] | None, names: HeaderVariables
) -> Scope:
    """Return the scope of a request.

    The environ itself is under ``"wsgi.environ"``, for applications that know
    where they run.

    Args:
        environ: From the WSGI server; not changed.
        state: Of the lifespan; a copy of it goes into the scope.  None if the
            application has no lifespan.
        names: Tells headers from other variables.
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
        "headers": [
            (name, value.encode("latin-1"))
            for variable, value in environ.items()
            # Servers set CONTENT_TYPE and CONTENT_LENGTH to "" where there is none.
            if (name := names[variable]) and (value or variable not in _CONTENT)
        ],
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
    return _VERSIONS.get(protocol) or protocol.rpartition("/")[2]


def _raw_path(environ: Mapping[str, Any], path: bytes) -> bytes:
    target: str = environ.get("RAW_URI") or environ.get("REQUEST_URI") or ""
    if target.startswith("/"):
        return target.partition("?")[0].encode("latin-1", "replace")
    if not path.rstrip(SAFE_BYTES):
        return path  # nothing to quote: most paths come here
    return quote_from_bytes(path, PATH_SAFE).encode("ascii")


def _address(host: str | None, port: str | None) -> tuple[str, int] | None:
    if not host:
        return None
    return host, int(port) if port and port.isascii() and port.isdigit() else 0
