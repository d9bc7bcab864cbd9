"""Redis and NATS under one interface: what their tests have in common."""

import asyncio
import contextlib
import json
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from typing import Any, Protocol, final

import attrs
from nats.js import errors as js_errors

from asgibridge.servers import Backoff, Limits, Message, StatelessServer
from asgibridge.servers._leases import Leases
from asgibridge.servers.nats import (
    NatsConnection,
    NatsLayout,
    NatsPublisher,
    NatsSink,
    NatsSource,
)
from asgibridge.servers.nats._streams import open_streams
from asgibridge.servers.redis import (
    RedisConnection,
    RedisLayout,
    RedisPublisher,
    RedisSink,
    RedisSource,
)
from asgibridge.types import (
    ASGIApp,
    Envelope,
    MessageEvent,
    MessageScope,
    MessageSink,
)
from tests.staging import PATIENCE

Receive = Callable[[], Awaitable[MessageEvent]]
Send = Callable[[MessageEvent], Awaitable[None]]
Source = RedisSource | NatsSource
QUICKLY = Backoff(initial=0.01, maximum=0.1)


class Server(Protocol):
    """The server of a fixture."""

    @property
    def url(self) -> str: ...
    def start(self) -> None: ...
    def stop(self) -> None: ...


@attrs.frozen
class Dead:
    """A dead letter."""

    text: str
    reason: str


class Broker(ABC):
    """A broker as an operator sees it."""

    server: Server

    @abstractmethod
    def source(
        self,
        *,
        lease: float = 60.0,
        handover: float = 30.0,
        timeout: float = PATIENCE,
    ) -> Source:
        """Return a source whose leases do not expire within a test."""

    @abstractmethod
    def sink(self, source: Source) -> MessageSink:
        """Return the sink that belongs to a source."""

    @abstractmethod
    async def open(self) -> None:
        """Connect; the streams are there then."""

    @abstractmethod
    async def close(self) -> None: ...

    @abstractmethod
    async def publish(self, *messages: Message) -> None: ...

    @abstractmethod
    async def sent(self) -> list[dict[str, Any]]:
        """Return the events that applications sent."""

    @abstractmethod
    async def count_sent(self) -> int:
        """Return how many events applications sent."""

    @abstractmethod
    async def pending(self) -> dict[int, int]:
        """Return how many messages of each partition were taken and not settled."""

    @abstractmethod
    async def dead(self) -> list[Dead]:
        """Return the dead letters."""

    @abstractmethod
    async def left(self) -> int:
        """Return how many messages are not settled."""

    @abstractmethod
    async def owned(self) -> dict[int, str]:
        """Return the owner of each partition that has one."""

    @abstractmethod
    async def steal(self, partition: int) -> None:
        """Let a partition be another's."""

    @abstractmethod
    async def expire(self, partition: int) -> None:
        """Let the lease of a partition be over."""

    async def owners(self) -> list[str]:
        """Return the owner of each partition that has one."""
        return list((await self.owned()).values())

    async def in_hand(self, pid: int | None = None) -> int:
        """Return how many messages a process, or anybody, has not settled."""
        pending = await self.pending()
        if pid is None:
            return sum(pending.values())
        # The owners' names say which process they are.
        return sum(
            pending.get(partition, 0)
            for partition, owner in (await self.owned()).items()
            if f"-{pid}-" in owner
        )

    async def wait(self, enough: Callable[[], Awaitable[bool]]) -> None:
        """Look until something is true."""
        async with asyncio.timeout(PATIENCE):
            # ASYNC110: brokers do not tell what was settled or sent.
            while not await enough():  # noqa: ASYNC110
                await asyncio.sleep(0.01)

    async def wait_settled(self) -> None:
        """Wait until no message is left, as long as there are fewer and fewer."""
        fewest = await self.left()
        async with asyncio.timeout(PATIENCE) as net:
            while left := await self.left():
                if left < fewest:
                    fewest = left
                    net.reschedule(asyncio.get_running_loop().time() + PATIENCE)
                await asyncio.sleep(0.01)

    async def texts(self, count: int) -> list[str]:
        """Return the texts of the events, when there are so many."""
        found: list[dict[str, Any]] = []

        async def enough() -> bool:
            found[:] = await self.sent()
            return len(found) >= count

        await self.wait(enough)
        return [event["text"] for event in found]

    async def wait_dead(self, count: int) -> list[Dead]:
        """Return the dead letters, when there are so many."""
        found: list[Dead] = []

        async def enough() -> bool:
            found[:] = await self.dead()
            return len(found) >= count

        await self.wait(enough)
        return found


