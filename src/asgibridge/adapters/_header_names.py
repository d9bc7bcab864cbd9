"""What may stand in the status line and the headers of a response."""

import re
from collections.abc import Iterable
from http import HTTPStatus
from typing import Final, final

from ..errors import ContentLengthError, WsgiHeaderError

__all__ = ("HOP_BY_HOP", "ResponseHeaderNames", "StatusCodes", "header_value")

# RFC 9110, section 5.6.2.
_token = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+").fullmatch
# Line ends would begin a new header, NUL ends strings in other software.
_broken = re.compile(r"[\r\n\0]").search
_status_line = re.compile(r"[2-9][0-9]{2}(?: [^\r\n\0]*)?").fullmatch

# RFC 9110, section 7.6.1: these belong to the connection, which is the
# server's; PEP 3333 forbids them to applications.
HOP_BY_HOP: Final = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "trailers",
        "transfer-encoding",
        "upgrade",
    }
)

# Applications use few names; more than this is an application that makes them up.
_REMEMBERED: Final = 1024
_REMEMBERED_LENGTH: Final = 64


@final
class StatusCodes(dict[str, int]):
    """Status lines that were checked before, each with its number."""

    __slots__ = ()

    def __missing__(self, status: object) -> int:
        """Check *status*: three digits, with or without a reason.

        Raises:
            WsgiHeaderError: If it is below 200, or holds a line end.  Interim
                responses (1xx) are the server's.
        """
        if not isinstance(status, str):
            msg = f"the status is {type(status).__name__}, not str: {status!r}"
            raise WsgiHeaderError(msg)
        if not _status_line(status):
            msg = (
                f"status {status!r} is not of the form '200 OK',"
                f" from {HTTPStatus.OK:d} on"
            )
            raise WsgiHeaderError(msg)
        code = int(status[:3])
        if len(self) < _REMEMBERED and len(status) <= _REMEMBERED_LENGTH:
            self[status] = code
        return code


@final
class ResponseHeaderNames(dict[str, bytes]):
    """Header names that were checked before, each with its form on the wire.

    A look-up of a new name checks it.  Safe to share between threads: at worst
    a name is checked twice.
    """

    __slots__ = ("status_codes",)

    def __init__(self) -> None:
        """Begin with an empty memory."""
        super().__init__()
        self.status_codes = StatusCodes()

    def __missing__(self, name: object) -> bytes:
        """Check *name*.

        Raises:
            WsgiHeaderError: If it must not be sent.
        """
        if not isinstance(name, str):
            msg = f"header name {name!r} is {type(name).__name__}, not str"
            raise WsgiHeaderError(msg)
        if not _token(name):
            msg = f"header name {name!r} is not a token of RFC 9110"
            raise WsgiHeaderError(msg)
        lower = name.lower()
        if lower in HOP_BY_HOP:
            msg = (
                f"header {name!r} belongs to the connection, which is the server's;"
                " PEP 3333 forbids it to applications"
            )
            raise WsgiHeaderError(msg)
        field = lower.encode("ascii")
        if len(self) < _REMEMBERED and len(name) <= _REMEMBERED_LENGTH:
            self[name] = field
        return field

    def fields(
        self, headers: Iterable[tuple[str, object]]
    ) -> tuple[list[tuple[bytes, bytes]], int]:
        """Return *headers* as they are sent, and Content-Length; -1 without one.

        Raises:
            WsgiHeaderError: If one of them must not be sent.
            ContentLengthError: If it is not a number, or not one number.
        """
        fields: list[tuple[bytes, bytes]] = []
        length = -1
        for name, value in headers:
            field = self[name]
            if isinstance(value, str) and value.isprintable() and value.isascii():
                content = value.strip().encode("ascii")
            else:
                content = header_value(name, value)
            if field == b"content-length":
                length = _length(content, length)
            fields.append((field, content))
        return fields, length


def header_value(name: str, value: object) -> bytes:
    """Return *value* as it is sent.

    Raises:
        WsgiHeaderError: If it must not be sent.
    """
    if not isinstance(value, str):
        msg = f"the value of header {name!r} is {type(value).__name__}, not str"
        raise WsgiHeaderError(msg)
    if not value.isprintable() and _broken(value):
        msg = f"the value of header {name!r} holds a line end or NUL: {value!r}"
        raise WsgiHeaderError(msg)
    try:
        return value.strip(" \t").encode("latin-1")
    except UnicodeEncodeError as exc:
        msg = (
            f"the value of header {name!r} cannot be sent as latin-1: {value!r};"
            " encode it as the header's definition says"
        )
        raise WsgiHeaderError(msg) from exc


def _length(value: bytes, known: int) -> int:
    if not value.isdigit():
        msg = f"Content-Length {value!r} is not a number"
        raise ContentLengthError(msg)
    length = int(value)
    if known >= 0 and length != known:
        msg = f"two Content-Length fields differ: {known} and {length}"
        raise ContentLengthError(msg)
    return length
