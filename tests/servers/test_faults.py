"""Worker processes that are killed and paused, over real brokers."""

import asyncio
import contextlib
import faulthandler
import logging
import signal
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Generator, Iterable
from pathlib import Path

import attrs
import pytest

from asgibridge.servers import Message
from asgibridge.servers.nats import NatsLayout
from asgibridge.servers.redis import RedisLayout
from tests.servers.brokers import Broker, NatsBroker, RedisBroker, operating
from tests.staging import PATIENCE

PARTITIONS = 12
# Longer than a machine stands still, or its processes lose their leases for
# that; what waits for one to be over takes as long.
LEASE = 5.0


@pytest.fixture(autouse=True)
def no_dump() -> None:
    """Let a test take as long as the machine does: each wait has a net of its own.

    pytest dumps the threads of one that takes long, from another thread, which on
    a busy machine ended Python 3.11 in the middle of the dump.
    """
    faulthandler.cancel_dump_traceback_later()


@pytest.fixture(params=["redis", "nats"])
def broker(request: pytest.FixtureRequest) -> Broker:
    """Start a server of each kind for one test."""
    server = request.getfixturevalue(f"{request.param}_server")
    if request.param == "redis":
        return RedisBroker(server, RedisLayout("fault", PARTITIONS))
    return NatsBroker(server, NatsLayout("fault", PARTITIONS))


@attrs.define(eq=False)
class Worker:
    """A process that handles messages; what it sends and its log go to files."""

    process: "subprocess.Popen[bytes]"
    output: Path
    log: Path

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def handled(self) -> int:
        """Return how many events it says that it has sent."""
        return self.output.read_bytes().count(b"\n")

    def has_lost_a_lease(self) -> bool:
        """Return whether it says that it was not heard of for too long."""
        return "was lost" in self.log.read_text()


async def wait_handled(workers: Iterable[Worker], count: int) -> None:
    """Wait until each of them has sent so many events, by its own account.

    The broker would have to be asked for all events to know who sent them: a
    slow machine would not get to do anything else.
    """
    for one in workers:
        most = one.handled()
        async with asyncio.timeout(PATIENCE) as net:
            while (handled := one.handled()) < count:
                if handled > most:
                    most = handled
                    net.reschedule(asyncio.get_running_loop().time() + PATIENCE)
                await asyncio.sleep(0.01)


@contextlib.contextmanager
def worker(
    broker: Broker,
    name: str,
    directory: Path,
    *,
    lease: float,
    effort: float | Path,
    quota: tuple[int, Path] | None = None,
) -> Generator[Worker, None, None]:
    """Run a worker process while the block is; for the rest see its script."""
    script = str(Path(__file__).with_name("fault_worker.py"))
    command = [sys.executable, script, broker.server.url, name, str(lease), str(effort)]
    command += map(str, quota or ())
    output, log = directory / f"{name}.out", directory / f"{name}.log"
    with output.open("wb") as out, log.open("wb") as err:
        # S603: the test's own script.
        process = subprocess.Popen(command, stdout=out, stderr=err)  # noqa: S603
        try:
            yield Worker(process, output, log)
        finally:
            process.send_signal(signal.SIGCONT)
            process.terminate()
            process.wait(timeout=PATIENCE)


async def publish(broker: Broker, count: int, scopes: int, first: int = 0) -> None:
    """Publish numbered messages, in turn to each of some conversations."""
    for start in range(first, first + count, 500):
        await broker.publish(
            *(
                Message(f"user{n % scopes}", {"type": "message.receive", "n": n})
                for n in range(start, min(start + 500, first + count))
            )
        )


