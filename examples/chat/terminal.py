"""A terminal for the chat over Redis: type ``name: text``, see who is told what.

Run ``python -m examples.chat.terminal redis://127.0.0.1`` beside some workers.
"""

import asyncio
import json
import sys

from asgibridge.servers import LineCodec, LineSource, open_stdin
from asgibridge.servers.redis import RedisConnection, RedisLayout, RedisPublisher
from asgibridge.types import Settlement

_Entry = tuple[bytes, dict[bytes, bytes]]
_Answer = list[tuple[bytes, list[_Entry]]]
"""What XREAD answers: the entries of each stream."""


async def main(url: str, name: str = "chat") -> None:
    """Publish lines, and print events, until the end of standard input."""
    layout = RedisLayout(name)
    connection = RedisConnection(url)
    await connection.open()
    lines = LineSource(open_stdin)
    await lines.open()
    # From now on: what is there before anybody has said anything, is old.
    newest: list[_Entry] = await connection.command(
        "XREVRANGE", layout.out, "+", "-", "COUNT", 1
    )
    last = newest[0][0].decode() if newest else "0-0"
    printing = asyncio.create_task(print_events(connection, layout, last))
    publisher = RedisPublisher(connection, layout)
    while batch := await lines.pull(100):
        await publisher.publish(*batch)
        for line in batch:
            await lines.settle(line, Settlement.DONE)
    await asyncio.sleep(1)  # for the last answers
    printing.cancel()
    await asyncio.wait([printing])
    await lines.close()
    await connection.close()


async def print_events(
    connection: RedisConnection, layout: RedisLayout, last: str
) -> None:
    """Print what the workers send after the entry *last*."""
    codec = LineCodec()
    while True:
        answer: _Answer | None = await connection.command(
            "XREAD", "BLOCK", 2000, "STREAMS", layout.out, last
        )
        for _, entries in answer or []:
            for entry_id, fields in entries:
                last = entry_id.decode()
                event = json.loads(fields[b"event"])
                to = fields[b"scope_id"].decode()
                sys.stdout.write(codec.encode_for(to, event))
                sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
