"""``asgibridge serve``: a WSGI or ASGI application on uvicorn."""

import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, cast

import click

from ..adapters import WsgiToAsgi
from ..bridge import Bridge
from ..observers import TimelineObserver
from ..types import ASGIApp, Observer, WSGIApplication
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
@click.option("--wsgi", "is_wsgi", is_flag=True, help="Take it for WSGI.")
@click.option("--asgi", "is_asgi", is_flag=True, help="Take it for ASGI.")
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
    "--timeline",
    "timeline_path",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write an HTML page of all WSGI calls there at the end.",
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
    is_wsgi: bool,
    is_asgi: bool,
    host: str,
    port: int,
    threads: int | None,
    timeline_path: Path | None,
    log_level: str,
) -> None:
    """Serve a WSGI or ASGI application on uvicorn.

    Which of the two it is, is seen from how it can be called.  MODULE is
    imported from the current directory or from what is installed.
    """
    with one_line_errors():
        said = _said(is_wsgi=is_wsgi, is_asgi=is_asgi)
        loaded = load_application(application, directory=Path.cwd())
        found = application_kind(loaded, name=application, said=said)
        if found == "asgi":
            _refuse_options_of_wsgi(threads, timeline_path)
        if timeline_path is not None:
            _ensure_writable(timeline_path)
        listener = listen(host, port)
    how = "WSGI, served through WsgiToAsgi" if found == "wsgi" else "ASGI, served as is"
    click.echo(f"{application} is {how}, on {url_of(listener)} (Ctrl-C stops it)")
    with (
        _timeline_in(timeline_path) as observers,
        _as_asgi(loaded, found, threads or _THREADS, observers) as asgi_application,
    ):
        started = serve_until_signalled(asgi_application, listener, log_level=log_level)
    if not started:
        sys.exit(_STARTUP_FAILED)


def _said(*, is_wsgi: bool, is_asgi: bool) -> Kind | None:
    if is_wsgi and is_asgi:
        msg = "--wsgi and --asgi exclude each other; without either, it is found out"
        raise CommandError(msg)
    if is_wsgi:
        return "wsgi"
    return "asgi" if is_asgi else None


def _refuse_options_of_wsgi(threads: int | None, timeline_path: Path | None) -> None:
    if threads is not None:
        msg = "--threads is for WSGI: an ASGI application runs on the event loop"
        raise CommandError(msg)
    if timeline_path is not None:
        msg = (
            "--timeline is for WSGI: an ASGI application crosses on bridges of its "
            "own; give those a TimelineObserver"
        )
        raise CommandError(msg)


def _ensure_writable(path: Path) -> None:
    """Find out now, not when everything has been recorded.

    Only opening it tells for sure; what is in the file already stays there.
    """
    try:
        path.open("a").close()
    except OSError as exc:
        raise _unwritable(path, exc) from exc


def _unwritable(path: Path, exc: OSError) -> CommandError:
    msg = f"cannot write the timeline to {path}: {exc.strerror}; choose another file"
    return CommandError(msg)


@contextmanager
def _timeline_in(path: Path | None) -> Generator[Sequence[Observer]]:
    """Give out what observes the block, and write down what it saw."""
    if path is None:
        yield ()
        return
    timeline = TimelineObserver()
    try:
        yield (timeline,)
    finally:
        try:
            timeline.write_html(path)
        except OSError as exc:
            raise _unwritable(path, exc) from exc
    click.echo(f"The timeline is in {path}")


@contextmanager
def _as_asgi(
    application: object, kind: Kind, threads: int, observers: Sequence[Observer]
) -> Generator[ASGIApp]:
    """Give out an ASGI application, with a bridge of its own if it needs one.

    The casts are what `application_kind` found out.
    """
    if kind == "asgi":
        yield cast("ASGIApp", application)
        return
    with (
        Bridge(observers=observers) as bridge,
        WsgiToAsgi(
            cast("WSGIApplication", application),
            bridge=bridge,
            max_workers=threads,
            multiprocess=False,
        ) as adapter,
    ):
        yield adapter