async def wait_workers(broker: Broker, count: int) -> None:
    """Wait until so many processes own a fair share each."""

    async def enough() -> bool:
        shares = sorted(Counter(await broker.owners()).values())
        return shares == [PARTITIONS // count] * count

    await broker.wait(enough)


async def wait_sent(broker: Broker, count: int) -> None:
    """Wait until so many events were sent."""

    async def enough() -> bool:
        return await broker.count_sent() >= count

    await broker.wait(enough)


async def wait_in_hand(broker: Broker, count: int) -> None:
    """Wait until so many messages were taken and are not settled."""

    async def enough() -> bool:
        return await broker.in_hand() >= count

    await broker.wait(enough)


async def sent_by(broker: Broker) -> list[tuple[int, str]]:
    """Return which messages were handled, by whom, in order."""
    return [(event["n"], event["by"]) for event in await broker.sent()]


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


def check_twice(sent: list[tuple[int, str]], scopes: int, killed: str) -> None:
    """Check that only what a killed worker had sent and not settled came twice."""
    first: dict[int, str] = {}
    left_behind: Counter[int] = Counter()
    for number, name in sent:
        if number in first:
            assert first[number] == killed
            left_behind[number % scopes] += 1
        first.setdefault(number, name)
    # It had one message of each conversation in its hands.
    assert set(left_behind.values()) == {1}


def test_kill_one_of_three(broker: Broker, tmp_path: Path) -> None:
    """kill -9 with hundreds of messages in hand: all handled, and in order.

    Each worker stops when it has had its share, so however slow the machine is,
    there is enough left in all hands, and of each something sent and not settled.
    """
    count, scopes, gate = 20_000, 1000, tmp_path / "gate"

    async def main() -> None:
        async with operating(broker):
            with contextlib.ExitStack() as stack:
                workers = [
                    stack.enter_context(
                        worker(
                            broker,
                            name,
                            tmp_path,
                            lease=LEASE,
                            effort=0.05,
                            quota=(400, gate),
                        )
                    )
                    for name in "abc"
                ]
                killed = workers[0]
                await wait_workers(broker, 3)
                await publish(broker, count, scopes)
                await wait_handled(workers, 400)

                async def has_hundreds() -> bool:
                    return await broker.in_hand(killed.process.pid) > 300

                # Unless the machine stood still and another worker has them now.
                await broker.wait(has_hundreds)
                killed.signal(signal.SIGKILL)
                in_hand = await broker.in_hand()
                gate.touch()
                await broker.wait_settled()
                sent = await sent_by(broker)
                went_well = not any(one.has_lost_a_lease() for one in workers)
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
        assert 0 < duplicates <= in_hand
        if went_well:  # the machine: else others have left something behind, too
            check_twice(sent, scopes, killed="a")
        assert min(by.values()) > 300

    asyncio.run(main())


def test_pause_one_past_its_lease(broker: Broker, tmp_path: Path) -> None:
    """SIGSTOP, takeover, SIGCONT: the fenced one sends and settles nothing."""
    count, scopes, gate = 300, 300, tmp_path / "gate"

    async def main() -> None:
        async with operating(broker):
            with contextlib.ExitStack() as stack:

                def start(name: str, effort: float | Path) -> Worker:
                    return stack.enter_context(
                        worker(broker, name, tmp_path, lease=LEASE, effort=effort)
                    )

                paused = start("paused", gate)
                await wait_workers(broker, 1)
                await publish(broker, count, scopes)
                await wait_in_hand(broker, count)
                paused.signal(signal.SIGSTOP)
                start("other", 0.0)
                # It has handled everything that the paused one has in hand.
                await wait_sent(broker, count)
                await broker.wait_settled()
                gate.touch()
                paused.signal(signal.SIGCONT)
                # Both work on, and each has its share again.
                await wait_workers(broker, 2)
                await publish(broker, count, scopes, first=count)
                await broker.wait_settled()
                sent = await sent_by(broker)
        assert check(sent, 2 * count, scopes) == 0
        by = [
            Counter(name for _, name in part) for part in (sent[:count], sent[count:])
        ]
        assert by[0] == {"other": count}
        assert min(by[1].values()) > 50
        assert set(by[1]) == {"paused", "other"}
        assert "was lost: this process was stopped" in paused.log.read_text()

    asyncio.run(main())


def test_restart_the_broker_under_load(broker: Broker, tmp_path: Path) -> None:
    """Workers wait for it, and nothing is lost."""
    count, scopes = 3000, 300
    log = tmp_path / "a.log"

    async def main() -> None:
        with contextlib.ExitStack() as stack:
            for name in "ab":
                stack.enter_context(
                    worker(broker, name, tmp_path, lease=LEASE, effort=0.02)
                )
            async with operating(broker):
                await wait_workers(broker, 2)
                await publish(broker, count, scopes)
                await wait_sent(broker, 300)
            broker.server.stop()
            # Back only when a worker has noticed: a quick restart may go unseen.
            async with asyncio.timeout(PATIENCE):
                while "is not reachable" not in log.read_text():  # noqa: ASYNC110  # another process writes it
                    await asyncio.sleep(0.01)
            broker.server.start()
            async with operating(broker):
                await broker.wait_settled()
                check(await sent_by(broker), count, scopes)

    asyncio.run(main())


def test_stop_one_of_two(broker: Broker, tmp_path: Path) -> None:
    """SIGTERM: it finishes what it has, hands over, and nothing comes twice."""
    count, scopes = 2000, 200

    async def main() -> None:
        async with operating(broker):
            # Leases that outlast the test: they are handed over.
            with worker(broker, "stays", tmp_path, lease=600, effort=0.01):
                await wait_workers(broker, 1)
                with worker(broker, "goes", tmp_path, lease=600, effort=0.01) as goes:
                    await wait_workers(broker, 2)
                    await publish(broker, count, scopes)
                    await wait_handled([goes], 1)
                    await wait_sent(broker, 200)
                await broker.wait_settled()
                sent = await sent_by(broker)
        assert check(sent, count, scopes) == 0
        assert set(Counter(name for _, name in sent)) == {"stays", "goes"}

    asyncio.run(main())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_a_worker(
    broker: Broker, tmp_path: Path, number: signal.Signals
) -> None:
    """With exit code 0, and without a traceback."""

    async def main() -> None:
        with worker(broker, "one", tmp_path, lease=600, effort=0) as one:
            async with operating(broker):
                await wait_workers(broker, 1)
                one.signal(number)
                assert await asyncio.to_thread(one.process.wait, PATIENCE) == 0
                assert not await broker.owners()
        assert "Traceback" not in one.log.read_text()

    asyncio.run(main())
