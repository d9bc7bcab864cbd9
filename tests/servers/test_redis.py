"""What only Redis Streams have, against a real server."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Sequence
from typing import Any

import pytest
from redis.exceptions import BusyLoadingError, DataError

from asgibridge.errors import LeaseLostError, SourceError
from asgibridge.servers import Backoff, Limits, StatelessServer
from asgibridge.servers.redis import (
    RedisConnection,
    RedisLayout,
    RedisSink,
    RedisSource,
)
from asgibridge.servers.redis._intake import Intake
from asgibridge.types import Envelope, Settlement
from tests.servers.brokers import (
    RedisBroker,
    Server,
    echo,
    operating,
    pull_all,
    say,
    serving,
    texts_of,
    vanish,
)
from tests.staging import PATIENCE

LAYOUT = RedisLayout("test", 4)


@contextlib.asynccontextmanager
async def client_of(server: Server) -> AsyncGenerator[RedisBroker, None]:
    """Connect as an operator."""
    broker = RedisBroker(server)
    async with operating(broker):
        yield broker


def source_at(server: Server, *, lease: float = 60.0) -> RedisSource:
    """Return a source whose leases do not expire within a test."""
    return RedisBroker(server).source(lease=lease)


def test_entries_by_hand(redis_server: Server) -> None:
    """A text is enough; what is no message becomes a dead letter."""

    async def main() -> None:
        async with client_of(redis_server) as client:
            stream = LAYOUT.stream_for("me")
            await client.ask("XADD", stream, "*", "scope_id", "me", "text", "typed")
            await client.ask("XADD", stream, "*", "scope_id", "me", "event", "{bad")
            await client.ask("XADD", stream, "*", "text", "whose?")
            async with serving(echo, client, client.source()):
                await client.wait_dead(2)
                assert await client.texts(1) == ["me said typed"]
                await client.wait_settled()
            dead = await client.entries(LAYOUT.dead)
            assert "not JSON" in dead[0]["reason"]
            assert dead[0]["event"] == "{bad"
            assert "scope_id" in dead[1]["reason"]
            assert dead[1]["stream"] == stream

    asyncio.run(main())


def test_whoever_lost_a_lease_can_do_nothing(redis_server: Server) -> None:
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
            with pytest.raises(LeaseLostError, match="may neither settle nor send"):
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
            assert not old.leases.held
            assert await client.ask("XLEN", stream) == before
            assert not await client.entries(LAYOUT.out) + await client.entries(
                LAYOUT.dead
            )
            await old.close()
            # It did not take away what is another's, either.
            assert await client.ask("GET", LAYOUT.lease(0)) == b"another:7"

    asyncio.run(main())


@pytest.mark.parametrize("command", ["group", "everything"])
def test_streams_that_vanish(redis_server: Server, command: str) -> None:
    """A group that somebody destroyed is made again, and work goes on."""

    async def main() -> None:
        source = source_at(redis_server, lease=0.3)
        async with client_of(redis_server) as client, serving(echo, client, source):
            await client.publish(say("a", "1"))
            await client.texts(1)
            if command == "group":
                await client.ask("XGROUP", "DESTROY", LAYOUT.stream_for("a"), "workers")
            else:
                await client.ask("FLUSHALL")
            await client.publish(say("a", "2"), say("b", "3"))
            said = set[str]()
            async with asyncio.timeout(PATIENCE):
                while not said >= {"a said 2", "b said 3"}:
                    said |= {event["text"] for event in await client.sent()}
                    await asyncio.sleep(0.01)

    asyncio.run(main())


def test_a_claim_without_a_group(redis_server: Server) -> None:
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
    redis_server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was taken when the connection broke is claimed, once."""

    async def main() -> None:
        source = source_at(redis_server)
        async with client_of(redis_server) as client:
            await client.publish(say("a", "1"), say("a", "2"), say("a", "3"))
            await source.open()
            (first,) = await source.pull(1)
            add, lost = Intake._add, [True]

            async def losing(
                intake: Intake,
                lease: Any,  # noqa: ANN401 - a class that is private
                entries: Sequence[Sequence[Any]],
                counts: Sequence[int],
            ) -> None:
                if lost and entries:
                    lost.clear()
                    msg = "the answer never came"
                    raise ConnectionError(msg)
                await add(intake, lease, entries, counts)

            monkeypatch.setattr(Intake, "_add", losing)
            with pytest.raises(ConnectionError):
                await source.pull(5)
            rest: list[Envelope] = []
            while len(rest) < 2:
                rest += await source.pull(5)
            assert texts_of([first, *rest]) == ["1", "2", "3"]
            # Only one process has had it.
            assert {one.delivery_count for one in rest} == {1}
            await source.close()

    asyncio.run(main())


