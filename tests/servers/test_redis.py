"""Redis Streams, against a real server."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from typing import Any, Protocol

import attrs
import pytest
from redis.exceptions import BusyLoadingError

from asgibridge.errors import LeaseLostError, SourceError
from asgibridge.servers import Backoff, FullPolicy, Limits, Message, StatelessServer
from asgibridge.servers.redis import (
    RedisConnection,
    RedisLayout,
    RedisPublisher,
    RedisSink,
    RedisSource,
)
from asgibridge.servers.redis._ownership import Ownership
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
LAYOUT = RedisLayout("test", 4)


class RedisServer(Protocol):
    """The server of the fixture."""

    url: str

    def start(self) -> None: ...
    def stop(self) -> None: ...
    def ask(self, command: str) -> str: ...


@attrs.define(eq=False)
class Client:
    """Looks at Redis as an operator does."""

    connection: RedisConnection

    async def publish(self, *messages: Message) -> None:
        await RedisPublisher(self.connection, LAYOUT).publish(*messages)

    async def ask(self, *command: str | int) -> Any:  # noqa: ANN401 - Redis's answer
        return await self.connection.command(*command)

    async def entries(self, stream: str) -> list[dict[str, str]]:
        """Return the fields of all entries of a stream."""
        found: Any = await self.ask("XRANGE", stream, "-", "+")
        return [
            {name.decode(): value.decode() for name, value in fields.items()}
            for _, fields in found
        ]

    async def wait_entries(self, stream: str, count: int) -> list[dict[str, str]]:
        """Wait until a stream has that many entries."""
        last, found = "0-0", 0
        async with asyncio.timeout(PATIENCE):
            while found < count:
                answer: Any = await self.ask(
                    "XREAD", "BLOCK", 1000, "STREAMS", stream, last
                )
                for _, entries in answer or []:
                    found += len(entries)
                    last = entries[-1][0].decode()
        return await self.entries(stream)

    async def wait_settled(self) -> None:
        """Wait until no message is left."""
        async with asyncio.timeout(PATIENCE):
            for partition in range(LAYOUT.partitions):
                stream = LAYOUT.stream(partition)
                # ASYNC110: Redis tells nobody that an entry is deleted.
                while await self.ask("XLEN", stream):  # noqa: ASYNC110
                    await asyncio.sleep(0.01)


@contextlib.asynccontextmanager
async def client_of(server: RedisServer) -> AsyncGenerator[Client, None]:
    """Connect as an operator."""
    connection = RedisConnection(server.url)
    await connection.open()
    try:
        yield Client(connection)
    finally:
        await connection.close()


def source_at(
    server: RedisServer, *, lease: float = 60.0, handover: float = 30.0
) -> RedisSource:
    """Return a source whose leases do not expire within a test."""
    connection = RedisConnection(
        server.url, timeout=PATIENCE, backoff=Backoff(initial=0.01, maximum=0.1)
    )
    return RedisSource(
        connection, LAYOUT, lease_seconds=lease, handover_seconds=handover
    )


@contextlib.asynccontextmanager
async def serving(
    app: ASGIApp, source: RedisSource, limits: Limits | None = None
) -> AsyncGenerator[StatelessServer, None]:
    """Run a server while the block is."""
    sink = RedisSink(source.connection, LAYOUT)
    limits = limits or Limits(backoff=Backoff(initial=0.01))
    server = StatelessServer(app, source, sink, limits=limits, lifespan="off")
    async with asyncio.TaskGroup() as group:
        group.create_task(server.serve())
        try:
            yield server
        finally:
            server.stop()


def say(scope_id: str, text: str) -> Message:
    """Return a message like those of the sources for lines."""
    return Message(scope_id, {"type": "message.receive", "text": text})


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


async def pull_all(source: RedisSource, count: int) -> list[Envelope]:
    """Pull so many messages."""
    found: list[Envelope] = []
    async with asyncio.timeout(PATIENCE):
        while len(found) < count:
            found += await source.pull(40)
    return found


def texts(entries: Sequence[dict[str, str]]) -> list[str]:
    """Return the texts of the events in a stream."""
    found = [entry["event"].partition('"text":"')[2] for entry in entries]
    return [text.rstrip('"}') for text in found]


def test_messages_in_events_out(redis_server: RedisServer) -> None:
    """Messages are handled, removed and answered; conversations can talk."""

    async def main() -> None:
        async with client_of(redis_server) as client:
            await client.publish(say("a", "1"), say("b", "@a psst"), say("a", "2"))
            async with serving(echo, source_at(redis_server)):
                found = await client.wait_entries(LAYOUT.out, 3)
                await client.wait_settled()
            said = texts(found)
            assert sorted(said) == ["a said 1", "a said 2", "a said psst"]
            assert said.index("a said 1") < said.index("a said 2")
            assert {entry["scope_id"] for entry in found} == {"a"}
            pending = await client.ask("XPENDING", LAYOUT.stream_for("a"), "workers")
            assert pending["pending"] == 0

    asyncio.run(main())


def test_new_messages_wake_a_waiting_worker(redis_server: RedisServer) -> None:
    """It waits at the server, and is told, in each of its partitions."""

    async def main() -> None:
        async with client_of(redis_server) as client:
            server = serving(echo, source_at(redis_server))
            async with server:
                for number in range(8):
                    await client.publish(say(f"user{number}", "hi"))
                    found = await client.wait_entries(LAYOUT.out, number + 1)
                    assert len(found) == number + 1

    asyncio.run(main())


def test_entries_by_hand(redis_server: RedisServer) -> None:
    """A text is enough; what is no message becomes a dead letter."""

    async def main() -> None:
        async with client_of(redis_server) as client:
            stream = LAYOUT.stream_for("me")
            await client.ask("XADD", stream, "*", "scope_id", "me", "text", "typed")
            await client.ask("XADD", stream, "*", "scope_id", "me", "event", "{bad")
            await client.ask("XADD", stream, "*", "text", "whose?")
            async with serving(echo, source_at(redis_server)):
                dead = await client.wait_entries(LAYOUT.dead, 2)
                assert texts(await client.wait_entries(LAYOUT.out, 1)) == [
                    "me said typed"
                ]
                await client.wait_settled()
            assert "not JSON" in dead[0]["reason"]
            assert dead[0]["event"] == "{bad"
            assert "scope_id" in dead[1]["reason"]
            assert dead[1]["stream"] == stream

    asyncio.run(main())


def test_a_poison_message(redis_server: RedisServer) -> None:
    """It is tried as often as allowed, then kept aside with the reason."""

    async def main() -> None:
        limits = Limits(max_deliveries=3, backoff=Backoff(initial=0.01))
        async with client_of(redis_server) as client:
            await client.publish(say("a", "poison"), say("a", "food"))
            async with serving(echo, source_at(redis_server), limits):
                (dead,) = await client.wait_entries(LAYOUT.dead, 1)
                found = await client.wait_entries(LAYOUT.out, 1)
                await client.wait_settled()
            assert texts(found) == ["a said food"]
            assert dead["scope_id"] == "a"
            assert "poison" in dead["event"]
            assert "failed 3 times, at last with ValueError" in dead["reason"]

    asyncio.run(main())


def test_a_stuck_application(redis_server: RedisServer) -> None:
    """It keeps neither its place nor its message."""

    async def stuck(scope: MessageScope, receive: Receive, send: Send) -> None:
        if (await receive())["text"] == "trap":
            await asyncio.Event().wait()
        await send({"type": "message.send", "text": "free"})

    async def main() -> None:
        limits = Limits(max_applications=1, max_deliveries=1, message_timeout=0.1)
        async with client_of(redis_server) as client:
            await client.publish(say("a", "trap"), say("b", "hi"))
            async with serving(stuck, source_at(redis_server), limits):
                (dead,) = await client.wait_entries(LAYOUT.dead, 1)
                assert texts(await client.wait_entries(LAYOUT.out, 1)) == ["free"]
            assert "took longer than 0.1 s" in dead["reason"]

    asyncio.run(main())


def test_a_full_inbox_that_sends_back(redis_server: RedisServer) -> None:
    """What has no room comes again from this process, and is handled."""

    async def slow(scope: MessageScope, receive: Receive, send: Send) -> None:
        while (event := await receive())["type"] == "message.receive":
            await asyncio.sleep(0.01)
            await send({"type": "message.send", "text": event["text"]})

    async def main() -> None:
        limits = Limits(
            inbox_size=2,
            full=FullPolicy.RETRY,
            max_deliveries=1,
            backoff=Backoff(initial=0.02),
        )
        async with client_of(redis_server) as client:
            await client.publish(*(say("a", str(number)) for number in range(20)))
            async with serving(slow, source_at(redis_server), limits):
                found = await client.wait_entries(LAYOUT.out, 20)
                await client.wait_settled()
            assert sorted(texts(found), key=int) == [str(n) for n in range(20)]
            assert not await client.entries(LAYOUT.dead)

    asyncio.run(main())


def test_scale_out_and_in(redis_server: RedisServer) -> None:
    """Partitions move at once when a process comes or goes, and are all owned."""

    async def shares(*sources: RedisSource) -> None:
        """Wait until each owns its fair share."""
        goal = LAYOUT.partitions // len(sources)
        async with asyncio.timeout(PATIENCE):
            # ASYNC110: nobody but the source itself waits for its leases.
            while any(  # noqa: ASYNC110
                len(one.ownership.leases) != goal for one in sources
            ):
                await asyncio.sleep(0.01)

    async def main() -> None:
        handled: Counter[str] = Counter()
        first, second = source_at(redis_server), source_at(redis_server)

        def application(name: str) -> ASGIApp:
            async def app(scope: MessageScope, receive: Receive, send: Send) -> None:
                await receive()
                handled[name] += 1
                await send({"type": "message.send"})

            return app

        # The leases last a minute: only the bell can be that quick.
        async with client_of(redis_server) as client:
            async with serving(application("first"), first):
                await shares(first)
                async with serving(application("second"), second):
                    await shares(first, second)
                    await client.publish(*(say(f"user{n}", "") for n in range(40)))
                    await client.wait_entries(LAYOUT.out, 40)
                    assert handled["first"] > 5
                    assert handled["second"] > 5
                await shares(first)
                await client.publish(*(say(f"user{n}", "") for n in range(40)))
                await client.wait_entries(LAYOUT.out, 80)
            assert handled.total() == 80

    asyncio.run(main())


def test_a_partition_waits_for_its_messages(redis_server: RedisServer) -> None:
    """It goes to the other process when the message in hand is settled."""

    async def main() -> None:
        old, new = source_at(redis_server), source_at(redis_server)
        async with client_of(redis_server) as client:
            await client.publish(*(say(f"user{number}", "x") for number in range(40)))
            await old.open()
            held = await pull_all(old, 40)
            await new.open()
            await old.ownership.beat()
            leaving = [
                lease
                for lease in old.ownership.leases.values()
                if lease.leaving_since is not None
            ]
            assert len(leaving) == 2
            assert not new.ownership.leases
            for envelope in held:
                await old.settle(envelope, Settlement.DONE)
            await old.ownership.beat()
            await new.ownership.beat()
            assert len(new.ownership.leases) == len(old.ownership.leases) == 2
            await new.close()
            await old.close()
            await client.wait_settled()

    asyncio.run(main())


def test_a_partition_does_not_wait_for_ever(redis_server: RedisServer) -> None:
    """After the patience is over it goes, and the old owner is refused."""

    async def main() -> None:
        old = source_at(redis_server, handover=0.001)
        new = source_at(redis_server)
        async with client_of(redis_server) as client:
            await client.publish(*(say(f"user{number}", "x") for number in range(40)))
            await old.open()
            held = await pull_all(old, 40)
            await new.open()
            await old.ownership.beat()
            await asyncio.sleep(0.01)
            await old.ownership.beat()
            await new.ownership.beat()
            refused = 0
            for envelope in held:
                try:
                    await old.settle(envelope, Settlement.DONE)
                except LeaseLostError:
                    refused += 1
            again = await pull_all(new, refused)
            assert len(again) == refused > 5
            # They came a second time, and the count says so.
            assert {envelope.delivery_count for envelope in again} == {2}
            await old.close()
            await new.close()

    asyncio.run(main())


def test_what_was_given_back_does_not_count(redis_server: RedisServer) -> None:
    """A message that comes again after RETRY is as good as new."""

    async def main() -> None:
        old, new = source_at(redis_server), source_at(redis_server)
        async with client_of(redis_server) as client:
            await client.publish(say("a", "x"))
            await old.open()
            (envelope,) = await old.pull(1)
            await old.settle(envelope, Settlement.RETRY)
            (envelope,) = await old.pull(1)
            assert envelope.delivery_count == 1
            await old.settle(envelope, Settlement.RETRY, delay=1000)
            await old.close()
            await new.open()
            (envelope,) = await new.pull(1)
            assert envelope.delivery_count == 1
            await new.settle(envelope, Settlement.DONE)
            await new.settle(envelope, Settlement.DONE)  # does no harm
            await new.close()

    asyncio.run(main())


def test_whoever_lost_a_lease_can_do_nothing(redis_server: RedisServer) -> None:
    """It is refused in Redis, whatever it believes."""

    async def main() -> None:
        old = source_at(redis_server)
        sink = RedisSink(old.connection, LAYOUT)
        async with client_of(redis_server) as client:
            await client.publish(say("a", "1"), say("a", "2"), say("b", "3"))
            await old.open()
            held = await pull_all(old, 3)
            for partition in range(LAYOUT.partitions):
                # As if it had expired, and another process had it.
                await client.ask("SET", LAYOUT.lease(partition), "another:7")
            await client.publish(say("a", "4"))
            stream = LAYOUT.stream_for("a")
            before = await client.ask("XLEN", stream)
            with pytest.raises(LeaseLostError, match="may not send for"):
                await sink.send(held[0], {"type": "x"})
            with pytest.raises(LeaseLostError, match="may neither settle nor send"):
                await old.settle(held[0], Settlement.DONE)
            for settlement in (Settlement.RETRY, Settlement.DEAD):
                with pytest.raises(LeaseLostError):
                    await old.settle(held[1], settlement, reason="?")
                with pytest.raises(LeaseLostError):
                    await old.settle(held[2], settlement, reason="?")
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.2):
                    await old.pull(10)
            assert not old.ownership.leases
            assert await client.ask("XLEN", stream) == before
            assert not await client.entries(LAYOUT.out) + await client.entries(
                LAYOUT.dead
            )
            await old.close()
            # It did not take away what is another's, either.
            assert await client.ask("GET", LAYOUT.lease(0)) == b"another:7"

    asyncio.run(main())


def test_a_lease_that_expires_is_noticed(
    redis_server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    """The next beat finds out, drops what is not pulled, and takes a new share."""

    async def main() -> None:
        source = source_at(redis_server)
        async with client_of(redis_server) as client:
            await client.publish(say("a", "1"), say("a", "2"))
            await source.open()
            (first,) = await source.pull(1)
            await client.ask("DEL", LAYOUT.lease(0), LAYOUT.lease(1))
            await client.ask("DEL", LAYOUT.lease(2), LAYOUT.lease(3))
            await source.ownership.beat()
            (again,) = await source.pull(1)
            assert again.event == first.event
            assert again.term != first.term
            with pytest.raises(LeaseLostError):
                await source.settle(first, Settlement.DONE)
            await source.settle(again, Settlement.DONE)
            await source.close()

    asyncio.run(main())
    assert "lease of partition 0 of 'test' was lost" in caplog.text


@pytest.mark.parametrize("command", ["group", "everything"])
def test_streams_that_vanish(redis_server: RedisServer, command: str) -> None:
    """A group that somebody destroyed is made again, and work goes on."""

    async def main() -> None:
        source = source_at(redis_server, lease=0.3)
        async with client_of(redis_server) as client, serving(echo, source):
            await client.publish(say("a", "1"))
            await client.wait_entries(LAYOUT.out, 1)
            if command == "group":
                await client.ask("XGROUP", "DESTROY", LAYOUT.stream_for("a"), "workers")
            else:
                await client.ask("FLUSHALL")
            await client.publish(say("a", "2"), say("b", "3"))
            said = set[str]()
            async with asyncio.timeout(PATIENCE):
                while not said >= {"a said 2", "b said 3"}:
                    said |= set(texts(await client.entries(LAYOUT.out)))
                    await asyncio.sleep(0.01)

    asyncio.run(main())


def test_a_claim_without_a_group(redis_server: RedisServer) -> None:
    """There is nothing to claim then, and that is no error."""

    async def main() -> None:
        source = source_at(redis_server)
        async with client_of(redis_server) as client:
            await source.open()
            for partition in range(LAYOUT.partitions):
                await client.ask(
                    "XGROUP", "DESTROY", LAYOUT.stream(partition), "workers"
                )
            await client.publish(say("a", "1"))
            (envelope,) = await source.pull(5)
            assert envelope.event["text"] == "1"
            await source.close()

    asyncio.run(main())


def test_an_answer_that_was_lost(
    redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was taken when the connection broke is claimed, once."""

    async def main() -> None:
        source = source_at(redis_server)
        async with client_of(redis_server) as client:
            await client.publish(say("a", "1"), say("a", "2"), say("a", "3"))
            await source.open()
            (first,) = await source.pull(1)
            add, lost = source._add, [True]

            async def losing(
                _: object,
                lease: Any,  # noqa: ANN401 - a class that is private
                entries: Sequence[Sequence[Any]],
                counts: Sequence[int],
            ) -> None:
                if lost and entries:
                    lost.clear()
                    msg = "the answer never came"
                    raise ConnectionError(msg)
                await add(lease, entries, counts)

            monkeypatch.setattr(RedisSource, "_add", losing)
            with pytest.raises(ConnectionError):
                await source.pull(5)
            rest: list[Envelope] = []
            while len(rest) < 2:
                rest += await source.pull(5)
            assert [one.event["text"] for one in (first, *rest)] == ["1", "2", "3"]
            await source.close()

    asyncio.run(main())


