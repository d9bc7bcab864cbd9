"""WSGI applications under ASGI: ``asgiref.wsgi``."""

import sys
from collections import defaultdict
from collections.abc import Callable
from contextlib import closing, nullcontext
from tempfile import SpooledTemporaryFile
from types import TracebackType
from typing import Any, Final

from .sync import AsyncToSync, sync_to_async

__all__ = ("WsgiToAsgi", "WsgiToAsgiInstance")

# As asgiref: longer bodies are on disk while the application runs.
_MAX_MEMORY_BYTES: Final = 64 * 1024

_ENVIRON_NAMES: Final = {
    "content-length": "CONTENT_LENGTH",
    "content-type": "CONTENT_TYPE",
}


class WsgiToAsgi:
    """Presents a WSGI application as an ASGI application.

    Applications run thread-sensitively, as they do with asgiref: one request at
    a time, unless requests have contexts of their own.
    `asgibridge.adapters.WsgiToAsgi` runs many at once, streams request bodies
    and tells applications of clients that leave.

    Args:
        wsgi_application: A callable of PEP 3333.
        duplicate_header_limit: How often one header may be repeated, else the
            answer is 400; None sets no limit.
    """

    def __init__(
        self,
        wsgi_application: Callable[..., Any] | None,
        duplicate_header_limit: int | None = 100,
    ) -> None:
        self.wsgi_application = wsgi_application
        self.duplicate_header_limit = duplicate_header_limit

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401  # ASGI's
        """Serve one request."""
        instance = WsgiToAsgiInstance(
            self.wsgi_application, self.duplicate_header_limit
        )
        await instance(scope, receive, send)


class WsgiToAsgiInstance:
    """Serves one request; its methods may be overridden."""

    scope: Any
    sync_send: Callable[[Any], Any]
    response_start: dict[str, Any] | None = None

    def __init__(
        self,
        wsgi_application: Callable[..., Any] | None,
        duplicate_header_limit: int | None = 100,
    ) -> None:
        self.wsgi_application: Any = wsgi_application
        self.duplicate_header_limit = duplicate_header_limit
        self.response_started: bool = False
        self.response_content_length: int | None = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401  # ASGI's
        """Receive the body, then run the application.

        Raises:
            ValueError: For anything but an http request.
        """
        if scope["type"] != "http":
            msg = "WSGI wrapper received a non-HTTP scope"
            raise ValueError(msg)
        self.scope = scope
        with SpooledTemporaryFile(max_size=_MAX_MEMORY_BYTES) as body:
            more = True
            while more:
                message = await receive()
                if message["type"] != "http.request":
                    msg = "WSGI wrapper received a non-HTTP-request message"
                    raise ValueError(msg)
                body.write(message.get("body", b""))
                more = message.get("more_body", False)
            body.seek(0)
            # Not all servers mark their functions as async.
            self.sync_send = AsyncToSync(_as_async(send))
            await self.run_wsgi_app(body)

    def build_environ(self, scope: Any, body: Any) -> dict[str, Any]:  # noqa: ANN401  # ASGI's
        """Return the environ of a request.

        Raises:
            ValueError: If a header is repeated too often.
        """
        script_name = _native(scope.get("root_path", ""))
        server = scope.get("server") or ("localhost", 80)
        environ: dict[str, Any] = {
            "REQUEST_METHOD": scope["method"],
            "SCRIPT_NAME": script_name,
            "PATH_INFO": _native(scope["path"]).removeprefix(script_name),
            "QUERY_STRING": scope["query_string"].decode("ascii"),
            "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
            "SERVER_NAME": server[0],
            "SERVER_PORT": str(server[1] or 0),
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": scope.get("scheme", "http"),
            "wsgi.input": body,
            "wsgi.errors": sys.stderr,
            "wsgi.multithread": True,
            "wsgi.multiprocess": True,
            "wsgi.run_once": False,
        }
        if scope.get("client") is not None:
            environ["REMOTE_ADDR"] = scope["client"][0]
        values = defaultdict[str, list[str]](list)
        for raw_name, value in scope.get("headers", []):
            name = raw_name.decode("latin1")
            key = _ENVIRON_NAMES.get(name) or f"HTTP_{name.upper().replace('-', '_')}"
            values[key].append(value.decode("latin1"))
        environ.update(self._joined(values))
        return environ

    def _joined(self, values: dict[str, list[str]]) -> dict[str, str]:
        limit = self.duplicate_header_limit
        for key, found in values.items():
            if limit and len(found) > limit:
                msg = f"Too many duplicate headers: {key} exceeds limit of {limit}"
                raise ValueError(msg)
        return {key: ",".join(found) for key, found in values.items()}

    def start_response(
        self,
        status: str,
        response_headers: list[tuple[str, str]],
        exc_info: (
            tuple[type[BaseException], BaseException, TracebackType | None] | None
        ) = None,
    ) -> None:
        """Take status and headers, for the first part of the body.

        Raises:
            ValueError: If called again without *exc_info*.
            BaseException: That of *exc_info*, if the headers have been sent.
        """
        if self.response_started and exc_info is not None:
            raise exc_info[1].with_traceback(exc_info[2])
        if self.response_start is not None and exc_info is None:
            msg = "You cannot call start_response a second time without exc_info"
            raise ValueError(msg)
        lengths = [
            v for name, v in response_headers if name.lower() == "content-length"
        ]
        self.response_content_length = int(lengths[-1]) if lengths else None
        self.response_start = {
            "type": "http.response.start",
            "status": int(status.partition(" ")[0]),
            "headers": [
                (name.lower().encode("ascii"), value.encode("latin1"))
                for name, value in response_headers
            ],
        }

    @sync_to_async
    def run_wsgi_app(self, body: Any) -> None:  # noqa: ANN401  # a file
        """Run the application and send what it returns; on a thread."""
        try:
            environ = self.build_environ(self.scope, body)
        except ValueError:
            self._refuse()
            return
        result = self.wsgi_application(environ, self.start_response)
        # PEP 3333: close() in any case, in the thread of the application.
        with closing(result) if hasattr(result, "close") else nullcontext():
            self._send_parts(result)
        self._send_start()
        self.sync_send({"type": "http.response.body"})

    def _send_parts(self, parts: Any) -> None:  # noqa: ANN401  # an iterable
        sent = 0
        for part in parts:
            self._send_start()
            length = self.response_content_length
            # No more than was announced: the server would take it for the
            # beginning of the next response.
            output = part if length is None else part[: length - sent]
            self.sync_send(
                {"type": "http.response.body", "body": output, "more_body": True}
            )
            sent += len(output)
            if sent == length:
                break

    def _send_start(self) -> None:
        if self.response_started:
            return
        if self.response_start is None:
            msg = "the WSGI application did not call start_response"
            raise RuntimeError(msg)
        self.response_started = True
        self.sync_send(self.response_start)

    def _refuse(self) -> None:
        headers = [(b"content-type", b"text/plain")]
        self.sync_send(
            {"type": "http.response.start", "status": 400, "headers": headers}
        )
        body = b"Bad Request: Too many duplicate headers"
        self.sync_send({"type": "http.response.body", "body": body})


def _native(text: str) -> str:
    """Return *text* as WSGI has it: the bytes of UTF-8, each as a character."""
    return text.encode().decode("latin1")


def _as_async(send: Any) -> Callable[[Any], Any]:  # noqa: ANN401  # ASGI's
    async def send_message(message: Any) -> None:  # noqa: ANN401  # any event
        await send(message)

    return send_message