@final
@attrs.define(eq=False)
class RedisBroker(Broker):
    """Redis."""

    server: Server
    layout: RedisLayout = attrs.field(factory=lambda: RedisLayout("test", 4))
    connection: RedisConnection = attrs.field(init=False)

    def source(
        self,
        *,
        lease: float = 60.0,
        handover: float = 30.0,
        timeout: float = PATIENCE,
    ) -> RedisSource:
        connection = RedisConnection(self.server.url, timeout=timeout, backoff=QUICKLY)
        return RedisSource(
            connection, self.layout, lease_seconds=lease, handover_seconds=handover
        )

    def sink(self, source: Source) -> MessageSink:
        assert isinstance(source, RedisSource)
        return RedisSink(source.connection, self.layout)

    async def open(self) -> None:
        self.connection = RedisConnection(self.server.url, timeout=PATIENCE)
        await self.connection.open()

    async def close(self) -> None:
        await self.connection.close()

    async def publish(self, *messages: Message) -> None:
        await RedisPublisher(self.connection, self.layout).publish(*messages)

    async def ask(self, *command: str | int) -> Any:  # noqa: ANN401 - Redis's answer
        return await self.connection.command(*command)

    async def entries(self, stream: str) -> list[dict[str, str]]:
        """Return the fields of all entries of a stream."""
        found: Any = await self.ask("XRANGE", stream, "-", "+")
        return [
            {name.decode(): value.decode() for name, value in fields.items()}
            for _, fields in found
        ]

    async def sent(self) -> list[dict[str, Any]]:
        return [
            json.loads(entry["event"]) for entry in await self.entries(self.layout.out)
        ]

    async def count_sent(self) -> int:
        return int(await self.ask("XLEN", self.layout.out))

    async def pending(self) -> dict[int, int]:
        found: dict[int, int] = {}
        for number in range(self.layout.partitions):
            stream = self.layout.stream(number)
            pending: Any = await self.ask("XPENDING", stream, "workers")
            found[number] = pending["pending"]
        return found

    async def dead(self) -> list[Dead]:
        return [
            Dead(entry.get("event", ""), entry["reason"])
            for entry in await self.entries(self.layout.dead)
        ]

    async def left(self) -> int:
        numbers = range(self.layout.partitions)
        lengths = [
            await self.ask("XLEN", self.layout.stream(number)) for number in numbers
        ]
        return sum(map(int, lengths))

    async def owned(self) -> dict[int, str]:
        numbers = range(self.layout.partitions)
        found: Any = await self.ask("MGET", *map(self.layout.lease, numbers))
        return {
            number: value.decode().rpartition(":")[0]
            for number, value in zip(numbers, found, strict=True)
            if value
        }

    async def steal(self, partition: int) -> None:
        await self.ask("SET", self.layout.lease(partition), "another:7")

    async def expire(self, partition: int) -> None:
        await self.ask("DEL", self.layout.lease(partition))


