"""ASGI's HTTP protocol: scope and events, version 2.5."""

from collections.abc import Iterable
from typing import Any, Literal, NotRequired

from typing_extensions import ReadOnly, TypedDict

from ._asgi_common import ASGIVersions, Extensions, Headers, SupportsFileno

__all__ = (
    "HTTPDisconnectEvent",
    "HTTPReceiveEvent",
    "HTTPRequestEvent",
    "HTTPResponseBodyEvent",
    "HTTPResponseDebugEvent",
    "HTTPResponseEarlyHintEvent",
    "HTTPResponsePathSendEvent",
    "HTTPResponsePushEvent",
    "HTTPResponseStartEvent",
    "HTTPResponseTrailersEvent",
    "HTTPResponseZeroCopySendEvent",
    "HTTPScope",
    "HTTPSendEvent",
)


class HTTPScope(TypedDict):
    """One HTTP request.

    Keys that are not required may be missing.  ``scheme`` then is "http",
    ``root_path`` is "", ``raw_path``, ``client`` and ``server`` are None (which
    servers also send), ``state`` and ``extensions`` mean no such support.
    ``path`` is decoded and contains ``root_path``; ``query_string`` is not
    decoded.  The second item of ``server`` is None for a unix socket (2.2).
    To change a scope for another application, copy it.
    Source: specs/www.rst:75-147; HTTP version "3": asgiref#589.
    """

    type: ReadOnly[Literal["http"]]
    asgi: ReadOnly[ASGIVersions]
    http_version: ReadOnly[Literal["1.0", "1.1", "2", "3"]]
    method: ReadOnly[str]
    scheme: NotRequired[ReadOnly[str]]
    path: ReadOnly[str]
    raw_path: NotRequired[ReadOnly[bytes | None]]
    query_string: ReadOnly[bytes]
    root_path: NotRequired[ReadOnly[str]]
    headers: ReadOnly[Headers]
    client: NotRequired[ReadOnly[tuple[str, int] | list[str | int] | None]]
    server: NotRequired[
        ReadOnly[tuple[str, int | None] | list[str | int | None] | None]
    ]
    state: NotRequired[ReadOnly[dict[str, Any]]]
    extensions: NotRequired[ReadOnly[Extensions]]


class HTTPRequestEvent(TypedDict):
    """Server to application: a part of the request's body.

    ``body`` may be missing and then is empty; ``more_body`` may be missing and
    then is False: this was the last part.
    Source: specs/www.rst:152-176.
    """

    type: ReadOnly[Literal["http.request"]]
    body: NotRequired[ReadOnly[bytes]]
    more_body: NotRequired[ReadOnly[bool]]


class HTTPDisconnectEvent(TypedDict):
    """Server to application: the response is complete, or the client is gone.

    Source: specs/www.rst:256-271.
    """

    type: ReadOnly[Literal["http.disconnect"]]


class HTTPResponseStartEvent(TypedDict):
    """Application to server: status and headers; at least one body event follows.

    Header names are in lower case.  ``trailers`` announces trailers events and
    needs the extension ``http.response.trailers``; missing means False.
    Source: specs/www.rst:179-215.
    """

    type: Literal["http.response.start"]
    status: int
    headers: NotRequired[Headers]
    trailers: NotRequired[bool]


class HTTPResponseBodyEvent(TypedDict):
    """Application to server: a part of the response's body.

    A missing ``more_body`` means False, which ends the response unless trailers
    were announced.
    Source: specs/www.rst:218-238.
    """

    type: Literal["http.response.body"]
    body: NotRequired[bytes]
    more_body: NotRequired[bool]


class HTTPResponseTrailersEvent(TypedDict):
    """Application to server: trailers, after the last body event.

    Needs the extension ``http.response.trailers`` and ``trailers: True`` in the
    response start.  A missing ``more_trailers`` means False: the response ends.
    Source: docs/extensions.rst:206-250.
    """

    type: Literal["http.response.trailers"]
    headers: Headers
    more_trailers: NotRequired[bool]


class HTTPResponsePushEvent(TypedDict):
    """Application to server: push another path, while the response is sent.

    Needs the extension ``http.response.push``; ``path`` is decoded.
    Source: docs/extensions.rst:44-78.
    """

    type: Literal["http.response.push"]
    path: str
    headers: Headers


class HTTPResponseZeroCopySendEvent(TypedDict):
    """Application to server: send part of a file as a part of the body.

    Needs the extension ``http.response.zerocopysend``.  ``offset`` and ``count``
    are bytes; missing, they mean from the file's position and up to its end.  A
    missing ``more_body`` means False.  The application closes the file.
    Source: docs/extensions.rst:81-129.
    """

    type: Literal["http.response.zerocopysend"]
    file: SupportsFileno
    offset: NotRequired[int]
    count: NotRequired[int]
    more_body: NotRequired[bool]


class HTTPResponsePathSendEvent(TypedDict):
    """Application to server: send the file at an absolute path as the whole body.

    Needs the extension ``http.response.pathsend``; once per response, and not
    together with other body events.
    Source: docs/extensions.rst:132-165.
    """

    type: Literal["http.response.pathsend"]
    path: str


class HTTPResponseEarlyHintEvent(TypedDict):
    """Application to server: Link field values for a 103 response.

    Needs the extension ``http.response.early_hint``; before the response start.
    Source: docs/extensions.rst:172-204; its place: asgiref#579.
    """

    type: Literal["http.response.early_hint"]
    links: Iterable[bytes]


class HTTPResponseDebugEvent(TypedDict):
    """Application to server: anything a test client wants to know.

    Needs the extension ``http.response.debug``; once, before the response start.
    Source: docs/extensions.rst:252-278.
    """

    type: Literal["http.response.debug"]
    info: dict[str, Any]


HTTPReceiveEvent = HTTPRequestEvent | HTTPDisconnectEvent
"""What an HTTP application may get from ``receive()``."""

HTTPSendEvent = (
    HTTPResponseStartEvent
    | HTTPResponseBodyEvent
    | HTTPResponseTrailersEvent
    | HTTPResponsePushEvent
    | HTTPResponseZeroCopySendEvent
    | HTTPResponsePathSendEvent
    | HTTPResponseEarlyHintEvent
    | HTTPResponseDebugEvent
)
"""What an HTTP application may hand to ``send()``."""
