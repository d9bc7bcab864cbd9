"""The command: start the site, visit it, report."""

import sys
import threading
from typing import Final

import click
from rich.console import Console

from ...bridge import Bridge
from .._errors import one_line_errors
from .._uvicorn import background_server, listen, sigterm_interrupts, url_of
from ._client import Outcome, visit
from ._gates import Gates
from ._report import make_console, show_progress, show_table, show_verdict
from ._site import open_site
from ._trace import Trace

__all__ = ("demo",)

_HOST: Final = "127.0.0.1"


@click.command()
@click.option(
    "--serve",
    "stay",
    is_flag=True,
    help="Keep serving afterwards, until Ctrl-C.",
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
    with (
        Bridge() as bridge,
        open_site(bridge, trace, gates) as site,
        background_server(site, listener),
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


def _stay(console: Console, url: str) -> None:
    console.print(
        f"Serving on {url} until Ctrl-C; try: curl '{url}/flask/hello?name=you'"
    )
    try:
        with sigterm_interrupts():
            threading.Event().wait()
    except KeyboardInterrupt:
        console.print("Stopping.")
