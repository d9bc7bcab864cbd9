"""What Redis and NATS both promise, against real servers."""

import asyncio
from collections import Counter

import pytest

from asgibridge.errors import LeaseLostError, SourceError
from asgibridge.servers import Backoff, FullPolicy, Limits, Message
from asgibridge.servers._partitions import partition_of
from asgibridge.servers.nats import NatsConnection, NatsLayout, NatsSource
from asgibridge.servers.redis import RedisConnection, RedisLayout, RedisSource
from asgibridge.types import ASGIApp, Envelope, MessageScope, Settlement
from tests.servers.brokers import (
    Broker,
    NatsBroker,
    Receive,
    RedisBroker,
    Send,
    Source,
    begin,
    echo,
    freeze,
    operating,
    pull_all,
    say,
    serving,
    texts_of,
    users,
    vanish,
)
from tests.staging import PATIENCE


@pytest.fixture(params=["redis", "nats"])
def broker(request: pytest.FixtureRequest) -> Broker:
    """Start a server of each kind for one test."""
    server = request.getfixturevalue(f"{request.param}_server")
    return RedisBroker(server) if request.param == "redis" else NatsBroker(server)


def test_messages_in_events_out(broker: Broker) -> None:
    """Messages are handled, removed and answered; conversations can talk."""

    async def main() -> None:
        async with operating(broker):
            await broker.publish(say("a", "1"), say("b", "@a psst"), say("a", "2"))
            async with serving(echo, broker, broker.source()):
                said = await broker.texts(3)
                await broker.wait_settled()
            assert sorted(said) == ["a said 1", "a said 2", "a said psst"]
            assert said.index("a said 1") < said.index("a said 2")

    asyncio.run(main())


def test_new_messages_wake_a_waiting_worker(broker: Broker) -> None:
    """It waits at the server, and is told, in each of its partitions."""

    async def main() -> None:
        async with operating(broker), serving(echo, broker, broker.source()):
            for number in range(8):
                await broker.publish(say(f"user{number}", "hi"))
                assert len(await broker.texts(number + 1)) == number + 1

    asyncio.run(main())


def test_a_poison_message(broker: Broker) -> None:
    """It is tried as often as allowed, then kept aside with the reason."""

    async def main() -> None:
        limits = Limits(max_deliveries=3, backoff=Backoff(initial=0.01))
        async with operating(broker):
            await broker.publish(say("a", "poison"), say("a", "food"))
            async with serving(echo, broker, broker.source(), limits):
                (dead,) = await broker.wait_dead(1)
                assert await broker.texts(1) == ["a said food"]
                await broker.wait_settled()
            assert "failed 3 times, at last with ValueError" in dead.reason
            assert "poison" in dead.text

    asyncio.run(main())


def test_a_stuck_application(broker: Broker) -> None:
    """It keeps neither its place nor its message."""

    async def stuck(scope: MessageScope, receive: Receive, send: Send) -> None:
        if (await receive())["text"] == "trap":
            await asyncio.Event().wait()
        await send({"type": "message.send", "text": "free"})

    async def main() -> None:
        # Long enough for what is not stuck, on a machine that stands still.
        limits = Limits(max_applications=1, max_deliveries=1, message_timeout=0.1)
        async with operating(broker):
            await broker.publish(say("a", "trap"), say("b", "hi"))
            async with serving(stuck, broker, broker.source(), limits):
                dead = await broker.wait_dead(1)
                assert await broker.texts(1) == ["free"]
            assert "took longer than 0.1 s" in dead[0].reason

    asyncio.run(main())


def test_a_full_inbox_that_sends_back(broker: Broker) -> None:
    """What has no room comes again from this process, and is handled."""

    async def slow(scope: MessageScope, receive: Receive, send: Send) -> None:
        while (event := await receive())["type"] == "message.receive":
            await asyncio.sleep(0.01)
            await send({"type": "message.send", "text": event["text"]})

    async def main() -> None:
        backoff = Backoff(initial=0.02, maximum=0.1)
        limits = Limits(
            inbox_size=2, full=FullPolicy.RETRY, max_deliveries=1, backoff=backoff
        )
        async with operating(broker):
            await broker.publish(*(say("a", str(number)) for number in range(20)))
            async with serving(slow, broker, broker.source(), limits):
                said = await broker.texts(20)
                await broker.wait_settled()
            assert sorted(said, key=int) == [str(number) for number in range(20)]
            assert not await broker.dead()

    asyncio.run(main())


async def shares(*sources: Source) -> None:
    """Wait until each owns its fair share."""
    goal = 4 // len(sources)
    async with asyncio.timeout(PATIENCE):
        # ASYNC110: nobody but the source itself waits for its leases.
        while any(len(one.leases.held) != goal for one in sources):  # noqa: ASYNC110
            await asyncio.sleep(0.01)