@final
@attrs.define(eq=False)
class NatsBroker(Broker):
    """NATS JetStream."""

    server: Server
    layout: NatsLayout = attrs.field(factory=lambda: NatsLayout("test", 4))
    connection: NatsConnection = attrs.field(init=False)

    @property
    def js(self) -> Any:  # noqa: ANN401 - nats-py's context
        return self.connection.js

    def source(
        self,
        *,
        lease: float = 60.0,
        handover: float = 30.0,
        timeout: float = PATIENCE,
        ack_wait: float = 30.0,
    ) -> NatsSource:
        connection = NatsConnection(self.server.url, timeout=timeout, backoff=QUICKLY)
        return NatsSource(
            connection,
            self.layout,
            lease_seconds=lease,
            handover_seconds=handover,
            ack_wait=ack_wait,
        )

    def sink(self, source: Source) -> MessageSink:
        assert isinstance(source, NatsSource)
        return NatsSink(source)

    async def open(self) -> None:
        self.connection = NatsConnection(self.server.url, timeout=PATIENCE)
        await self.connection.open()
        await open_streams(self.js, self.layout, create=True)

    async def close(self) -> None:
        await self.connection.close()

    async def publish(self, *messages: Message) -> None:
        await NatsPublisher(self.connection, self.layout).publish(*messages)

    async def stored(self, stream: str) -> list[Any]:
        """Return the messages of a stream."""
        state = (await self.js.stream_info(stream)).state
        if not state.messages:
            return []
        found: list[Any] = []
        for first in range(state.first_seq, state.last_seq + 1, 500):
            numbers = range(first, min(first + 500, state.last_seq + 1))
            found += await asyncio.gather(
                *(self.js.get_msg(stream, number) for number in numbers)
            )
        return found

    async def sent(self) -> list[dict[str, Any]]:
        found = await self.stored(self.layout.out_stream)
        return [json.loads(message.data)["event"] for message in found]

    async def count_sent(self) -> int:
        return int((await self.js.stream_info(self.layout.out_stream)).state.messages)

    async def pending(self) -> dict[int, int]:
        found: Counter[int] = Counter()
        for info in await self.js.consumers_info(self.layout.stream):
            partition = int(info.config.filter_subject.rpartition(".")[2])
            found[partition] += int(info.num_ack_pending or 0)
        return found

    async def dead(self) -> list[Dead]:
        return [
            Dead(message.data.decode(), message.headers["Asgibridge-Reason"])
            for message in await self.stored(self.layout.dead_stream)
        ]

    async def left(self) -> int:
        info = await self.js.stream_info(self.layout.stream)
        return int(info.state.messages)

    async def owned(self) -> dict[int, str]:
        found: dict[int, str] = {}
        try:
            bucket = await self.js.key_value(self.layout.leases)
        except js_errors.BucketNotFoundError:
            return found  # nobody was here yet
        for number in range(self.layout.partitions):
            with contextlib.suppress(js_errors.KeyNotFoundError):
                entry = await bucket.get(f"owner.{number}")
                found[number] = entry.value.decode()
        return found

    async def steal(self, partition: int) -> None:
        # What its successor does: first the key, then the consumer.
        bucket = await self.js.key_value(self.layout.leases)
        await bucket.put(f"owner.{partition}", b"another")
        for info in await self.js.consumers_info(self.layout.stream):
            if info.name.startswith(self.layout.consumers(partition)):
                await self.js.delete_consumer(self.layout.stream, info.name)

    async def expire(self, partition: int) -> None:
        bucket = await self.js.key_value(self.layout.leases)
        await bucket.delete(f"owner.{partition}")


@contextlib.asynccontextmanager
async def operating(broker: Broker) -> AsyncGenerator[None, None]:
    """Connect as an operator while the block is."""
    await broker.open()
    try:
        yield
    finally:
        await broker.close()


@contextlib.asynccontextmanager
async def serving(
    app: ASGIApp, broker: Broker, source: Source, limits: Limits | None = None
) -> AsyncGenerator[StatelessServer, None]:
    """Run a server while the block is."""
    limits = limits or Limits(backoff=Backoff(initial=0.01))
    sink = broker.sink(source)
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


async def pull_all(source: Source, count: int) -> list[Envelope]:
    """Pull so many messages."""
    found: list[Envelope] = []
    async with asyncio.timeout(PATIENCE):
        while len(found) < count:
            found += await source.pull(40)
    return found


async def freeze(source: Source) -> None:
    """Let a source beat no more, as if its process were stopped."""
    task = source.leases._task
    assert task is not None
    while not task.done():  # clients lose cancellations
        task.cancel()
        await asyncio.wait([task], timeout=0.02)


async def vanish(broker: Broker, source: Source) -> None:
    """Let a source's process be gone, at once; what it does later has no effect."""
    await freeze(source)
    leases: Leases[Any] = source.leases  # of either kind
    for lease in list(leases.held.values()):
        leases.lose(lease)
        await broker.expire(lease.partition)
    # Else it would have a share until nobody had heard of it for long.
    await source.leases._store.leave()


async def begin(source: Source, envelope: Envelope) -> bool:
    """Give a message to an application; return whether that had to be noted."""
    noting = source.begin(envelope)
    if noting is None:
        return False
    await noting
    return True


def texts_of(envelopes: Sequence[Envelope]) -> list[str]:
    """Return the texts of messages."""
    return [envelope.event["text"] for envelope in envelopes]
