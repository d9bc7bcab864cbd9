"""The chat over Redis: two worker processes and a terminal, as people run them."""

import asyncio
import re
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Protocol

from tests.staging import PATIENCE

ROOT = Path(__file__).parents[2]


class RedisServer(Protocol):
    """The server of the fixture."""

    url: str

    def ask(self, command: str) -> str: ...


async def both_have_their_share(server: RedisServer) -> None:
    """Wait until each of two workers owns half of the partitions.

    Before that, a room may be handed over, and forgets who is in it.
    """
    leases = " ".join(f"{{chat}}:lease:{number}" for number in range(8))
    while True:
        owners = re.findall(
            r"^\S+-\w+(?=:\d)", server.ask(f"MGET {leases}"), re.MULTILINE
        )
        if sorted(Counter(owners).values()) == [4, 4]:
            return
        await asyncio.sleep(0.02)  # Redis tells nobody


@asynccontextmanager
async def program(*arguments: str) -> AsyncIterator[Process]:
    """Run a program while the block is; it has to end well."""
    process = await asyncio.create_subprocess_exec(
        *arguments, stdin=PIPE, stdout=PIPE, stderr=PIPE, cwd=ROOT
    )
    try:
        yield process
    finally:
        if process.returncode is None and process.stdin and process.stdin.is_closing():
            await process.wait()  # it has been told to end
        elif process.returncode is None:
            process.send_signal(signal.SIGTERM)
        _, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()


async def say(terminal: Process, line: str, *answers: str) -> None:
    """Type a line; wait for what is told to whom."""
    assert terminal.stdin
    assert terminal.stdout
    terminal.stdin.write(f"{line}\n".encode())
    got = [(await terminal.stdout.readline()).decode().rstrip() for _ in answers]
    assert sorted(got) == sorted(answers)


async def chat(server: RedisServer) -> None:
    """Talk to a room that is in one process, from users that are in any."""
    script = str(Path(sys.executable).with_name("asgibridge"))
    worker = (script, "worker", "examples.chat.bot:app", "--name", "chat")
    async with AsyncExitStack() as stack:
        for _ in range(2):
            await stack.enter_async_context(program(*worker, "--source", server.url))
        await both_have_their_share(server)
        terminal = await stack.enter_async_context(
            program(sys.executable, "-m", "examples.chat.terminal", server.url)
        )
        await say(terminal, "alice: /join tea", "alice: * alice is here")
        arrival = ("alice: * bob is here", "bob: * bob is here")
        await say(terminal, "bob: /join tea", *arrival)
        await say(terminal, "bob: hi", "alice: <bob> hi")
        await say(terminal, "alice: /who", "alice: in here: alice, bob")
        assert terminal.stdin
        terminal.stdin.close()


def test_a_room_over_redis(redis_server: RedisServer) -> None:
    """Whoever is in a room hears what is said, whichever process it is in."""

    async def main() -> None:
        async with asyncio.timeout(PATIENCE):
            await chat(redis_server)

    asyncio.run(main())