def test_scale_out_and_in(broker: Broker) -> None:
    """Partitions move at once when a process comes or goes, and are all owned."""

    async def main() -> None:
        handled: Counter[str] = Counter()
        first, second = broker.source(), broker.source()

        def application(name: str) -> ASGIApp:
            async def app(scope: MessageScope, receive: Receive, send: Send) -> None:
                await receive()
                handled[name] += 1

            return app

        # The leases last a minute: only the bell can be that quick.
        async with operating(broker):
            async with serving(application("first"), broker, first):
                await shares(first)
                async with serving(application("second"), broker, second):
                    await shares(first, second)
                    await broker.publish(*users(40))
                    await broker.wait_settled()
                    assert handled["first"] > 5
                    assert handled["second"] > 5
                await shares(first)
                await broker.publish(*users(40))
                await broker.wait_settled()
            assert handled.total() == 80

    asyncio.run(main())


def test_a_partition_waits_for_its_messages(broker: Broker) -> None:
    """It goes to the other process when the message in hand is settled."""

    async def main() -> None:
        old, new = broker.source(), broker.source()
        async with operating(broker):
            await broker.publish(*users(40))
            await old.open()
            held = await pull_all(old, 40)
            await new.open()
            await old.leases.beat()
            assert len(old.leases.active) == 2
            assert len(old.leases.held) == 4
            assert not new.leases.held
            for envelope in held:
                await old.settle(envelope, Settlement.DONE)
            await old.leases.beat()
            await new.leases.beat()
            assert len(new.leases.held) == len(old.leases.held) == 2
            await new.close()
            await old.close()
            await broker.wait_settled()

    asyncio.run(main())


def test_a_partition_does_not_wait_for_ever(broker: Broker) -> None:
    """After the patience is over it goes, and the old owner is refused."""

    async def main() -> None:
        old, new = broker.source(handover=0.001), broker.source()
        async with operating(broker):
            await broker.publish(*users(40))
            await old.open()
            held = await pull_all(old, 40)
            await new.open()
            await old.leases.beat()
            await asyncio.sleep(0.01)
            await old.leases.beat()
            await new.leases.beat()
            refused = 0
            for envelope in held:
                try:
                    await old.settle(envelope, Settlement.DONE)
                except LeaseLostError:
                    refused += 1
            assert len(await pull_all(new, refused)) == refused > 5
            await old.close()
            await new.close()

    asyncio.run(main())


def test_what_was_given_back_does_not_count(broker: Broker) -> None:
    """A message that comes again after RETRY is as good as new."""

    async def main() -> None:
        old, new = broker.source(), broker.source()
        async with operating(broker):
            await broker.publish(say("a", "x"))
            await old.open()
            (envelope,) = await pull_all(old, 1)
            await old.settle(envelope, Settlement.RETRY)
            (envelope,) = await pull_all(old, 1)
            assert envelope.delivery_count == 1
            await old.settle(envelope, Settlement.RETRY, delay=1000)
            await old.close()
            await new.open()
            (envelope,) = await pull_all(new, 1)
            assert envelope.delivery_count == 1
            await new.settle(envelope, Settlement.DONE)
            await new.settle(envelope, Settlement.DONE)  # does no harm
            await new.close()

    asyncio.run(main())


def test_a_pull_that_is_cancelled(broker: Broker) -> None:
    """What it might have returned comes with the next one, and counts once."""

    async def main() -> None:
        source = broker.source()
        async with operating(broker):
            await source.open()
            found: list[str] = []
            for number in range(30):
                await broker.publish(say("a", str(number)))
                pulling = asyncio.create_task(source.pull(5))
                # At each step of what a pull does, sooner or later.
                for _ in range(number):
                    await asyncio.sleep(0)
                pulling.cancel()
                await asyncio.wait([pulling])
                if not pulling.cancelled():
                    found += texts_of(pulling.result())
            envelopes = await pull_all(source, 30 - len(found))
            assert found + texts_of(envelopes) == [str(n) for n in range(30)]
            assert {envelope.delivery_count for envelope in envelopes} == {1}
            await source.close()

    asyncio.run(main())


async def begin_all(source: Source, given: list[Envelope]) -> list[Envelope]:
    """Give messages to applications, which has to be noted for each; return them.

    Others, if the machine stood still meanwhile: then the source has taken them
    over from itself.
    """
    while True:
        try:
            noted = await asyncio.gather(*(begin(source, one) for one in given))
        except LeaseLostError:
            given = await pull_all(source, len(given))
        else:
            assert all(noted)
            return given


