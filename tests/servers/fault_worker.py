"""A worker process for the fault tests: handles messages, slowly, over Redis.

Arguments: the URL, the name of this worker, seconds of a lease, seconds for
each message.  Each event that it sends says which message, and by whom.
"""

import asyncio
import logging
import sys
from collections.abc import Awaitable, Callable

from asgibridge.servers import Backoff, Limits, StatelessServer
from asgibridge.servers.redis import (
    RedisConnection,
    RedisLayout,
    RedisSink,
    RedisSource,
)
from asgibridge.types import MessageEvent, MessageScope


def main(url: str, name: str, lease: str, seconds: str) -> None:
    """Run until SIGTERM."""
    logging.basicConfig(format=f"{name} %(message)s", level=logging.INFO)

    async def app(
        scope: MessageScope,
        receive: Callable[[], Awaitable[MessageEvent]],
        send: Callable[[MessageEvent], Awaitable[None]],
    ) -> None:
        while (event := await receive())["type"] == "message.receive":
            await asyncio.sleep(float(seconds))
            await send({"type": "message.send", "n": event["n"], "by": name})

    layout = RedisLayout("fault", 12)
    connection = RedisConnection(url, backoff=Backoff(initial=0.01, maximum=0.1))
    source = RedisSource(connection, layout, lease_seconds=float(lease))
    sink = RedisSink(connection, layout)
    limits = Limits(max_applications=2000, backoff=Backoff(initial=0.05))
    StatelessServer(app, source, sink, limits=limits, lifespan="off").run()


if __name__ == "__main__":
    main(*sys.argv[1:])
