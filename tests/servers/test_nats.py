"""NATS JetStream, against a real server."""

import asyncio
import contextlib
import json
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any, Protocol

import attrs
import pytest
from nats import errors

from asgibridge.errors import LeaseLostError, SourceError
from asgibridge.servers import Backoff, FullPolicy, Limits, Message, StatelessServer
from asgibridge.servers.nats import (
    NatsConnection,
    NatsLayout,
    NatsPublisher,
    NatsSink,
    NatsSource,
)
from asgibridge.servers.nats._leases import Leases
from asgibridge.types import (
    ASGIApp,
    Envelope,
    MessageEvent,
    MessageScope,
    Settlement,
)
from tests.staging import PATIENCE

Receive = Callable[[], Awaitable[MessageEvent]]
Send = Callable[[MessageEvent], Awaitable[None]]
LAYOUT = NatsLayout("test", 4)


class NatsServer(Protocol):
    """The server of the fixture."""

    port: int

    @property
    def url(self) -> str: ...
    def start(self, *options: str) -> None: ...
    def stop(self) -> None: ...


@attrs.define(eq=False)
class Client:
    """Looks at NATS as an operator does."""

    connection: NatsConnection

    @property
    def js(self) -> Any:  # noqa: ANN401 - nats-py's context
        return self.connection.js

    async def publish(self, *messages: Message) -> None:
        await NatsPublisher(self.connection, LAYOUT).publish(*messages)

    async def stored(self, stream: str) -> list[Any]:
        """Return the messages of a stream."""
        state = (await self.js.stream_info(stream)).state
        if not state.messages:
            return []
        numbers = range(state.first_seq, state.last_seq + 1)
        return [await self.js.get_msg(stream, number) for number in numbers]

    async def wait_stored(self, stream: str, count: int) -> list[Any]:
        """Wait until a stream has that many messages."""
        await self.wait(stream, lambda number: number >= count)
        return await self.stored(stream)

    async def wait_settled(self) -> None:
        """Wait until no message is left."""
        await self.wait(LAYOUT.stream, lambda number: number == 0)

    async def wait(self, stream: str, enough: Callable[[int], bool]) -> None:
        async with asyncio.timeout(PATIENCE):
            while True:
                info = await self.js.stream_info(stream)
                if enough(info.state.messages):
                    return
                await asyncio.sleep(0.01)

    async def texts(self, count: int) -> list[str]:
        """Return the texts of the events, when there are so many."""
        found = await self.wait_stored(LAYOUT.out_stream, count)
        return [json.loads(message.data)["event"]["text"] for message in found]


@contextlib.asynccontextmanager
async def client_of(server: NatsServer) -> AsyncGenerator[Client, None]:
    """Connect as an operator; the streams are there."""
    connection = NatsConnection(server.url, timeout=PATIENCE)
    await connection.open()
    source = NatsSource(connection, LAYOUT)
    await source._open_streams()
    try:
        yield Client(connection)
    finally:
        await connection.close()


def source_at(
    server: NatsServer,
    *,
    lease: float = 60.0,
    handover: float = 30.0,
    ack_wait: float = 30.0,
    timeout: float = PATIENCE,
) -> NatsSource:
    """Return a source whose leases do not expire within a test."""
    connection = NatsConnection(
        server.url, timeout=timeout, backoff=Backoff(initial=0.01, maximum=0.1)
    )
    return NatsSource(
        connection,
        LAYOUT,
        lease_seconds=lease,
        handover_seconds=handover,
        ack_wait=ack_wait,
    )


@contextlib.asynccontextmanager
async def serving(
    app: ASGIApp, source: NatsSource, limits: Limits | None = None
) -> AsyncGenerator[StatelessServer, None]:
    """Run a server while the block is."""
    limits = limits or Limits(backoff=Backoff(initial=0.01))
    server = StatelessServer(
        app, source, NatsSink(source), limits=limits, lifespan="off"
    )
    async with asyncio.TaskGroup() as group:
        group.create_task(server.serve())
        try:
            yield server
        finally:
            server.stop()