def test_a_refusal_that_fails(
    redis_server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What comes behind an entry that is no message is not left out for that."""

    async def main() -> None:
        old, new = source_at(redis_server), source_at(redis_server)
        async with client_of(redis_server) as client:
            await client.publish(say("a", "1"))
            await old.open()
            stream = LAYOUT.stream_for("a")
            await client.ask("XADD", stream, "*", "text", "whose?")
            await client.publish(say("a", "2"), say("a", "3"))
            # As an owner that vanished leaves them.
            await client.ask(
                *("XREADGROUP", "GROUP", "workers", "owner", "STREAMS", stream, ">")
            )
            await vanish(client, old)
            await old.close()
            refuse, failures = Intake._refuse, [ConnectionError("away")]

            async def failing(
                intake: Intake,
                lease: Any,  # noqa: ANN401 - a class that is private
                entry_id: str,
                problem: str,
            ) -> None:
                if failures:
                    raise failures.pop()
                await refuse(intake, lease, entry_id, problem)

            monkeypatch.setattr(Intake, "_refuse", failing)
            await new.open()
            with pytest.raises(ConnectionError, match="away"):
                await new.pull(10)
            found = await pull_all(new, 3)
            assert texts_of(found) == ["1", "2", "3"]
            assert {one.delivery_count for one in found} == {2}
            assert len(await client.dead()) == 1
            await new.close()

    asyncio.run(main())


def test_many_claims(redis_server: Server) -> None:
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
                found += texts_of(await new.pull(4))
            assert found == [str(number) for number in range(30)]
            await new.close()

    asyncio.run(main())


def test_wrong_credentials(redis_server: Server) -> None:
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


def test_a_user_who_may_not(redis_server: Server) -> None:
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


def test_no_address() -> None:
    """A URL that redis-py does not understand; the password is nobody's concern."""
    with pytest.raises(SourceError, match="'http://x' as the address"):
        RedisConnection("http://me:secret@x")


def test_what_processes_must_agree_on(redis_server: Server) -> None:
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


def test_a_script_that_fails(redis_server: Server) -> None:
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


def test_leases_lost_before_claiming(redis_server: Server) -> None:
    """Nothing is claimed without the lease, and the loss is noticed."""

    async def main() -> None:
        source = source_at(redis_server)
        async with client_of(redis_server) as client:
            await client.publish(say("a", "1"))
            await source.open()
            leases = list(source.leases.held.values())
            for lease in leases:
                await client.ask("SET", LAYOUT.lease(lease.partition), "another:7")
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.2):
                    await source.pull(10)
            assert all(lease.is_lost for lease in leases)
            # What an answer still brings then is not delivered.
            entry = [b"1-1", [b"scope_id", b"a", b"text", b"x"]]
            await source._intake._add(leases[0], [entry], [1])
            assert not source._arrivals.take(5)
            source.leases.lose(leases[0])  # a second time
            await source.close()

    asyncio.run(main())


def test_calls_while_the_server_is_away(
    redis_server: Server, monkeypatch: pytest.MonkeyPatch
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


def test_a_cancellation_that_gets_lost_in_a_call(
    redis_server: Server, monkeypatch: pytest.MonkeyPatch
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


def test_half_a_character(redis_server: Server) -> None:
    """JSON may have it and UTF-8 may not; whoever sends it harms nobody else."""
    half = "\ud800"

    async def main() -> None:
        async with client_of(redis_server) as client:
            await client.publish(say("a", half), say("a", f"@{half} psst"))
            await client.publish(say("a", "good"))
            source, limits = client.source(), Limits(max_deliveries=1)
            async with serving(echo, client, source, limits):
                said = await client.texts(2)
                (dead,) = await client.wait_dead(1)
                await client.wait_settled()
            assert said == [f"a said {half}", "a said good"]
            assert "UnicodeEncodeError" in dead.reason

    asyncio.run(main())


def test_calls_that_redis_py_cannot_make(redis_server: Server) -> None:
    """Those who wait are told, and the next ones are made."""

    async def main() -> None:
        connection = RedisConnection(redis_server.url)
        await connection.open()
        bad: list[Any] = [None]
        with pytest.raises(DataError):
            await connection.call("return 1", [], bad, outlasts=True)
        assert await connection.call("return 5", [], []) == 5
        await connection.close()

    asyncio.run(main())
