"""``asgibridge serve``: a WSGI or ASGI application on uvicorn."""

import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, cast

import click

from ..adapters import WsgiToAsgi
from ..bridge import Bridge
from ..types import ASGIApp, WSGIApplication
from ._errors import CommandError, one_line_errors
from ._kinds import Kind, application_kind
from ._loading import load_application
from ._uvicorn import listen, serve_until_signalled, url_of

__all__ = ("serve",)

_LOG_LEVELS: Final = ("critical", "error", "warning", "info", "debug", "trace")
_THREADS: Final = 32  # as for a WsgiToAsgi of one's own
_STARTUP_FAILED: Final = 3  # uvicorn's code for it


@click.command()
@click.argument("application", metavar="MODULE:ATTRIBUTE")
@click.option("--wsgi", "kind", flag_value="wsgi", help="Take it for WSGI.")
@click.option("--asgi", "kind", flag_value="asgi", help="Take it for ASGI.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Name or address.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8000,
    show_default=True,
    help="0 takes a free one.",
)
@click.option(
    "--threads",
    type=click.IntRange(min=1),
    help=f"How many WSGI requests run at once.  [default: {_THREADS}]",
)
@click.option(
    "--log-level",
    type=click.Choice(_LOG_LEVELS),
    default="info",
    show_default=True,
    help="What uvicorn logs; requests are logged on 'info'.",
)
def serve(
    *,
    application: str,
    kind: Kind | None,
    host: str,
    port: int,
    threads: int | None,
    log_level: str,
) -> None:
    """Serve a WSGI or ASGI application on uvicorn.

    Which of the two it is, is seen from how it can be called.  MODULE is
    imported from the current directory or from what is installed.
    """
    with one_line_errors():
        loaded = load_application(application, directory=Path.cwd())
        found = application_kind(loaded, name=application, said=kind)
        if found == "asgi" and threads is not None:
            msg = "--threads is for WSGI: an ASGI application runs on the event loop"
            raise CommandError(msg)
        listener = listen(host, port)
    how = "WSGI, served through WsgiToAsgi" if found == "wsgi" else "ASGI, served as is"
    click.echo(f"{application} is {how}, on {url_of(listener)} (Ctrl-C stops it)")
    with _as_asgi(loaded, found, threads or _THREADS) as asgi_application:
        started = serve_until_signalled(asgi_application, listener, log_level=log_level)
    if not started:
        sys.exit(_STARTUP_FAILED)


@contextmanager
def _as_asgi(application: object, kind: Kind, threads: int) -> Generator[ASGIApp]:
    """Give out an ASGI application, with a bridge of its own if it needs one.

    The casts are what `application_kind` found out.
    """
    if kind == "asgi":
        yield cast("ASGIApp", application)
        return
    with (
        Bridge() as bridge,
        WsgiToAsgi(
            cast("WSGIApplication", application),
            bridge=bridge,
            max_workers=threads,
            multiprocess=False,
        ) as adapter,
    ):
        yield adapter
