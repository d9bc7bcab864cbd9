"""The environ of PEP 3333, built from an ASGI http scope."""

import sys
from typing import Any, Final, final
from wsgiref.types import ErrorStream

import attrs

from ..errors import RequestRefusedError
from ._asgi import Scope
from ._files import FileWrapper
from ._limits import WsgiLimits
from ._paths import request_uri, split_path
from ._request_headers import RequestHeaders, UnderscorePolicy
from ._tls import add_tls

__all__ = ("EnvironBuilder",)

_BAD_REQUEST: Final = 400
_CONTENT_TOO_LARGE: Final = 413
_LONGEST_NUMBER: Final = 18  # digits; more is no length of anything


@final
@attrs.define(eq=False)
class EnvironBuilder:
    """Builds environs: plain dicts, a new one for each request.

    Nothing of the process's own environment is in them.

    Args:
        limits: For headers and the announced body length.
        underscores: See `RequestHeaders`.
        multithread: Whether the application may be called from several threads
            at once.
        multiprocess: Whether other processes may serve the same application.
        errors: ``wsgi.errors``; None stands for ``sys.stderr`` as it is when
            the request comes.
    """

    _limits: WsgiLimits = attrs.field(alias="limits", kw_only=True)
    _headers: RequestHeaders = attrs.field(init=False)
    _base: dict[str, object] = attrs.field(init=False)
    _errors: ErrorStream | None = attrs.field(
        default=None, kw_only=True, alias="errors"
    )
    underscores: UnderscorePolicy = attrs.field(default="drop", kw_only=True)
    multithread: bool = attrs.field(default=True, kw_only=True)
    multiprocess: bool = attrs.field(default=True, kw_only=True)

    def __attrs_post_init__(self) -> None:
        """Prepare what is the same for every request."""
        self._headers = RequestHeaders(self._limits, self.underscores)
        self._base = {
            "wsgi.version": (1, 0),
            "wsgi.multithread": self.multithread,
            "wsgi.multiprocess": self.multiprocess,
            "wsgi.run_once": False,
            # The body ends by itself, also without Content-Length: chunked
            # uploads can be read.
            "wsgi.input_terminated": True,
            "wsgi.file_wrapper": FileWrapper,
        }

    def build(self, scope: Scope) -> dict[str, Any]:
        """Return the environ for *scope*, without ``wsgi.input``.

        Raises:
            RequestRefusedError: For a request that must not reach the
                application.
        """
        environ: dict[str, Any] = self._base.copy()
        environ["REQUEST_METHOD"] = scope["method"]
        environ["SCRIPT_NAME"], environ["PATH_INFO"] = split_path(scope)
        environ["QUERY_STRING"] = (scope.get("query_string") or b"").decode("latin-1")
        environ["REQUEST_URI"] = environ["RAW_URI"] = request_uri(scope)
        environ["SERVER_PROTOCOL"] = f"HTTP/{scope.get('http_version') or '1.1'}"
        self._headers.add_to(environ, scope.get("headers") or ())
        if "CONTENT_LENGTH" in environ:
            self._check_length(environ["CONTENT_LENGTH"])
        _add_connection(environ, scope)
        environ["wsgi.errors"] = sys.stderr if self._errors is None else self._errors
        environ["asgi.scope"] = scope
        if "state" in scope:
            environ["asgi.state"] = scope["state"]
        return environ

    def _check_length(self, value: str) -> None:
        if not (value.isascii() and value.isdigit() and len(value) <= _LONGEST_NUMBER):
            msg = f"Content-Length {value[:40]!r} is not a number"
            raise RequestRefusedError(_BAD_REQUEST, msg)
        most = self._limits.max_body_bytes
        if most is not None and int(value) > most:
            msg = f"the body has {value} bytes; {most} are allowed"
            raise RequestRefusedError(_CONTENT_TOO_LARGE, msg)


def _add_connection(environ: dict[str, Any], scope: Scope) -> None:
    scheme: str = scope.get("scheme") or "http"
    environ["wsgi.url_scheme"] = scheme
    if scheme == "https":
        environ["HTTPS"] = "on"
    client = scope.get("client")
    if client:
        host, port = client
        if host:
            environ["REMOTE_ADDR"] = str(host)
        if port:  # behind some proxies it is 0: unknown
            environ["REMOTE_PORT"] = str(port)
    server = scope.get("server")
    if server and server[0] and server[1] is not None:
        environ["SERVER_NAME"] = server[0]
        environ["SERVER_PORT"] = str(server[1])
    else:  # none told, or the path of a unix socket
        host, port = _from_host(environ.get("HTTP_HOST", ""))
        environ["SERVER_NAME"] = host
        environ["SERVER_PORT"] = port or ("443" if scheme == "https" else "80")
    extensions: dict[str, Any] = scope.get("extensions") or {}
    tls: dict[str, Any] | None = extensions.get("tls")
    if tls is not None:
        add_tls(environ, tls)


def _from_host(value: str) -> tuple[str, str]:
    """Split a Host field into a name, never empty, and a port, maybe empty."""
    host, colon, port = value.rpartition(":")
    if not colon or value.endswith("]"):
        host, port = value, ""
    if not (port.isascii() and port.isdigit()):
        port = ""
    return host.removeprefix("[").removesuffix("]") or "localhost", port
