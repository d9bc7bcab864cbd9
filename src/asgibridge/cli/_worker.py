"""``asgibridge worker``: an application fed from a message stream."""

import asyncio
import contextlib
import logging
import sys
import time
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Final, cast

import click

from ..servers import (
    FullPolicy,
    Health,
    Limits,
    StatelessServer,
    StreamOptions,
    open_streams,
    stop_on_signals,
)
from ..types import ASGIApp
from ._errors import CommandError, one_line_errors
from ._loading import load_application

__all__ = ("worker",)

_LOGGER: Final = logging.getLogger("asgibridge.servers")
_LEVELS: Final = ("error", "warning", "info", "debug")
_DEFAULTS: Final = Limits()
_POSITIVE: Final = click.IntRange(min=1)
_SECONDS: Final = click.FloatRange(min=0, min_open=True)


@click.command(short_help="Run an ASGI application on messages from a stream.")
@click.argument("application", metavar="MODULE:ATTRIBUTE")
@click.option(
    "--source",
    "address",
    required=True,
    help="- (standard input), tcp://host:port, redis://… or nats://…",
)
@click.option("--name", default="asgibridge", show_default=True, help="Stream names.")
@click.option(
    "--partitions",
    type=_POSITIVE,
    default=8,
    show_default=True,
    help="How many processes can share the conversations.",
)
@click.option(
    "--lease-seconds",
    type=_SECONDS,
    default=15.0,
    show_default=True,
    help="A process that is silent for so long is taken over.",
)
@click.option(
    "--create/--no-create",
    default=True,
    show_default=True,
    help="Whether to make streams that are missing.",
)
@click.option(
    "--json/--text",
    "writes_json",
    default=False,
    show_default=True,
    help="How lines are written; either is read.",
)
@click.option(
    "--max-applications",
    type=_POSITIVE,
    default=_DEFAULTS.max_applications,
    show_default=True,
    help="Application instances at once.",
)
@click.option(
    "--max-deliveries",
    type=_POSITIVE,
    default=_DEFAULTS.max_deliveries,
    show_default=True,
    help="Then a message that fails is a dead letter.",
)
@click.option("--message-timeout", type=_SECONDS, help="Seconds for one message.")
@click.option(
    "--drain-timeout",
    type=_SECONDS,
    default=_DEFAULTS.drain_timeout,
    show_default=True,
    help="Seconds to finish at SIGTERM.",
)
@click.option(
    "--full",
    type=click.Choice([policy.value for policy in FullPolicy]),
    default=_DEFAULTS.full.value,
    show_default=True,
    help="For messages of a conversation that has too many.",
)
@click.option(
    "--health-seconds",
    type=click.FloatRange(min=0),
    default=30.0,
    show_default=True,
    help="Time between two health lines; 0 is none.",
)
@click.option(
    "--log-level",
    type=click.Choice(_LEVELS),
    default="info",
    show_default=True,
    help="What is logged, to standard error.",
)
def worker(
    *,
    application: str,
    address: str,
    name: str,
    partitions: int,
    lease_seconds: float,
    create: bool,
    writes_json: bool,
    max_applications: int,
    max_deliveries: int,
    message_timeout: float | None,
    drain_timeout: float,
    full: str,
    health_seconds: float,
    log_level: str,
) -> None:
    """Run an ASGI application on messages from a stream, until SIGTERM or Ctrl-C.

    MODULE is imported from the current directory or from what is installed.
    """
    # To stderr: events may go to stdout.
    logging.basicConfig(
        level=log_level.upper(),
        format="%(asctime)s %(levelname)s %(message)s",
        stream=sys.stderr,
    )
    with one_line_errors():
        loaded = load_application(application, directory=Path.cwd())
        if not callable(loaded):
            msg = f"{application} is {loaded!r}, which cannot be called"
            raise CommandError(msg)
        options = StreamOptions(
            name=name,
            partitions=partitions,
            lease_seconds=lease_seconds,
            create=create,
            writes_json=writes_json,
        )
        limits = Limits(
            max_applications=max_applications,
            max_deliveries=max_deliveries,
            message_timeout=message_timeout,
            drain_timeout=drain_timeout,
            full=FullPolicy(full),
        )
        health = Health(time.monotonic)
        source, sink = open_streams(address, options)
        # The loader can promise no more than a callable.
        app = cast("ASGIApp", loaded)
        server = StatelessServer(app, source, sink, limits=limits, observers=[health])
        _LOGGER.info("%s works on %s (Ctrl-C stops it)", application, _public(address))
        asyncio.run(_serve(server, health, health_seconds))
        _LOGGER.info("%s", health.line(0))


def _public(address: str) -> str:
    """Return *address* without its password."""
    scheme, separator, rest = address.rpartition("://")
    return f"{scheme}{separator}{rest.rpartition('@')[2]}"


async def _serve(server: StatelessServer, health: Health, every: float) -> None:
    async with _reporting(server, health, every):
        with stop_on_signals(server.stop):
            await server.serve()


@contextlib.asynccontextmanager
async def _reporting(
    server: StatelessServer, health: Health, every: float
) -> AsyncGenerator[None, None]:
    if not every:
        yield
        return

    def in_flight() -> int:
        return server.health()["in_flight"]

    reporting = asyncio.create_task(health.report(every, _LOGGER.info, in_flight))
    try:
        yield
    finally:
        reporting.cancel()
        await asyncio.wait([reporting])