def test_many_claims(redis_server: RedisServer) -> None:
    """What an owner left is claimed in pieces, all of it before what is new."""

    async def main() -> None:
        old, new = source_at(redis_server), source_at(redis_server)
        async with client_of(redis_server) as client:
            await client.publish(*(say("a", str(number)) for number in range(30)))
            await old.open()
            taken = 0
            while taken < 20:
                taken += len(await old.pull(20 - taken))
            await old.close()
            await new.open()
            found: list[str] = []
            while len(found) < 30:
                found += [one.event["text"] for one in await new.pull(4)]
            assert found == [str(number) for number in range(30)]
            await new.close()

    asyncio.run(main())


def test_a_restart_of_the_server(redis_server: RedisServer) -> None:
    """Work waits while it is away, and then goes on; nothing is lost."""

    async def main() -> None:
        source = source_at(redis_server, lease=2.0)
        arrived = asyncio.Event()
        leave = asyncio.Event()

        async def app(scope: MessageScope, receive: Receive, send: Send) -> None:
            while (event := await receive())["type"] == "message.receive":
                arrived.set()
                await leave.wait()
                await send({"type": "message.send", "text": event["text"]})

        async with client_of(redis_server) as client:
            wanted = [say(f"user{n % 20}", str(n)) for n in range(200)]
            await client.publish(*wanted)
        async with serving(app, source):
            await arrived.wait()
            await asyncio.to_thread(redis_server.stop)
            leave.set()
            await asyncio.sleep(0.1)  # so that it is missed
            await asyncio.to_thread(redis_server.start)
            async with client_of(redis_server) as client:
                async with asyncio.timeout(PATIENCE):
                    found: set[str] = set()
                    while len(found) < 200:
                        found = set(texts(await client.entries(LAYOUT.out)))
                        await asyncio.sleep(0.02)
                await client.wait_settled()

    asyncio.run(main())


