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

_STOP_SECONDS: Final = 5  # how long requests may still take when asked to stop
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
        # create_server() repeats the address in brackets.
        why = str(exc.strerror).partition(" (")[0]
        msg = f"cannot listen on {host} port {port}: {why}; choose another"
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
        RuntimeError: If the application did not start up.
    """
    config = uvicorn.Config(
        application,
        lifespan="on",
        log_level="warning",
        timeout_graceful_shutdown=_STOP_SECONDS,
    )
    server = _AnnouncedServer(config)
    with listener:
        thread = threading.Thread(target=server.live, args=[listener], name="uvicorn")
        thread.start()
        try:
            # Without a timeout: it is set when the thread ends, too.
            server.settled.wait()
            if not server.started:
                msg = f"the application did not start: {application!r}"
                raise RuntimeError(msg)
            yield
        finally:
            server.should_exit = True
            thread.join()


@final
class _AnnouncedServer(uvicorn.Server):
    """A server that can be waited for."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.settled = threading.Event()

    def live(self, listener: socket.socket) -> None:
        """Be the thread of the server."""
        try:
            self.run(sockets=[listener])
        except SystemExit:  # how uvicorn reports a failed startup
            pass
        finally:
            self.settled.set()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Announce that the server takes requests."""
        await super().startup(sockets=sockets)
        self.settled.set()