def say(scope_id: str, text: str) -> Message:
    """Return a message like those of the sources for lines."""
    return Message(scope_id, {"type": "message.receive", "text": text})


def users(count: int) -> list[Message]:
    """Return a message of each of some users: enough for all partitions."""
    return [say(f"user{number}", "x") for number in range(count)]


async def echo(scope: MessageScope, receive: Receive, send: Send) -> None:
    """Answer each text; pass on what is addressed with ``@``; fail for poison."""
    while (event := await receive())["type"] == "message.receive":
        text: str = event["text"]
        if text == "poison":
            msg = "bitter"
            raise ValueError(msg)
        if text.startswith("@"):
            to, _, rest = text[1:].partition(" ")
            passed = {"type": "message.receive", "text": rest}
            await send({"type": "message.publish", "scope_id": to, "event": passed})
        else:
            answer = f"{scope['scope_id']} said {text}"
            await send({"type": "message.send", "text": answer})


async def freeze(source: NatsSource) -> None:
    """Let a source beat no more, as if its process were stopped."""
    task = source.leases._task
    assert task is not None
    while not task.done():  # nats-py loses cancellations
        task.cancel()
        await asyncio.wait([task], timeout=0.02)


async def pull_all(source: NatsSource, count: int) -> list[Envelope]:
    """Pull so many messages."""
    found: list[Envelope] = []
    async with asyncio.timeout(PATIENCE):
        while len(found) < count:
            found += await source.pull(40)
    return found


def test_messages_in_events_out(nats_server: NatsServer) -> None:
    """Messages are handled, removed and answered; conversations can talk."""

    async def main() -> None:
        async with client_of(nats_server) as client:
            await client.publish(say("a", "1"), say("b", "@a psst"), say("a", "2"))
            async with serving(echo, source_at(nats_server)):
                said = await client.texts(3)
                await client.wait_settled()
            assert sorted(said) == ["a said 1", "a said 2", "a said psst"]
            assert said.index("a said 1") < said.index("a said 2")

    asyncio.run(main())


def test_messages_by_hand(nats_server: NatsServer) -> None:
    """A text is enough; what is no message becomes a dead letter."""

    async def main() -> None:
        async with client_of(nats_server) as client:
            subject = LAYOUT.subject_for("me")
            for payload in (b'{"scope_id":"me","text":"typed"}', b"{bad", b"\xff"):
                await client.js.publish(subject, payload)
            async with serving(echo, source_at(nats_server)):
                dead = await client.wait_stored(LAYOUT.dead_stream, 2)
                assert await client.texts(1) == ["me said typed"]
                await client.wait_settled()
            assert [message.data for message in dead] == [b"{bad", b"\xff"]
            reasons = [message.headers["Asgibridge-Reason"] for message in dead]
            assert "not JSON" in reasons[0]
            assert "not UTF-8" in reasons[1]
            assert dead[0].headers["Asgibridge-Subject"] == subject

    asyncio.run(main())


def test_a_poison_message(nats_server: NatsServer) -> None:
    """It is tried as often as allowed, then kept aside with the reason."""

    async def main() -> None:
        limits = Limits(max_deliveries=3, backoff=Backoff(initial=0.01))
        async with client_of(nats_server) as client:
            await client.publish(say("a", "poison"), say("a", "food"))
            async with serving(echo, source_at(nats_server), limits):
                (dead,) = await client.wait_stored(LAYOUT.dead_stream, 1)
                assert await client.texts(1) == ["a said food"]
                await client.wait_settled()
            assert "failed 3 times" in dead.headers["Asgibridge-Reason"]
            assert b"poison" in dead.data

    asyncio.run(main())


