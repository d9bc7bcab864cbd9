"""How much one client may ask of a WSGI application."""

from typing import Final, final

import attrs

from .._options import whole

__all__ = ("WsgiLimits",)

MAX_READ_AHEAD: Final = 1024 * 1024

_MAX_QUEUED: int | None = 1000

_at_least_one = whole(1)
_optional = attrs.validators.optional


@final
@attrs.frozen(kw_only=True)
class WsgiLimits:
    """Limits of `WsgiToAsgi`; a request beyond one is answered with an error.

    Args:
        max_body_bytes: Longest request body, in bytes; None sets no limit.
            Longer ones are answered with 413: at once if they announce their
            length, else when the application has read that much.
        max_headers: How many header fields a request may have, else 400.
        max_header_bytes: Bytes in all names and values together, else 400.
        max_header_repeats: How often one field may be repeated, else 400.
        max_queued: How many requests may wait for a thread, else 503; None
            sets no limit.
        read_ahead_bytes: Once the application has begun to read, another
            message is taken from the server before it asks for it if one of
            the size of the last does not make more than this wait; at most
            1 MiB.  Only one that is larger than the one before it may go
            beyond the limit.
        response_window_bytes: How much of a response may wait to be sent
            before the application is held back.
    """

    max_body_bytes: int | None = attrs.field(
        default=None, validator=_optional(whole(0))
    )
    # Above what servers let through by default (64 KiB of headers in all), so
    # that these speak only where the server does not.
    max_headers: int = attrs.field(default=1000, validator=_at_least_one)
    max_header_bytes: int = attrs.field(default=128 * 1024, validator=_at_least_one)
    # HTTP/2 clients may send every cookie as a field of its own.
    max_header_repeats: int = attrs.field(default=200, validator=_at_least_one)
    max_queued: int | None = attrs.field(
        default=_MAX_QUEUED, validator=_optional(_at_least_one)
    )
    read_ahead_bytes: int = attrs.field(
        default=64 * 1024,
        validator=whole(1, MAX_READ_AHEAD),
    )
    response_window_bytes: int = attrs.field(default=64 * 1024, validator=_at_least_one)
