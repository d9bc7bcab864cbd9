"""What only NATS JetStream has, against a real server."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from typing import Protocol

import pytest
from nats import errors

from asgibridge.errors import SourceError
from asgibridge.servers import Limits, StatelessServer
from asgibridge.servers._lease import token_of
from asgibridge.servers.nats import (
    NatsConnection,
    NatsLayout,
    NatsSink,
    NatsSource,
)
from asgibridge.servers.nats._intake import Intake
from asgibridge.servers.nats._layout import key_subject, stream_of
from asgibridge.servers.nats._store import NatsLeaseStore
from asgibridge.types import MessageScope, Settlement
from tests.servers.brokers import (
    NatsBroker,
    Receive,
    Send,
    begin,
    echo,
    operating,
    pull_all,
    say,
    serving,
    vanish,
)
from tests.staging import PATIENCE

LAYOUT = NatsLayout("test", 4)


class NatsServer(Protocol):
    """The server of the fixture."""

    port: int

    @property
    def url(self) -> str: ...
    def start(self, *options: str) -> None: ...
    def stop(self) -> None: ...


@contextlib.asynccontextmanager
async def client_of(server: NatsServer) -> AsyncGenerator[NatsBroker, None]:
    """Connect as an operator; the streams are there."""
    broker = NatsBroker(server)
    async with operating(broker):
        yield broker


def source_at(
    server: NatsServer, *, lease: float = 60.0, ack_wait: float = 30.0
) -> NatsSource:
    """Return a source whose leases do not expire within a test."""
    return NatsBroker(server).source(lease=lease, ack_wait=ack_wait)


def test_messages_by_hand(nats_server: NatsServer) -> None:
    """A text is enough; what is no message becomes a dead letter."""

    async def main() -> None:
        async with client_of(nats_server) as client:
            subject = LAYOUT.subject_for("me")
            for payload in (b'{"scope_id":"me","text":"typed"}', b"{bad", b"\xff"):
                await client.js.publish(subject, payload)
            async with serving(echo, client, client.source()):
                assert await client.texts(1) == ["me said typed"]
                await client.wait_settled()
            dead = await client.stored(LAYOUT.dead_stream)
            assert [message.data for message in dead] == [b"{bad", b"\xff"]
            reasons = [message.headers["Asgibridge-Reason"] for message in dead]
            assert "not JSON" in reasons[0]
            assert "not UTF-8" in reasons[1]
            assert dead[0].headers["Asgibridge-Subject"] == subject

    asyncio.run(main())


def test_a_slow_application(nats_server: NatsServer) -> None:
    """What is in progress is not delivered again, however long it takes."""

    async def slow(scope: MessageScope, receive: Receive, send: Send) -> None:
        await receive()
        await asyncio.sleep(1.5)
        await send({"type": "message.send", "text": "done"})

    async def main() -> None:
        async with client_of(nats_server) as client:
            await client.publish(say("a", "x"))
            async with serving(slow, client, client.source(ack_wait=0.5)):
                await client.wait_settled()
            assert await client.texts(1) == ["done"]

    asyncio.run(main())


def test_no_sign_of_life(nats_server: NatsServer) -> None:
    """What comes again meanwhile is recognised, and settled once."""

    async def main() -> None:
        source = source_at(nats_server, ack_wait=0.2)
        async with client_of(nats_server) as client:
            await client.publish(say("a", "x"))
            await source.open()
            assert source._signing is not None
            source._signing.cancel()
            (envelope,) = await source.pull(5)
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.6):
                    await source.pull(5)
            await source.settle(envelope, Settlement.DONE)
            await client.wait_settled()
            await source.close()

    asyncio.run(main())


def test_signs_for_what_nobody_asked_for(
    nats_server: NatsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was fetched while the server is busy is in progress, too."""
    # Nobody asks again meanwhile.
    monkeypatch.setattr("asgibridge.servers.nats._intake._FETCH_SECONDS", PATIENCE)

    async def main() -> None:
        source = source_at(nats_server)
        async with client_of(nats_server) as client:
            await source.open()
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.05):
                    await source.pull(5)  # leaves its fetches on their way
            await client.publish(say("a", "x"))
            async with asyncio.timeout(PATIENCE):
                # ASYNC110: nobody waits for a fetch meanwhile.
                while not source._intake.unsettled():  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
            (message,) = source._intake.unsettled()
            assert b'"x"' in message.data
            (envelope,) = await source.pull(5)
            assert envelope.delivery_count == 1
            assert source._intake.unsettled() == [message]
            await source.settle(envelope, Settlement.DONE)
            await source.settle(envelope, Settlement.DONE)  # does no harm
            assert not source._intake.unsettled()
            await source.close()

    asyncio.run(main())


