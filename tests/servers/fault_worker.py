"""A worker process for the fault tests: handles messages, slowly, over a broker.

Arguments: the URL, the name of this worker, seconds of a lease, seconds for each
message, or the path of a file that must be there first, and maybe a quota and
the path of another file: after so many messages each further one is kept, sent
and not settled, until that file is there.  Each event that it sends says which
message, and by whom; the message's number is then a line on standard output.
"""

import asyncio
import logging
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

from asgibridge.servers import Backoff, Limits, StatelessServer
from asgibridge.servers.nats import (
    NatsConnection,
    NatsLayout,
    NatsSink,
    NatsSource,
)
from asgibridge.servers.redis import (
    RedisConnection,
    RedisLayout,
    RedisSink,
    RedisSource,
)
from asgibridge.types import (
    MessageEvent,
    MessageScope,
    MessageSink,
    MessageSource,
)

BACKOFF = Backoff(initial=0.01, maximum=0.1)


def streams(url: str, lease: float) -> tuple[MessageSource, MessageSink]:
    """Return what belongs to a URL."""
    if url.startswith("nats:"):
        # Soon enough for a broker that is restarted.
        connection = NatsConnection(url, timeout=2.0, backoff=BACKOFF)
        source = NatsSource(connection, NatsLayout("fault", 12), lease_seconds=lease)
        return source, NatsSink(source)
    layout, redis = RedisLayout("fault", 12), RedisConnection(url, backoff=BACKOFF)
    return RedisSource(redis, layout, lease_seconds=lease), RedisSink(redis, layout)


async def work(effort: str) -> None:
    """Take as long as a message does."""
    if effort.startswith("/"):
        await opened(effort)
    else:
        await asyncio.sleep(float(effort))


async def opened(gate: str) -> None:
    """Wait until a file is there."""
    # Another process makes it; a look takes an instant.
    while not Path(gate).exists():  # noqa: ASYNC110, ASYNC240
        await asyncio.sleep(0.05)


def main(
    url: str, name: str, lease: str, effort: str, quota: str = "inf", gate: str = ""
) -> None:
    """Run until SIGTERM."""
    logging.basicConfig(format=f"{name} %(message)s", level=logging.INFO)
    handled = 0

    async def app(
        scope: MessageScope,
        receive: Callable[[], Awaitable[MessageEvent]],
        send: Callable[[MessageEvent], Awaitable[None]],
    ) -> None:
        nonlocal handled
        while (event := await receive())["type"] == "message.receive":
            await work(effort)
            await send({"type": "message.send", "n": event["n"], "by": name})
            handled += 1
            print(event["n"], flush=True)  # noqa: T201 - the test reads it
            if handled >= float(quota):
                await opened(gate)

    source, sink = streams(url, float(lease))
    # A machine that stands still is no reason to give a message up.
    limits = Limits(
        max_applications=2000, max_deliveries=1000, backoff=Backoff(initial=0.05)
    )
    StatelessServer(app, source, sink, limits=limits, lifespan="off").run()


if __name__ == "__main__":
    main(*sys.argv[1:])