def test_a_full_inbox_that_sends_back(nats_server: NatsServer) -> None:
    """What has no room comes again from this process, and is handled."""

    async def slow(scope: MessageScope, receive: Receive, send: Send) -> None:
        while (event := await receive())["type"] == "message.receive":
            await asyncio.sleep(0.01)
            await send({"type": "message.send", "text": event["text"]})

    async def main() -> None:
        backoff = Backoff(initial=0.02, maximum=0.1)
        limits = Limits(inbox_size=2, full=FullPolicy.RETRY, backoff=backoff)
        async with client_of(nats_server) as client:
            await client.publish(*(say("a", str(number)) for number in range(20)))
            async with serving(slow, source_at(nats_server), limits):
                said = await client.texts(20)
                await client.wait_settled()
            assert sorted(said, key=int) == [str(number) for number in range(20)]
            assert not await client.stored(LAYOUT.dead_stream)

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
            async with serving(slow, source_at(nats_server, ack_wait=0.5)):
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


def test_signs_for_what_nobody_asked_for(nats_server: NatsServer) -> None:
    """What was fetched while the server is busy is in progress, too."""

    async def main() -> None:
        source = source_at(nats_server, ack_wait=0.3)
        async with client_of(nats_server) as client:
            await source.open()
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.05):
                    await source.pull(5)  # leaves its fetches on their way
            await client.publish(say("a", "x"))
            await asyncio.sleep(1)
            (envelope,) = await source.pull(5)
            assert envelope.delivery_count == 1
            await source.settle(envelope, Settlement.DONE)
            await source.settle(envelope, Settlement.DONE)  # does no harm
            await source.close()

    asyncio.run(main())


def test_scale_out_and_in(nats_server: NatsServer) -> None:
    """Partitions move at once when a process comes or goes, and are all owned."""

    async def shares(*sources: NatsSource) -> None:
        goal = LAYOUT.partitions // len(sources)
        async with asyncio.timeout(PATIENCE):
            # ASYNC110: nobody but the source itself waits for its leases.
            while any(len(one.leases.held) != goal for one in sources):  # noqa: ASYNC110
                await asyncio.sleep(0.01)

    async def main() -> None:
        handled: Counter[str] = Counter()
        first, second = source_at(nats_server), source_at(nats_server)

        def application(name: str) -> ASGIApp:
            async def app(scope: MessageScope, receive: Receive, send: Send) -> None:
                await receive()
                handled[name] += 1

            return app

        # The leases last a minute: only the bell can be that quick.
        async with client_of(nats_server) as client:
            async with serving(application("first"), first):
                await shares(first)
                async with serving(application("second"), second):
                    await shares(first, second)
                    await client.publish(*users(40))
                    await client.wait_settled()
                    assert handled["first"] > 5
                    assert handled["second"] > 5
                await shares(first)
                await client.publish(*users(40))
                await client.wait_settled()
            assert handled.total() == 80

    asyncio.run(main())


def test_a_partition_waits_for_its_messages(nats_server: NatsServer) -> None:
    """It goes to the other process when the message in hand is settled."""

    async def main() -> None:
        old, new = source_at(nats_server), source_at(nats_server)
        async with client_of(nats_server) as client:
            await client.publish(*users(40))
            await old.open()
            held = await pull_all(old, 40)
            await new.open()
            await old.leases.beat()
            assert not new.leases.held
            for envelope in held:
                await old.settle(envelope, Settlement.DONE)
            await old.leases.beat()
            await new.leases.beat()
            assert len(new.leases.held) == len(old.leases.held) == 2
            await new.close()
            await old.close()
            await client.wait_settled()

    asyncio.run(main())


def test_a_partition_does_not_wait_for_ever(nats_server: NatsServer) -> None:
    """After the patience is over it goes, and the old owner is refused."""

    async def main() -> None:
        old = source_at(nats_server, handover=0.001)
        new = source_at(nats_server)
        async with client_of(nats_server) as client:
            await client.publish(*users(40))
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
            again = await pull_all(new, refused)
            assert len(again) == refused > 5
            await old.close()
            await new.close()

    asyncio.run(main())


def test_what_was_given_back_does_not_count(nats_server: NatsServer) -> None:
    """A message that comes again after RETRY is as good as new."""

    async def main() -> None:
        old, new = source_at(nats_server), source_at(nats_server)
        async with client_of(nats_server) as client:
            await client.publish(say("a", "x"))
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
            await new.close()

    asyncio.run(main())


