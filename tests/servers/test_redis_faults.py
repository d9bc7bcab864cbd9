"""Worker processes that are killed and paused, over a real Redis server."""

import asyncio
import contextlib
import json
import logging
import signal
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import AsyncGenerator, Generator
from pathlib import Path
from typing import Any, Protocol

import attrs
import pytest

from asgibridge.servers import Message
from asgibridge.servers.redis import RedisConnection, RedisLayout, RedisPublisher
from tests.staging import PATIENCE

LAYOUT = RedisLayout("fault", 12)


class RedisServer(Protocol):
    """The server of the fixture."""

    url: str

    def start(self) -> None: ...
    def stop(self) -> None: ...


@attrs.define(eq=False)
class Worker:
    """A process that handles messages; its log goes to a file."""

    process: "subprocess.Popen[bytes]"
    log: Path

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)


@contextlib.contextmanager
def worker(
    server: RedisServer, name: str, directory: Path, *, lease: float, seconds: float
) -> Generator[Worker, None, None]:
    """Run a worker process while the block is."""
    script = str(Path(__file__).with_name("fault_worker.py"))
    command = [sys.executable, script, server.url, name, str(lease), str(seconds)]
    log = directory / f"{name}.log"
    with log.open("wb") as file:
        # S603: the test's own script.
        process = subprocess.Popen(command, stderr=file)  # noqa: S603
        try:
            yield Worker(process, log)
        finally:
            process.send_signal(signal.SIGCONT)
            process.terminate()
            process.wait(timeout=PATIENCE)


