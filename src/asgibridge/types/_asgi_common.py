"""What the ASGI scopes and events of every protocol have in common.

Line numbers in this and the neighbouring modules refer to the specification as
of asgiref commit a7cc976 (July 2026).
"""

from collections.abc import Iterable, Mapping
from typing import Any, NotRequired, Protocol

from typing_extensions import ReadOnly, TypedDict

__all__ = (
    "ASGIVersions",
    "Extensions",
    "Header",
    "Headers",
    "SupportsFileno",
    "TLSExtension",
)

Header = tuple[bytes, bytes] | list[bytes]
"""One header field: its name and its value, exactly as on the wire.

At run time any iterable of two `bytes` objects is legal.  A type checker cannot
count the items of an iterable, so tuples and lists are what is typed.
Source: specs/www.rst:119-128, 559-562.
"""

Headers = Iterable[Header]
"""Header fields, in order; repeated names are repeated fields.

An iterable may be readable only once: make a list of it to go through it again.
"""

Extensions = Mapping[str, Mapping[str, Any]]
"""The names of the extensions a server offers, with what it says about each.

Names beyond those of the specification are legal.  Read the entry ``tls`` with
`asgibridge.adapters.offered_extension` to have it as `TLSExtension`.
Source: specs/asgi.rst:302-340.
"""


class SupportsFileno(Protocol):
    """A file with a descriptor of the operating system, not one in memory."""

    def fileno(self) -> int:
        """Return the descriptor."""
        ...


class ASGIVersions(TypedDict):
    """The scope's key ``asgi``: what the server speaks.

    Both keys should be there and may be missing.  A missing ``version`` means
    "2.0"; a missing ``spec_version`` means "2.0" for HTTP and WebSocket and
    "1.0" for lifespan.  Compare versions as tuples of integers.
    Source: specs/asgi.rst:182-190, specs/www.rst:88-94, specs/lifespan.rst:46-48.
    """

    version: NotRequired[ReadOnly[str]]
    spec_version: NotRequired[ReadOnly[str]]


class TLSExtension(TypedDict):
    """The entry ``tls`` of a scope's ``extensions``, version 0.2.

    It is there only for connections that use TLS; without it the connection is
    a plain one, or the server cannot tell.  Certificates are PEM strings, the
    client's own first; the name is an RFC 4514 string; ``tls_version`` and
    ``cipher_suite`` are the numbers of the TLS registries (0x0304 is TLS 1.3).
    Source: specs/tls.rst:32-111.
    """

    server_cert: ReadOnly[str | None]
    client_cert_chain: NotRequired[ReadOnly[Iterable[str]]]
    client_cert_name: NotRequired[ReadOnly[str | None]]
    client_cert_error: NotRequired[ReadOnly[str | None]]
    tls_version: ReadOnly[int | None]
    cipher_suite: ReadOnly[int | None]
