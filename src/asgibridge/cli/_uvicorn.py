"""Running uvicorn inside a command: own socket, own signals, a known end."""

import signal
import socket
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any, Final, final

import attrs
import uvicorn

from ..errors import AddressError

__all__ = ("BackgroundServer", "listen", "serve_until_signalled", "url_of")

_START_SECONDS: Final = 30.0
_STOP_SECONDS: Final = 10.0
_BACKLOG: Final = 2048  # uvicorn's own default


def listen(host: str, port: int) -> socket.socket:
    """Return a listening socket, before anything else is started.

    uvicorn could do it, but would log an error and exit with its own code.

    Args:
        host: A name or an address, of IPv4 or IPv6.
        port: 0 lets the system choose a free one.

    Raises:
        AddressError: If the address is in use, not allowed or not there.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except OSError as exc:
        msg = f"cannot listen on {host} port {port}: {exc.strerror or exc}"
        raise AddressError(msg) from exc


def url_of(listener: socket.socket) -> str:
    """Return the URL of a listening socket."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def serve_until_signalled(
    application: Callable[..., Any], listener: socket.socket, *, log_level: str
) -> bool:
    """Serve on the main thread until SIGINT or SIGTERM; close the socket.

    Requests in flight are answered first.

    Returns:
        Whether the application started up: False if its lifespan failed.
    """
    config = uvicorn.Config(application, log_level=log_level)
    server = uvicorn.Server(config)
    # uvicorn raises the signal once more when it is done.  By default SIGTERM
    # would end the process there, and nothing that waits to be closed would be.
    previous = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with listener:
            server.run(sockets=[listener])
    except KeyboardInterrupt:
        pass
    except SystemExit:  # how uvicorn reports a failed startup
        return False
    finally:
        signal.signal(signal.SIGTERM, previous)
    return True


@final
@attrs.define(eq=False)
class BackgroundServer:
    """uvicorn on a thread of its own, for the time of a ``with`` block.

    Args:
        application: An ASGI application.
        listener: A listening socket; closed with the server.
    """

    _application: Callable[..., Any] = attrs.field(alias="application")
    _listener: socket.socket = attrs.field(alias="listener")