def test_a_process_that_vanished(nats_server: NatsServer) -> None:
    """What it had comes again, in order, and counted; it can do no harm."""

    async def main() -> None:
        old = source_at(nats_server, lease=0.6)
        new = source_at(nats_server, lease=0.6)
        newest = source_at(nats_server, lease=0.6)
        async with client_of(nats_server) as client:
            await client.publish(*(say("a", str(number)) for number in range(20)))
            await old.open()
            held = await pull_all(old, 20)
            await old.settle(held[0], Settlement.DONE)
            await freeze(old)
            await new.open()
            again = await pull_all(new, 19)
            texts = [envelope.event["text"] for envelope in again]
            assert texts == [str(number) for number in range(1, 20)]
            assert {envelope.delivery_count for envelope in again} == {2}
            # It goes on, and finds its lease over.
            with pytest.raises(LeaseLostError, match="may neither settle nor send"):
                await NatsSink(old).send(held[1], {"type": "x"})
            with pytest.raises(LeaseLostError):
                await old.settle(held[1], Settlement.DONE)
            assert (await client.js.stream_info(LAYOUT.stream)).state.messages == 19
            # And a third time.
            await freeze(new)
            await newest.open()
            again = await pull_all(newest, 19)
            assert {envelope.delivery_count for envelope in again} == {3}
            for source in (newest, new, old):
                await source.close()

    asyncio.run(main())


def test_an_owner_that_does_not_know(
    nats_server: NatsServer, caplog: pytest.LogCaptureFixture
) -> None:
    """Its acknowledgements reach nobody; its next beat tells it."""

    async def main() -> None:
        source = source_at(nats_server)
        async with client_of(nats_server) as client:
            await client.publish(say("a", "x"))
            await source.open()
            (envelope,) = await pull_all(source, 1)
            bucket = await client.js.key_value(LAYOUT.leases)
            for partition, lease in list(source.leases.held.items()):
                # What its successor does.
                await client.js.delete_consumer(LAYOUT.stream, lease.consumer)
                await bucket.put(f"owner.{partition}", b"another")
            source.leases._wanted.clear()
            with pytest.raises((ConnectionError, LeaseLostError)):
                await source.settle(envelope, Settlement.DONE)
            await source.leases.beat()
            assert not source.leases.held
            with pytest.raises(LeaseLostError):
                await source.settle(envelope, Settlement.DONE)
            assert (await client.js.stream_info(LAYOUT.stream)).state.messages == 1
            await source.close()
            # It did not take away what is another's, either.
            assert (await bucket.get("owner.0")).value == b"another"

    asyncio.run(main())
    assert "lease of partition 0 of 'test' was lost" in caplog.text