def test_a_process_that_vanished(broker: Broker) -> None:
    """What it had comes again, in order, and counted; it can do no harm."""

    async def main() -> None:
        # The lease of a process that stands still between two of its steps is
        # over: it is told, and takes the partitions again.
        old, new, newest = (broker.source(lease=2.0) for _ in range(3))
        async with operating(broker):
            await broker.publish(*(say("a", str(number)) for number in range(20)))
            await old.open()
            held = await pull_all(old, 20)
            await old.settle(held[0], Settlement.DONE)
            await freeze(old)
            await new.open()
            again = await pull_all(new, 19)
            assert texts_of(again) == [str(number) for number in range(1, 20)]
            assert {envelope.delivery_count for envelope in again} == {2}
            # It goes on, and finds its lease over.
            with pytest.raises(LeaseLostError, match="may neither settle nor send"):
                await broker.sink(old).send(held[1], {"type": "x"})
            for settlement in Settlement:
                with pytest.raises(LeaseLostError, match="has another owner now"):
                    await old.settle(held[1], settlement, reason="?")
            with pytest.raises(LeaseLostError, match="has another owner now"):
                old.begin(held[1])
            assert await broker.left() == 19
            assert not await broker.sent() + await broker.dead()
            # And a third time, now that an application has all of them.
            given = await begin_all(new, again)
            await freeze(new)
            await newest.open()
            counts = {one.delivery_count for one in await pull_all(newest, 19)}
            assert counts == {envelope.delivery_count + 1 for envelope in given}
            assert counts == {3} or given is not again
            for source in (newest, new, old):
                await source.close()

    asyncio.run(main())


def test_what_no_application_saw_does_not_count(broker: Broker) -> None:
    """Processes vanish again and again: only what they gave away is counted."""

    async def main() -> None:
        async with operating(broker):
            await broker.publish(*(say("a", str(number)) for number in range(3)))
            counts: list[list[int]] = []
            for _ in range(4):
                source = broker.source()
                await source.open()
                given, *kept = await pull_all(source, 3)
                counts.append([one.delivery_count for one in (given, *kept)])
                # The first time is counted without a word to the broker.
                assert await begin(source, given) == (len(counts) > 1)
                assert not await begin(source, given)
                await vanish(broker, source)
                await source.close()
            # Who takes a message first may have given it away.
            assert counts == [[1, 1, 1], [2, 2, 2], [3, 2, 2], [4, 2, 2]]

    asyncio.run(main())


def test_what_was_given_back_is_counted_anew(broker: Broker) -> None:
    """RETRY takes the note back, and who gives the message away makes it again."""

    async def main() -> None:
        async with operating(broker):
            await broker.publish(say("a", "x"))
            for count in (1, 2, 3):
                source = broker.source()
                await source.open()
                (envelope,) = await pull_all(source, 1)
                assert envelope.delivery_count == count
                await begin(source, envelope)
                await source.settle(envelope, Settlement.RETRY)
                (envelope,) = await pull_all(source, 1)
                assert envelope.delivery_count == count
                await begin(source, envelope)
                await vanish(broker, source)
                await source.close()
            # Handed over in order: those who vanished still count, and no more.
            for _ in range(2):
                source = broker.source()
                await source.open()
                (envelope,) = await pull_all(source, 1)
                assert envelope.delivery_count == 4
                await begin(source, envelope)
                await source.settle(envelope, Settlement.RETRY, delay=1000)
                await source.close()

    asyncio.run(main())


def test_poison_takes_nobody_with_it(broker: Broker) -> None:
    """A message that ends processes is a dead letter; what waited beside it is not."""
    # Of one partition: so it is the first to come.
    neighbour = next(
        name
        for name in map("user{}".format, range(100))
        if partition_of(name, 4) == partition_of("a", 4)
    )
    poison, others = say("a", "poison"), [say("a", "food"), say(neighbour, "x")]

    async def main() -> None:
        limits = Limits(max_deliveries=3, max_applications=1, close_grace=0.01)
        async with operating(broker):
            await broker.publish(poison, *others)
            for _ in range(3):
                source, hit = broker.source(), asyncio.Event()

                async def fatal(
                    scope: MessageScope,
                    receive: Receive,
                    send: Send,
                    hit: asyncio.Event = hit,
                ) -> None:
                    while (event := await receive())["type"] == "message.receive":
                        if event["text"] == "poison":
                            hit.set()
                            await asyncio.Event().wait()
                    assert hit.is_set(), "evicted before its time"

                async with serving(fatal, broker, source, limits) as server:
                    async with asyncio.timeout(PATIENCE):
                        await hit.wait()
                    await vanish(broker, source)
                    server.stop()
                    server.stop()
            async with serving(echo, broker, broker.source(), limits):
                (dead,) = await broker.wait_dead(1)
                said = await broker.texts(2)
                await broker.wait_settled()
            assert "poison" in dead.text
            assert dead.reason == "delivered 3 times and never settled"
            assert sorted(said) == ["a said food", f"{neighbour} said x"]
            assert len(await broker.dead()) == 1

    asyncio.run(main())