def test_a_consumer_that_vanishes(
    nats_server: NatsServer,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An operator's mistake is reported; another consumer is made."""
    monkeypatch.setattr("asgibridge.servers.nats._intake._FETCH_SECONDS", 0.2)

    async def main() -> None:
        source = source_at(nats_server)
        async with client_of(nats_server) as client, serving(echo, client, source):
            await client.publish(say("a", "1"))
            await client.texts(1)
            for info in await client.js.consumers_info(LAYOUT.stream):
                await client.js.delete_consumer(LAYOUT.stream, info.name)
            await client.publish(say("a", "2"))
            assert await client.texts(2) == ["a said 1", "a said 2"]

    asyncio.run(main())
    assert "has vanished" in caplog.text


def test_wrong_credentials(nats_server: NatsServer) -> None:
    """The error says so, hides the password, and nobody tries for ever."""
    nats_server.stop()
    nats_server.start("--user", "me", "--pass", "right")

    async def main() -> None:
        for user in ("", "me:wrong@"):
            url = nats_server.url.replace("//", f"//{user}")
            source = NatsSource(NatsConnection(url), LAYOUT)
            with pytest.raises(SourceError, match="refuses the credentials") as caught:
                await StatelessServer(
                    echo, source, NatsSink(source), lifespan="off"
                ).serve()
            assert "wrong@" not in str(caught.value)
        url = nats_server.url.replace("//", "//me:right@")
        connection = NatsConnection(url)
        await connection.open()
        await connection.close()

    asyncio.run(main())


def test_no_jetstream(nats_server: NatsServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says how to get it."""

    async def main() -> None:
        connection = NatsConnection(nats_server.url)
        await connection.open()
        # As an account without it answers.
        monkeypatch.setattr(connection.js, "_prefix", "$NOBODY.API")
        with pytest.raises(SourceError, match="start it with --jetstream"):
            await connection.open()
        await connection.close()

    asyncio.run(main())


@pytest.mark.parametrize(
    "url", ["nats://host:port", "nats://:4222", "host", "http://h:1", "nats://host"]
)
def test_no_address(url: str) -> None:
    """A URL that nats-py does not understand."""

    async def main() -> None:
        with pytest.raises(SourceError, match="as the address of a NATS server"):
            await NatsConnection(url).open()

    asyncio.run(main())


def test_what_processes_must_agree_on(nats_server: NatsServer) -> None:
    """Other numbers are refused, and so is a missing stream."""

    async def main() -> None:
        connection = NatsConnection(nats_server.url)
        strict = NatsSource(connection, LAYOUT, create=False)
        with pytest.raises(SourceError, match="no stream 'test-in'"):
            await strict.open()
        async with client_of(nats_server):
            await strict.open()
            other = NatsSource(connection, NatsLayout("test", 5))
            with pytest.raises(SourceError, match="for 'asgibridge: 4 partitions'"):
                await other.open()
            hasty = source_at(nats_server, lease=1.0)
            with pytest.raises(SourceError, match="the same lease_seconds"):
                await hasty.open()
            await hasty.close()
            await strict.close()

    asyncio.run(main())


def test_an_event_that_is_too_large(nats_server: NatsServer) -> None:
    """What the server will never take is the application's to know."""

    async def app(scope: MessageScope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "message.send", "text": "x" * 2_000_000})

    async def main() -> None:
        limits = Limits(max_deliveries=1)
        async with client_of(nats_server) as client:
            await client.publish(say("a", "x"))
            async with serving(app, client, client.source(), limits):
                (dead,) = await client.wait_dead(1)
        assert "MaxPayloadError" in dead.reason

    asyncio.run(main())


def test_the_answer_to_a_renewal_is_lost(nats_server: NatsServer) -> None:
    """The key says whose it is; without a key it is nobody's, and taken again."""

    async def main() -> None:
        source = source_at(nats_server)
        async with client_of(nats_server) as client:
            await source.open()
            before = dict(source.leases.held)
            bucket = await client.js.key_value(LAYOUT.leases)
            await bucket.put("owner.0", source.owner.encode())
            await bucket.delete("owner.1")
            await source.leases.beat()
            after = source.leases.held
            assert after[0] is before[0]
            assert after[1] is not before[1]
            assert before[1].is_lost
            await source.close()

    asyncio.run(main())


def test_two_are_quick(
    nats_server: NatsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A key can be made by one only; the other goes on without."""

    async def main() -> None:
        async with client_of(nats_server) as client:
            source = source_at(nats_server)
            await source.open()
            bucket = await client.js.key_value(LAYOUT.leases)
            await bucket.create("owner.4", b"another")
            assert await source._store._acquire(4) is None

            async def nobody(_: object, _partition: int) -> None:
                return None

            # As it was when it looked, a moment ago.
            monkeypatch.setattr(NatsLeaseStore, "_owner_of", nobody)
            assert [one async for one in source._store.acquire(1, ())] == []
            monkeypatch.undo()
            await source.close()

    asyncio.run(main())


def test_an_event_that_is_sent_again(
    nats_server: NatsServer,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """What the server did not take is tried again, and stored once."""

    async def main() -> None:
        publish, failures = NatsConnection.publish, [errors.TimeoutError()]

        async def failing(
            connection: NatsConnection,
            subject: str,
            payload: bytes,
            headers: dict[str, str],
        ) -> None:
            # The answer is lost, not the message.
            await publish(connection, subject, payload, headers)
            if failures:
                raise failures.pop()

        monkeypatch.setattr(NatsConnection, "publish", failing)
        async with client_of(nats_server) as client:
            await client.publish(say("a", "1"))
            async with serving(echo, client, client.source()):
                await client.wait_settled()
            assert await client.texts(1) == ["a said 1"]

    asyncio.run(main())
    assert "NATS took no event" in caplog.text


def test_settled_and_not_noted(nats_server: NatsServer) -> None:
    """A settlement that was cancelled after it worked can be made again."""

    async def main() -> None:
        source = source_at(nats_server)
        async with client_of(nats_server) as client:
            await client.publish(say("a", "1"))
            await source.open()
            (envelope,) = await pull_all(source, 1)
            token = token_of(envelope, "NatsSource")
            lease = source.leases.find(token)
            await lease.known[token.id].ack_sync()
            await source.settle(envelope, Settlement.DONE)
            assert token.id not in lease.known
            await source.close()

    asyncio.run(main())


def test_fetching_from_nobody(
    nats_server: NatsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What ends at once without a message is an error, and not asked for busily."""

    class Nobody:
        async def fetch(self, *_: object, **__: object) -> None:
            raise errors.TimeoutError

    async def main() -> None:
        source = source_at(nats_server)
        async with client_of(nats_server):
            await source.open()
            for lease in source.leases.held.values():
                monkeypatch.setattr(lease, "subscription", Nobody())
            with pytest.raises(ConnectionError, match="does not answer"):
                await source.pull(5)
            await source.close()

    asyncio.run(main())


def test_a_key_that_was_made_before(nats_server: NatsServer) -> None:
    """A process owns what its name is on, though it never heard that it does."""

    async def main() -> None:
        source = source_at(nats_server)
        async with client_of(nats_server) as client:
            await source.connection.open()
            await source._store.open(source.leases.look)
            bucket = await client.js.key_value(LAYOUT.leases)
            made = await bucket.create("owner.2", source.owner.encode())
            await source.leases.open()
            assert set(source.leases.held) == {0, 1, 2, 3}
            term = source.leases.held[2].term
            assert isinstance(term, int)
            assert term > made
            await source.leases.close()
            await source.connection.close()

    asyncio.run(main())


def test_processes_that_come_at_once(nats_server: NatsServer) -> None:
    """Each of them counts all others, though all tell that they are alive."""

    async def main() -> None:
        sources = [source_at(nats_server) for _ in range(4)]
        async with client_of(nats_server):
            for source in sources:
                await source.connection.open()
                await source._store.open(source.leases.look)
                await source._store.enter()
            for _ in range(10):
                counts = await asyncio.gather(*(one._store.enter() for one in sources))
                assert counts == [4] * 4
            await sources[0]._store.leave()
            assert await sources[1]._store.enter() == 3
            for source in sources:
                await source.connection.close()

    asyncio.run(main())


def test_signs_of_life_that_fail(
    nats_server: NatsServer,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The next ones are sent all the same."""
    failures = [errors.OutboundBufferLimitError()]

    class Message:
        async def in_progress(self) -> None:
            if failures:
                raise failures.pop()
            arrived.set()

    arrived = asyncio.Event()

    async def main() -> None:
        source = source_at(nats_server, ack_wait=0.03)
        async with client_of(nats_server):
            await source.open()
            monkeypatch.setattr(Intake, "unsettled", lambda _: [Message()])
            async with asyncio.timeout(PATIENCE):
                await arrived.wait()
            await source.close()

    asyncio.run(main())
    assert "NATS was told of no progress: OutboundBufferLimitError" in caplog.text


async def counts_of(source: NatsSource, client: NatsBroker, number: int) -> list[int]:
    """Return how often messages were delivered, to the last owner who pulled some."""
    await source.open()
    counts = [one.delivery_count for one in await pull_all(source, number)]
    await vanish(client, source)
    await source.close()
    return counts


def test_a_hasty_owner_lowers_no_count(nats_server: NatsServer) -> None:
    """What came to an owner who vanished came to somebody, whatever the next one got."""

    async def main() -> None:
        async with client_of(nats_server) as client:
            await client.publish(*(say("a", str(number)) for number in range(3)))
            assert await counts_of(client.source(), client, 3) == [1, 1, 1]
            hasty = client.source()
            await hasty.open()
            await hasty.pull(1)  # fetches no more
            await vanish(client, hasty)
            await hasty.close()
            assert await counts_of(client.source(), client, 3) == [2, 2, 2]

    asyncio.run(main())


@pytest.mark.parametrize("settlement", [Settlement.DONE, Settlement.DEAD])
def test_no_count_is_kept_of_what_is_settled(
    nats_server: NatsServer, settlement: Settlement
) -> None:
    """Only the floors stay, one for each partition."""

    async def notes(client: NatsBroker) -> list[str]:
        # Asked of the server: the client's keys() may miss what came too early.
        prefix = key_subject(LAYOUT.counts, "")
        info = await client.js.stream_info(
            stream_of(LAYOUT.counts), subjects_filter=f"{prefix}>"
        )
        keys = [one.removeprefix(prefix) for one in info.state.subjects or ()]
        assert any(key.startswith("floor.") for key in keys)
        return [key for key in keys if not key.startswith("floor.")]

    async def main() -> None:
        async with client_of(nats_server) as client:
            await client.publish(say("a", "x"))
            assert await counts_of(client.source(), client, 1) == [1]
            source = client.source()
            await source.open()
            (envelope,) = await pull_all(source, 1)
            assert not await notes(client)
            assert await begin(source, envelope)
            assert len(await notes(client)) == 1
            await source.settle(envelope, settlement, reason="?")
            assert not await notes(client)
            await source.close()

    asyncio.run(main())


def test_a_stream_that_is_made_anew(nats_server: NatsServer) -> None:
    """Its numbers begin anew, and what was counted was of other messages."""

    async def main() -> None:
        async with client_of(nats_server) as client:
            await client.publish(say("a", "x"))
            assert await counts_of(client.source(), client, 1) == [1]
            for stream in (LAYOUT.stream, LAYOUT.out_stream, LAYOUT.dead_stream):
                await client.js.delete_stream(stream)
        async with client_of(nats_server) as client:
            await client.publish(say("a", "y"))
            assert await counts_of(client.source(), client, 1) == [1]

    asyncio.run(main())


def test_nothing_is_sent_later(nats_server: NatsServer) -> None:
    """What cannot be sent now is not kept: the right to send it may be over."""

    async def main() -> None:
        connection = NatsConnection(nats_server.url)
        await connection.open()
        async with client_of(nats_server):
            pass
        await asyncio.to_thread(nats_server.stop)
        async with asyncio.timeout(PATIENCE):
            # ASYNC110: nats-py tells in a callback that is taken.
            while connection.client.is_connected:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        with pytest.raises(ConnectionError, match=r"NATS at nats://.* is not reach"):
            await connection.publish(LAYOUT.out, b"{}", {})
        await asyncio.to_thread(nats_server.start)
        async with client_of(nats_server) as client:
            async with asyncio.timeout(PATIENCE):
                while not connection.client.is_connected:  # noqa: ASYNC110 - as above
                    await asyncio.sleep(0.01)
            await connection.publish(LAYOUT.out, b'{"event": {"n": 1}}', {})
            assert await client.sent() == [{"n": 1}]
        await connection.close()

    asyncio.run(main())