def test_wrong_credentials(redis_server: RedisServer) -> None:
    """The error says so, hides the password, and nobody tries for ever."""

    async def main() -> None:
        async with client_of(redis_server) as client:
            await client.ask("CONFIG", "SET", "requirepass", "right")
        for url in (redis_server.url, redis_server.url.replace("//", "//u:wrong@")):
            source = RedisSource(RedisConnection(url), LAYOUT)
            with pytest.raises(SourceError, match="refuses the credentials") as caught:
                await StatelessServer(
                    echo, source, RedisSink(source.connection, LAYOUT), lifespan="off"
                ).serve()
            assert "wrong@" not in str(caught.value)

    asyncio.run(main())


def test_a_user_who_may_not(redis_server: RedisServer) -> None:
    """A user without the needed rights is told so."""

    async def main() -> None:
        async with client_of(redis_server) as client:
            await client.ask("ACL", "SETUSER", "guest", "on", ">secret", "+get")
        url = redis_server.url.replace("//", "//guest:secret@")
        connection = RedisConnection(url)
        with pytest.raises(SourceError, match="refuses to work for this user"):
            await connection.open()
        await connection.close()

    asyncio.run(main())


def test_an_old_server(
    redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error names both versions."""
    monkeypatch.setattr("asgibridge.servers.redis._connection.MINIMUM_VERSION", (99, 1))

    async def main() -> None:
        connection = RedisConnection(redis_server.url)
        with pytest.raises(SourceError, match=r"version \d.*; 99.1 or later"):
            await connection.open()
        await connection.close()

    asyncio.run(main())


def test_no_server() -> None:
    """That may change: the error is one that is tried again."""

    async def main() -> None:
        source = RedisSource(RedisConnection("redis://127.0.0.1:1"), LAYOUT)
        with pytest.raises(ConnectionError, match=r"127\.0\.0\.1:1 is not reachable"):
            await source.open()
        await source.close()

    asyncio.run(main())


def test_no_address() -> None:
    """A URL that redis-py does not understand."""
    with pytest.raises(SourceError, match="'http://x' as the address"):
        RedisConnection("http://x")


def test_what_processes_must_agree_on(redis_server: RedisServer) -> None:
    """Another number of partitions is refused, and so are missing streams."""

    async def main() -> None:
        connection = RedisConnection(redis_server.url)
        strict = RedisSource(connection, LAYOUT, create=False)
        with pytest.raises(SourceError, match="no streams of 'test'"):
            await strict.open()
        first = source_at(redis_server)
        await first.open()
        await first.close()
        await strict.open()
        await strict.close()
        other = RedisSource(RedisConnection(redis_server.url), RedisLayout("test", 5))
        with pytest.raises(SourceError, match="have 4 partitions, not 5: use 4"):
            await other.open()
        await other.close()

    asyncio.run(main())


def test_messages_of_another_source(redis_server: RedisServer) -> None:
    """Source and sink belong together."""

    async def main() -> None:
        connection = RedisConnection(redis_server.url)
        foreign = Message("a", {"type": "x"})
        with pytest.raises(TypeError, match="another source than RedisSource"):
            await RedisSink(connection, LAYOUT).send(foreign, {"type": "x"})
        with pytest.raises(TypeError, match="another source"):
            await RedisSource(connection, LAYOUT).settle(foreign, Settlement.DONE)

    asyncio.run(main())


def test_a_script_that_fails(redis_server: RedisServer) -> None:
    """The error of one call is no other's."""

    async def main() -> None:
        connection = RedisConnection(redis_server.url)
        await connection.open()
        good = asyncio.ensure_future(connection.call("return 5", [], []))
        bad = connection.call("return redis.call('NONSENSE')", [], [])
        with pytest.raises(Exception, match="nknown"):
            await bad
        assert await good == 5
        waiting = asyncio.ensure_future(connection.call("return 1", [], []))
        await asyncio.sleep(0)
        await connection.close()
        await asyncio.wait([waiting])
        assert waiting.cancelled()

    asyncio.run(main())


def test_a_beat_that_fails(
    redis_server: RedisServer,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The log says so, and the next one tries again."""
    beat, failures = Ownership._beat, [OSError("no network")]

    async def main() -> None:
        source = source_at(redis_server, lease=0.3)
        await source.open()

        async def failing(ownership: Ownership) -> None:
            if failures:
                raise failures.pop()
            await beat(ownership)

        monkeypatch.setattr(Ownership, "_beat", failing)
        source.ownership.look()
        await asyncio.sleep(0.5)
        assert len(source.ownership.leases) == 4
        await source.close()

    asyncio.run(main())
    assert "Leases cannot be renewed: OSError('no network')" in caplog.text


def test_leases_lost_before_claiming(redis_server: RedisServer) -> None:
    """Nothing is claimed without the lease, and the loss is noticed."""

    async def main() -> None:
        source = source_at(redis_server)
        async with client_of(redis_server) as client:
            await client.publish(say("a", "1"))
            await source.open()
            leases = list(source.ownership.leases.values())
            for lease in leases:
                await client.ask("SET", LAYOUT.lease(lease.partition), "another:7")
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.2):
                    await source.pull(10)
            assert all(lease.is_lost for lease in leases)
            # What an answer still brings then is not delivered.
            entry = [b"1-1", [b"scope_id", b"a", b"text", b"x"]]
            await source._add(leases[0], [entry], [1])
            assert not source._ready
            source.ownership.lose(leases[0])  # a second time
            await source.close()

    asyncio.run(main())


def test_calls_while_the_server_is_away(
    redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some outlast it, others fail, and those that gave up are forgotten."""
    answers: list[object] = []

    class Pipeline:
        def eval(self, *_: object) -> None:
            """Take a script."""

        async def execute(self, *, raise_on_error: bool) -> list[object]:
            assert not raise_on_error
            if not answers:
                return [5]
            answer = answers.pop(0)
            if isinstance(answer, asyncio.Future):
                answer.cancel()
                msg = "away"
                raise ConnectionError(msg)
            return [answer]

    async def main() -> None:
        connection = RedisConnection(
            redis_server.url, backoff=Backoff(initial=0.01, maximum=0.01)
        )
        await connection.open()
        monkeypatch.setattr(
            connection._client, "pipeline", lambda **_: Pipeline(), raising=False
        )
        answers.append(BusyLoadingError("still loading"))
        assert await connection.call("", [], [], outlasts=True) == 5
        answers.append(BusyLoadingError("still loading"))
        with pytest.raises(BusyLoadingError):
            await connection.call("", [], [])
        given_up = asyncio.ensure_future(connection.call("", [], []))
        await asyncio.sleep(0)
        answers.append(connection._calls[0].answer)
        await asyncio.wait([given_up])
        assert given_up.cancelled()
        assert await connection.call("", [], []) == 5
        await connection.close()

    asyncio.run(main())


def test_a_cancellation_that_gets_lost(
    redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The loop of beats ends all the same."""
    beats: list[asyncio.Event] = []

    async def losing(_: Ownership) -> None:
        if beats:
            beats[0].set()
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.Event().wait()
            # Python 3.11 tells tracers nothing after a throw().
            await asyncio.sleep(0)

    async def main() -> None:
        source = source_at(redis_server)
        await source.connection.open()
        monkeypatch.setattr(Ownership, "_beat", losing)
        await source.ownership.open()
        beats.append(asyncio.Event())
        source.ownership.look()
        await beats[0].wait()
        task = source.ownership._task
        assert task is not None
        task.cancel()
        await asyncio.wait([task])
        assert not task.cancelled()
        assert task.exception() is None
        await source.close()

    asyncio.run(main())


def test_a_cancellation_that_gets_lost_in_a_call(
    redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The loop of calls ends all the same."""

    async def main() -> None:
        connection = RedisConnection(redis_server.url)
        await connection.open()
        arrived = asyncio.Event()

        async def losing(_: RedisConnection, _calls: object) -> None:
            arrived.set()
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.Event().wait()
            # Python 3.11 tells tracers nothing after a throw().
            await asyncio.sleep(0)

        monkeypatch.setattr(RedisConnection, "_execute", losing)
        calling = asyncio.ensure_future(connection.call("return 1", [], []))
        await arrived.wait()
        task = connection._task
        assert task is not None
        task.cancel()
        await asyncio.wait([task])
        assert not task.cancelled()
        assert task.exception() is None
        calling.cancel()
        await connection.close()

    asyncio.run(main())