def test_an_owner_that_does_not_know(
    broker: Broker, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing it settles counts; its next beat tells it."""

    async def main() -> None:
        source = broker.source()
        async with operating(broker):
            await broker.publish(say("a", "x"))
            await source.open()
            (envelope,) = await pull_all(source, 1)
            await freeze(source)
            for partition in range(4):
                await broker.steal(partition)
            # NATS has nobody there who could tell more.
            with pytest.raises((ConnectionError, LeaseLostError)):
                await source.settle(envelope, Settlement.DONE)
            await source.leases.beat()
            assert not source.leases.held
            with pytest.raises(LeaseLostError):
                await source.settle(envelope, Settlement.DONE)
            assert await broker.left() == 1
            await source.close()
            # It did not take away what is another's, either.
            assert await broker.owners() == ["another"] * 4

    asyncio.run(main())
    assert "lease of partition 0 of 'test' was lost" in caplog.text


def test_a_lease_that_is_over_is_noticed(
    broker: Broker, caplog: pytest.LogCaptureFixture
) -> None:
    """The next beat finds out, drops what is not pulled, and takes a new share."""

    async def main() -> None:
        source = broker.source()
        async with operating(broker):
            await broker.publish(say("a", "1"), say("a", "2"))
            await source.open()
            (first,) = await source.pull(1)
            for partition in range(4):
                await broker.expire(partition)
            await source.leases.beat()
            again = await pull_all(source, 2)
            assert texts_of(again) == ["1", "2"]
            assert again[0].term != first.term
            with pytest.raises(LeaseLostError):
                await source.settle(first, Settlement.DONE)
            for envelope in again:
                await source.settle(envelope, Settlement.DONE)
            await broker.wait_settled()
            await source.close()

    asyncio.run(main())
    assert "lease of partition 0 of 'test' was lost" in caplog.text


def test_a_restart_of_the_server(broker: Broker) -> None:
    """Work waits while it is away, and then goes on; nothing is lost."""

    async def main() -> None:
        arrived, leave = asyncio.Event(), asyncio.Event()

        async def app(scope: MessageScope, receive: Receive, send: Send) -> None:
            while (event := await receive())["type"] == "message.receive":
                arrived.set()
                await leave.wait()
                await send({"type": "message.send", "text": event["text"]})

        async with operating(broker):
            await broker.publish(*(say(f"user{n % 20}", str(n)) for n in range(200)))
        async with serving(app, broker, broker.source(lease=5.0, timeout=2.0)):
            await arrived.wait()
            await asyncio.to_thread(broker.server.stop)
            leave.set()
            await asyncio.sleep(0.1)  # so that it is missed
            await asyncio.to_thread(broker.server.start)
            async with operating(broker):
                await broker.wait_settled()
                said = await broker.texts(200)
        assert set(said) == {str(number) for number in range(200)}

    asyncio.run(main())


def test_no_server() -> None:
    """That may change: the error is one that is tried again."""
    sources: list[Source] = [
        RedisSource(RedisConnection("redis://127.0.0.1:1"), RedisLayout()),
        NatsSource(NatsConnection("nats://127.0.0.1:1"), NatsLayout()),
    ]

    async def main(source: Source) -> None:
        with pytest.raises(ConnectionError, match=r"127\.0\.0\.1:1 is not reachable"):
            await source.open()
        await source.close()

    for source in sources:
        asyncio.run(main(source))


def test_an_old_server(broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names both versions."""
    for name in ("redis", "nats"):
        where = f"asgibridge.servers.{name}._connection.MINIMUM_VERSION"
        monkeypatch.setattr(where, (99, 1))

    async def main() -> None:
        source = broker.source()
        with pytest.raises(SourceError, match=r"version .*\d.*; 99\.1 or later"):
            await source.open()
        await source.close()

    asyncio.run(main())


def test_messages_of_another_source(broker: Broker) -> None:
    """Source and sink belong together."""

    async def main() -> None:
        source, foreign = broker.source(), Message("a", {"type": "x"})
        with pytest.raises(TypeError, match="a message of another source than"):
            await broker.sink(source).send(foreign, {"type": "x"})
        with pytest.raises(TypeError, match="a message of another source than"):
            await source.settle(foreign, Settlement.DONE)

    asyncio.run(main())