def test_a_consumer_that_vanishes(
    nats_server: NatsServer,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An operator's mistake is reported; another consumer is made."""
    monkeypatch.setattr("asgibridge.servers.nats._source._FETCH_SECONDS", 0.2)

    async def main() -> None:
        source = source_at(nats_server)
        async with client_of(nats_server) as client, serving(echo, source):
            await client.publish(say("a", "1"))
            await client.texts(1)
            for info in await client.js.consumers_info(LAYOUT.stream):
                await client.js.delete_consumer(LAYOUT.stream, info.name)
            await client.publish(say("a", "2"))
            assert await client.texts(2) == ["a said 1", "a said 2"]

    asyncio.run(main())
    assert "has vanished" in caplog.text


def test_a_restart_of_the_server(nats_server: NatsServer) -> None:
    """Work waits while it is away, and then goes on; nothing is lost."""

    async def main() -> None:
        arrived, leave = asyncio.Event(), asyncio.Event()

        async def app(scope: MessageScope, receive: Receive, send: Send) -> None:
            while (event := await receive())["type"] == "message.receive":
                arrived.set()
                await leave.wait()
                await send({"type": "message.send", "text": event["text"]})

        async with client_of(nats_server) as client:
            wanted = [say(f"user{n % 20}", str(n)) for n in range(200)]
            await client.publish(*wanted)
        async with serving(app, source_at(nats_server, lease=5.0, timeout=2.0)):
            await arrived.wait()
            await asyncio.to_thread(nats_server.stop)
            leave.set()
            await asyncio.sleep(0.1)  # so that it is missed
            await asyncio.to_thread(nats_server.start)
            async with client_of(nats_server) as client:
                await client.wait_settled()
                said = await client.texts(200)
        assert set(said) == {str(number) for number in range(200)}

    asyncio.run(main())


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


def test_an_old_server(
    nats_server: NatsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error names both versions."""
    monkeypatch.setattr("asgibridge.servers.nats._connection.MINIMUM_VERSION", (99, 1))

    async def main() -> None:
        connection = NatsConnection(nats_server.url)
        with pytest.raises(SourceError, match=r"version .*; 99\.1 or later"):
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


def test_no_server() -> None:
    """That may change: the error is one that is tried again."""

    async def main() -> None:
        source = NatsSource(NatsConnection("nats://127.0.0.1:1"), LAYOUT)
        with pytest.raises(ConnectionError, match=r"127\.0\.0\.1:1 is not reachable"):
            await source.open()
        await source.close()

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


def test_messages_of_another_source(nats_server: NatsServer) -> None:
    """Source and sink belong together."""

    async def main() -> None:
        source = source_at(nats_server)
        foreign = Message("a", {"type": "x"})
        with pytest.raises(TypeError, match="another source than NatsSource"):
            await NatsSink(source).send(foreign, {"type": "x"})

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
            async with serving(app, source_at(nats_server), limits):
                (dead,) = await client.wait_stored(LAYOUT.dead_stream, 1)
        assert "MaxPayloadError" in dead.headers["Asgibridge-Reason"]

    asyncio.run(main())


def test_a_beat_that_fails(
    nats_server: NatsServer,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The log says so, and the next one tries again."""
    beat, failures = Leases._beat, [OSError("no network")]

    async def main() -> None:
        async with client_of(nats_server):
            source = source_at(nats_server, lease=0.6)
            await source.open()

            async def failing(leases: Leases) -> None:
                if failures:
                    raise failures.pop()
                await beat(leases)

            monkeypatch.setattr(Leases, "_beat", failing)
            source.leases.look()
            await asyncio.sleep(0.5)
            assert len(source.leases.held) == 4
            await source.close()

    asyncio.run(main())
    assert "Leases cannot be renewed: OSError('no network')" in caplog.text


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


def test_two_are_quick(nats_server: NatsServer) -> None:
    """A key can be made by one only; the other goes on without."""

    async def main() -> None:
        async with client_of(nats_server) as client:
            source = source_at(nats_server)
            await source.open()
            bucket = await client.js.key_value(LAYOUT.leases)
            await bucket.create("owner.4", b"another")
            await source.leases._acquire(4)
            assert set(source.leases.held) == {0, 1, 2, 3}
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
            async with serving(echo, source_at(nats_server)):
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
            lease, token = source.lease_of(envelope)
            await lease.known[token.sequence].ack_sync()
            await source.settle(envelope, Settlement.DONE)
            assert token.sequence not in lease.known
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


def test_a_cancellation_that_gets_lost(
    nats_server: NatsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The loop of beats ends all the same."""
    beats: list[asyncio.Event] = []

    async def losing(_: Leases) -> None:
        if beats:
            beats[0].set()
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.Event().wait()
            # Python 3.11 tells tracers nothing after a throw().
            await asyncio.sleep(0)

    async def main() -> None:
        source = source_at(nats_server)
        await source.connection.open()
        monkeypatch.setattr(Leases, "_beat", losing)
        await source.leases.open()
        beats.append(asyncio.Event())
        source.leases.look()
        await beats[0].wait()
        task = source.leases._task
        assert task is not None
        task.cancel()
        await asyncio.wait([task])
        assert not task.cancelled()
        assert task.exception() is None
        await source.close()

    asyncio.run(main())