@attrs.define(eq=False)
class Operator:
    """Publishes messages, and reads what the workers sent."""

    connection: RedisConnection

    async def publish(self, count: int, scopes: int, first: int = 0) -> None:
        """Publish numbered messages, in turn to each of some conversations."""
        publisher = RedisPublisher(self.connection, LAYOUT)
        for start in range(first, first + count, 500):
            await publisher.publish(
                *(
                    Message(f"user{n % scopes}", {"type": "message.receive", "n": n})
                    for n in range(start, min(start + 500, first + count))
                )
            )

    async def owners(self) -> Counter[str]:
        """Return how many partitions each worker owns."""
        keys = [LAYOUT.lease(number) for number in range(LAYOUT.partitions)]
        found: Any = await self.connection.command("MGET", *keys)
        return Counter(value.decode() for value in found if value)

    async def wait_workers(self, count: int) -> None:
        """Wait until so many processes own a fair share each."""
        async with asyncio.timeout(PATIENCE):
            while True:
                values: Counter[str] = Counter()
                for value, number in (await self.owners()).items():
                    values[value.rpartition(":")[0]] += number
                if sorted(values.values()) == [LAYOUT.partitions // count] * count:
                    return
                await asyncio.sleep(0.02)

    async def in_hand(self) -> int:
        """Return how many messages were taken and are not settled."""
        total = 0
        for number in range(LAYOUT.partitions):
            pending: Any = await self.connection.command(
                "XPENDING", LAYOUT.stream(number), "workers"
            )
            total += pending["pending"]
        return total

    async def sent(self) -> list[tuple[int, str]]:
        """Return which messages were handled, by whom, in order."""
        found: Any = await self.connection.command("XRANGE", LAYOUT.out, "-", "+")
        events = [json.loads(fields[b"event"]) for _, fields in found]
        return [(event["n"], event["by"]) for event in events]

    async def count_sent(self) -> int:
        return int(await self.connection.command("XLEN", LAYOUT.out))

    async def wait_sent(self, count: int) -> None:
        async with asyncio.timeout(PATIENCE):
            # ASYNC110: an operator has nothing but the length to look at.
            while await self.count_sent() < count:  # noqa: ASYNC110
                await asyncio.sleep(0.01)

    async def wait_settled(self) -> None:
        """Wait until no message is left, neither new nor in hand."""
        async with asyncio.timeout(PATIENCE):
            for number in range(LAYOUT.partitions):
                stream = LAYOUT.stream(number)
                # ASYNC110: Redis tells nobody that an entry is deleted.
                while await self.connection.command("XLEN", stream):  # noqa: ASYNC110
                    await asyncio.sleep(0.02)


@contextlib.asynccontextmanager
async def operating(server: RedisServer) -> AsyncGenerator[Operator, None]:
    connection = RedisConnection(server.url)
    await connection.open()
    try:
        yield Operator(connection)
    finally:
        await connection.close()


def check(sent: list[tuple[int, str]], count: int, scopes: int) -> int:
    """Check that all were handled, in order; return how many more than once."""
    seen: defaultdict[int, list[int]] = defaultdict(list)
    times: Counter[int] = Counter()
    for number, _ in sent:
        times[number] += 1
        if times[number] == 1:
            seen[number % scopes].append(number)
    assert set(times) == set(range(count)), "lost"
    for numbers in seen.values():
        assert numbers == sorted(numbers), "out of order"
    return times.total() - count


def test_kill_one_of_three(redis_server: RedisServer, tmp_path: Path) -> None:
    """kill -9 with hundreds of messages in hand: all handled, and in order."""
    count, scopes = 20_000, 1000

    async def main() -> None:
        with contextlib.ExitStack() as stack:
            workers = [
                stack.enter_context(
                    worker(redis_server, name, tmp_path, lease=1.5, seconds=0.05)
                )
                for name in "abc"
            ]
            async with operating(redis_server) as operator:
                await operator.wait_workers(3)
                await operator.publish(count, scopes)
                await operator.wait_sent(2000)
                workers[0].signal(signal.SIGKILL)
                in_hand = await operator.in_hand()
                await operator.wait_settled()
                sent = await operator.sent()
        duplicates = check(sent, count, scopes)
        by = Counter(name for _, name in sent)
        # Seen with -o log_cli=true --log-level=INFO.
        logging.getLogger(__name__).info(
            "%d in hand, %d handled twice, %s", in_hand, duplicates, dict(by)
        )
        # Those of all three; the killed one had about a third.
        assert in_hand > 300
        # Only what it had in hand can come twice, and only what it had sent
        # and not yet settled does.
        assert duplicates <= in_hand
        assert min(by.values()) > 300

    asyncio.run(main())


def test_pause_one_past_its_lease(redis_server: RedisServer, tmp_path: Path) -> None:
    """SIGSTOP, takeover, SIGCONT: the fenced one sends and settles nothing."""
    count, scopes = 300, 300

    async def main() -> None:
        with contextlib.ExitStack() as stack:

            def start(name: str, seconds: float) -> Worker:
                return stack.enter_context(
                    worker(redis_server, name, tmp_path, lease=0.6, seconds=seconds)
                )

            async with operating(redis_server) as operator:
                paused = start("paused", 0.5)
                await operator.wait_workers(1)
                await operator.publish(count, scopes)
                async with asyncio.timeout(PATIENCE):
                    # ASYNC110: as above.
                    while await operator.in_hand() < count:  # noqa: ASYNC110
                        await asyncio.sleep(0.005)
                paused.signal(signal.SIGSTOP)
                assert await operator.count_sent() == 0
                start("other", 0.0)
                # It has handled everything that the paused one has in hand.
                await operator.wait_sent(count)
                await operator.wait_settled()
                paused.signal(signal.SIGCONT)
                # Both work on, and each has its share again.
                await operator.wait_workers(2)
                await operator.publish(count, scopes, first=count)
                await operator.wait_settled()
                sent = await operator.sent()
        assert check(sent, 2 * count, scopes) == 0
        by = [
            Counter(name for _, name in part) for part in (sent[:count], sent[count:])
        ]
        assert by[0] == {"other": count}
        assert min(by[1].values()) > 50
        assert set(by[1]) == {"paused", "other"}
        assert "was lost: this process was stopped" in paused.log.read_text()

    asyncio.run(main())


def test_restart_the_broker_under_load(
    redis_server: RedisServer, tmp_path: Path
) -> None:
    """Workers wait for it, and nothing is lost."""
    count, scopes = 3000, 300
    log = tmp_path / "a.log"

    async def main() -> None:
        with contextlib.ExitStack() as stack:
            for name in "ab":
                stack.enter_context(
                    worker(redis_server, name, tmp_path, lease=2, seconds=0.02)
                )
            async with operating(redis_server) as operator:
                await operator.wait_workers(2)
                await operator.publish(count, scopes)
                await operator.wait_sent(300)
            redis_server.stop()
            # Back only when a worker has noticed: a quick restart may go unseen.
            async with asyncio.timeout(PATIENCE):
                while "Redis is not reachable" not in log.read_text():  # noqa: ASYNC110  # another process writes it
                    await asyncio.sleep(0.01)
            redis_server.start()
            async with operating(redis_server) as operator:
                await operator.wait_settled()
                check(await operator.sent(), count, scopes)

    asyncio.run(main())


def test_stop_one_of_two(redis_server: RedisServer, tmp_path: Path) -> None:
    """SIGTERM: it finishes what it has, hands over, and nothing comes twice."""
    count, scopes = 2000, 200

    async def main() -> None:
        with worker(redis_server, "stays", tmp_path, lease=30, seconds=0.01):
            async with operating(redis_server) as operator:
                await operator.wait_workers(1)
                with worker(redis_server, "goes", tmp_path, lease=30, seconds=0.01):
                    await operator.wait_workers(2)
                    await operator.publish(count, scopes)
                    await operator.wait_sent(200)
                # Leases last half a minute: they were handed over.
                await operator.wait_settled()
                sent = await operator.sent()
        assert check(sent, count, scopes) == 0
        assert set(Counter(name for _, name in sent)) == {"stays", "goes"}

    asyncio.run(main())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_a_worker(
    redis_server: RedisServer, tmp_path: Path, number: signal.Signals
) -> None:
    """With exit code 0, and without a traceback."""

    async def main() -> None:
        with worker(redis_server, "one", tmp_path, lease=30, seconds=0) as one:
            async with operating(redis_server) as operator:
                await operator.wait_workers(1)
                one.signal(number)
                assert await asyncio.to_thread(one.process.wait, 20) == 0
                assert not await operator.owners()
        assert "Traceback" not in one.log.read_text()

    asyncio.run(main())
