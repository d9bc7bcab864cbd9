"""The command: start the site, visit it, report."""

import socket
import sys
import threading
from contextlib import AbstractContextManager
from typing import Final

import click
from rich.console import Console

from ...bridge import Bridge
from ...observers import TimelineAction, TimelineObserver, TimelinePage
from .._errors import one_line_errors
from .._uvicorn import background_server, listen, sigterm_interrupts, url_of
from ._client import Outcome, visit
from ._gates import Gates
from ._report import make_console, show_progress, show_table, show_verdict
from ._site import Site, open_site
from ._trace import Trace

__all__ = ("demo",)

_HOST: Final = "127.0.0.1"
_TIMELINE: Final = "/timeline/"
_TIMELINE_CALLS: Final = 10_000  # it may stay for days

_ACTIONS: Final = (
    TimelineAction("Blocking", "/flask/hello?name=you", "a Flask view on a thread"),
    TimelineAction("Blocking, then async", "/flask/async?n=21", "and back to the loop"),
    TimelineAction("Streaming", "/flask/download", "8 MiB, made on a thread"),
    TimelineAction("Async, then blocking", "/notes", "sqlite3 on its own thread"),
    TimelineAction("There and back", "/notes/summary", "sqlite3, then async again"),
)


@click.command()
@click.option(
    "--serve",
    "stay",
    is_flag=True,
    help="Keep serving afterwards, until Ctrl-C, with a live timeline.",
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=0,
    help="Port on the loopback interface; 0, the default, takes a free one.",
)
def demo(*, stay: bool, port: int) -> None:
    """Show the bridge at work, over real HTTP.

    Serves a Flask and an async application, asks both for everything they have,
    and prints which thread and which loop ran what.

    Exits with 0 only if every answer was right.
    """
    console = make_console()
    with one_line_errors():
        listener = listen(_HOST, port)
    trace, gates, url = Trace(), Gates(), url_of(listener)
    console.print(f"Starting uvicorn on {url}")
    timeline = TimelineObserver(max_calls=_TIMELINE_CALLS)
    with (
        Bridge(observers=[timeline] if stay else []) as bridge,
        open_site(bridge, trace, gates) as site,
        _served(site, listener, timeline=timeline if stay else None),
    ):
        outcomes: list[Outcome] = []
        for outcome in visit(url, trace=trace, gates=gates, loop=site.loop):
            show_progress(console, outcome)
            outcomes.append(outcome)
        show_table(console, outcomes, loop=site.loop)
        right = show_verdict(console, outcomes)
        if stay:
            gates.leave_open()
            _stay(console, url)
    sys.exit(0 if right else 1)


def _served(
    site: Site, listener: socket.socket, *, timeline: TimelineObserver | None
) -> AbstractContextManager[None]:
    if timeline is None:
        return background_server(site, listener)
    page = TimelinePage(timeline, site, path=_TIMELINE, actions=_ACTIONS)
    return background_server(page, listener)


def _stay(console: Console, url: str) -> None:
    console.print(
        f"Serving on {url} until Ctrl-C; try: curl '{url}/flask/hello?name=you'"
    )
    console.print(f"Every call, live, with requests to fire: {url}{_TIMELINE}")
    try:
        with sigterm_interrupts():
            threading.Event().wait()
    except KeyboardInterrupt:
        console.print("Stopping.")
