"""Running uvicorn inside a command: own socket, own signals, a known end."""

import signal
import socket
import threading
from collections.abc import Generator
from contextlib import contextmanager
from typing import Final, final

import uvicorn

from ..errors import AddressError
from ..types import ASGIApp

__all__ = (
    "background_server",
    "listen",
    "serve_until_signalled",
    "sigterm_interrupts",
    "url_of",
)

_START_SECONDS: Final = 30.0
_STOP_SECONDS: Final = 5  # how long open requests may take to end
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
        msg = f"cannot listen on {host} port {port}: {exc.strerror}"
        raise AddressError(msg) from exc


def url_of(listener: socket.socket) -> str:
    """Return the URL of a listening socket."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


@contextmanager
def sigterm_interrupts() -> Generator[None]:
    """Make SIGTERM raise KeyboardInterrupt, as SIGINT does.

    By default it ends the process on the spot, and nothing is closed.  Only
    for the main thread.
    """
    previous = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)


def serve_until_signalled(
    application: ASGIApp, listener: socket.socket, *, log_level: str
) -> bool:
    """Serve on the main thread until SIGINT or SIGTERM; close the socket.

    Requests in flight are answered first.

    Returns:
        Whether the application started up: False if its lifespan failed.
    """
    server = uvicorn.Server(uvicorn.Config(application, log_level=log_level))
    with sigterm_interrupts(), listener:
        try:
            server.run(sockets=[listener])
        except KeyboardInterrupt:  # uvicorn raises the signal again at its end
            pass
        except SystemExit:  # how uvicorn reports a failed startup
            return False
    return True


@contextmanager
def background_server(application: ASGIApp, listener: socket.socket) -> Generator[None]:
    """Serve on a thread named "uvicorn" for the time of the block.

    The socket is closed at the end.

    Raises:
        TimeoutError: If the application does not start up in half a minute.
    """
    config = uvicorn.Config(
        application,
        lifespan="on",
        log_level="warning",
        timeout_graceful_shutdown=_STOP_SECONDS,
    )
    server = _AnnouncedServer(config)
    thread = threading.Thread(
        target=server.run, kwargs={"sockets": [listener]}, name="uvicorn"
    )
    with listener:
        thread.start()
        try:
            if not server.ready.wait(_START_SECONDS):
                msg = f"uvicorn did not start within {_START_SECONDS:.0f} seconds"
                raise TimeoutError(msg)
            yield
        finally:
            server.should_exit = True
            thread.join()


@final
class _AnnouncedServer(uvicorn.Server):
    """A server that can be waited for."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Announce that the server takes requests."""
        await super().startup(sockets=sockets)
        self.ready.set()
