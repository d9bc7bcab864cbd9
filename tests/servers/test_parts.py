"""The small parts: back-off, limits, deadlines, health, addresses, memory."""

import asyncio
import sys
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from hypothesis import given, strategies as st

from asgibridge.errors import SourceError, WireFormatError
from asgibridge.servers import (
    Backoff,
    Health,
    Limits,
    LineSink,
    LineSource,
    MemorySink,
    MemorySource,
    Message,
    StreamOptions,
    TcpSink,
    TcpSource,
    open_streams,
)
from asgibridge.servers._deadlines import Deadlines
from asgibridge.servers._partitions import fair_share, partition_of
from asgibridge.servers._publish import message_from
from asgibridge.servers.nats import NatsLayout, NatsSink, NatsSource
from asgibridge.servers.redis import RedisLayout, RedisSink, RedisSource
from asgibridge.types import Settlement

Simulate = Callable[[Coroutine[Any, Any, None]], float]


@given(
    attempt=st.integers(1, 10**6),
    initial=st.floats(0.001, 10),
    maximum=st.floats(0.001, 1000),
    chance=st.floats(0, 1, exclude_max=True),
)
def test_backoff(attempt: int, initial: float, maximum: float, chance: float) -> None:
    """Waits grow up to the maximum, and are shortened by the jitter at most."""
    plain = Backoff(initial, maximum=maximum, jitter=0.0)
    jittered = Backoff(initial, maximum=maximum, jitter=0.5, random=lambda: chance)
    assert plain.delay(attempt) <= plain.delay(attempt + 1) <= maximum
    assert plain.delay(1) == min(initial, maximum)
    half, whole = plain.delay(attempt) / 2, plain.delay(attempt)
    assert half <= jittered.delay(attempt) <= whole


@pytest.mark.parametrize(
    "wrong",
    [
        {"max_applications": 0},
        {"inbox_size": 0},
        {"idle_timeout": 0.0},
        {"close_grace": 0.0},
    ],
)
def test_limits_are_checked(wrong: dict[str, Any]) -> None:
    """Numbers that make no sense are refused at once."""
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Limits(**wrong)


@given(st.text(), st.integers(1, 64))
def test_partitions(scope_id: str, partitions: int) -> None:
    """Each conversation has one."""
    assert 0 <= partition_of(scope_id, partitions) < partitions


def test_partitions_are_for_ever() -> None:
    """Other programs compute them, too: CRC-32 of the UTF-8 text."""
    assert [partition_of(name, 8) for name in ("alice", "bob", "é")] == [7, 0, 6]


@given(st.integers(1, 64), st.integers(0, 80))
def test_fair_shares_cover_everything(partitions: int, workers: int) -> None:
    """All together own all, and nobody more than one above the average."""
    share = fair_share(partitions, workers)
    assert share * max(workers, 1) >= partitions
    assert (share - 1) * max(workers, 1) < partitions


def test_deadlines(simulate: Simulate) -> None:
    """Keys expire in order, also those that are added from a callback."""
    expired: list[tuple[float, str]] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()

        def note(key: str) -> None:
            expired.append((loop.time(), key))
            if key == "b":
                deadlines.add("again")

        deadlines = Deadlines(10.0, note, loop.time, loop)
        deadlines.add("a")
        deadlines.add("gone")
        await asyncio.sleep(3)
        deadlines.add("b")
        deadlines.add("c")
        deadlines.discard("gone")
        assert "b" in deadlines
        assert len(deadlines) == 3
        await asyncio.sleep(60)
        assert not len(deadlines)
        deadlines.add("never")
        deadlines.close()
        assert "never" not in deadlines
        await asyncio.sleep(60)

    simulate(main())
    assert [key for _, key in expired] == ["a", "b", "c", "again"]
    assert [time for time, _ in expired] == pytest.approx([10, 13, 13, 23])


def test_deadlines_that_never_come(simulate: Simulate) -> None:
    """Without a time there is only the order, and no timer."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        keys = Deadlines[str](None, pytest.fail, loop.time, loop)
        for key in "abc":
            keys.add(key)
        await asyncio.sleep(1e5)
        assert keys.pop_oldest() == "a"
        assert keys.drain() == ["b", "c"]

    simulate(main())


def test_a_bounded_queue(simulate: Simulate) -> None:
    """put() waits for room; put_nowait() does not; what was retried is forgotten
    at the end."""

    async def main() -> None:
        source = MemorySource(max_size=1)
        await source.put(Message("a", {"n": 1}))
        waiting = asyncio.ensure_future(source.put(Message("a", {"n": 2})))
        await asyncio.sleep(1)
        assert not waiting.done()
        (first,) = await source.pull(5)
        await waiting
        source.put_nowait(Message("a", {"n": 3}))
        assert len(source) == 2
        await source.settle(first, Settlement.RETRY, delay=1000)
        await source.settle(first, Settlement.DONE)  # does no harm
        await source.close()
        await asyncio.sleep(2000)
        assert len(source) == 2

    simulate(main())


def test_a_bounded_sink(simulate: Simulate) -> None:
    """send() waits for a reader; readers wait for events, and for the end."""

    async def main() -> None:
        sink, envelope = MemorySink(max_size=1), Message("a", {})
        reading = asyncio.ensure_future(sink.get())
        await asyncio.sleep(1)
        await sink.send(envelope, {"type": "1"})
        assert await reading == (envelope, {"type": "1"})
        await sink.send(envelope, {"type": "2"})
        waiting = asyncio.ensure_future(sink.send(envelope, {"type": "3"}))
        await asyncio.sleep(1)
        assert not waiting.done()
        assert await sink.get() == (envelope, {"type": "2"})
        await waiting
        ending = asyncio.ensure_future(_all(sink))
        await asyncio.sleep(1)
        await sink.close()
        assert await ending == ["3"]

    simulate(main())


def test_published_messages(simulate: Simulate) -> None:
    """They go to the source, with the scope of the sender."""

    async def main() -> None:
        source = MemorySource()
        event = {"type": "message.publish", "scope_id": "b", "event": {"type": "x"}}
        await MemorySink(source).send(Message("a", {}), event)
        (message,) = await source.pull(1)
        assert message.scope == {"type": "message", "scope_id": "b"}
        with pytest.raises(WireFormatError, match="must be an object with scope_id"):
            message_from([], default_scope={})

    simulate(main())


async def _all(sink: MemorySink) -> list[str]:
    return [event["type"] async for _, event in sink]


def test_a_reader_that_gave_up(simulate: Simulate) -> None:
    """Waking skips those that wait no longer."""

    async def main() -> None:
        source = MemorySource()
        gone = asyncio.ensure_future(source.pull(1))
        await asyncio.sleep(1)
        gone.cancel()
        await asyncio.wait([gone])
        source.put_nowait(Message("a", {}))
        assert len(await source.pull(1)) == 1

    simulate(main())


def test_health() -> None:
    """A line counts what happened since the one before."""
    now = [100.0]
    health = Health(lambda: now[0])
    envelope = Message("a", {})
    health.opened("a")
    health.opened("b")
    health.closed("a", 1.0, "idle")
    health.settled(envelope, Settlement.DONE, 0.5)
    health.settled(envelope, Settlement.DEAD, 0.25)
    health.settled(envelope, Settlement.RETRY, 0.1)
    health.failed("x", OSError())
    now[0] = 130.0
    assert health.line(7) == (
        "health: 1 instances, 7 messages in flight; in 30 s: 1 done,"
        " 1 given back, 1 dead, 1 failures, slowest 0.500 s"
    )
    assert "in 0 s: 0 done, 0 given back, 0 dead, 0 failures" in health.line(0)


def test_health_lines(simulate: Simulate) -> None:
    """They come regularly."""
    lines: list[str] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        health = Health(loop.time)
        task = asyncio.ensure_future(health.report(10, lines.append, lambda: 3))
        await asyncio.sleep(35)
        task.cancel()
        await asyncio.wait([task])

    simulate(main())
    assert len(lines) == 3
    assert lines[0].startswith("health: 0 instances, 3 messages in flight; in 10 s")


@pytest.mark.parametrize(
    ("address", "source", "sink"),
    [
        ("-", LineSource, LineSink),
        ("tcp://127.0.0.1:0", TcpSource, TcpSink),
        ("redis://127.0.0.1/3", RedisSource, RedisSink),
        ("unix:///run/redis.sock", RedisSource, RedisSink),
        ("nats://127.0.0.1:4222", NatsSource, NatsSink),
        ("tls://127.0.0.1:4222", NatsSource, NatsSink),
    ],
)
def test_addresses(address: str, source: type, sink: type) -> None:
    """An address names a source and a sink; nothing is connected."""
    found = open_streams(address)
    assert isinstance(found[0], source)
    assert isinstance(found[1], sink)


def test_options_of_addresses() -> None:
    """Names and numbers reach the source."""
    options = StreamOptions(name="x", partitions=3, lease_seconds=2, create=False)
    redis, _ = open_streams("redis://h", options)
    assert isinstance(redis, RedisSource)
    assert redis.layout == RedisLayout("x", 3)
    assert (redis.lease_seconds, redis.create) == (2, False)
    nats, _ = open_streams("nats://h:1", options)
    assert isinstance(nats, NatsSource)
    assert nats.layout == NatsLayout("x", 3)
    assert (nats.lease_seconds, nats.create) == (2, False)


@pytest.mark.parametrize(
    ("address", "problem"),
    [
        ("http://host", "names no source: use - for standard input"),
        ("host", "names no source"),
        ("tcp://host", "is no address to listen on"),
        ("tcp://host:port", "is no address to listen on"),
    ],
)
def test_addresses_that_name_nothing(address: str, problem: str) -> None:
    """The error says how they look."""
    with pytest.raises(SourceError, match=problem):
        open_streams(address)


@pytest.mark.parametrize("scheme", ["redis", "nats"])
def test_an_extra_that_is_not_installed(
    monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    """The error says what to install."""
    own = f"asgibridge.servers.{scheme}"
    for name in [one for one in sys.modules if one.startswith(own)]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delattr(sys.modules["asgibridge.servers"], scheme)
    for name in [one for one in sys.modules if one.split(".")[0] == scheme]:
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(SourceError, match=rf"pip install 'asgibridge\[{scheme}\]'"):
        open_streams(f"{scheme}://host:1")


@pytest.mark.parametrize("scheme", ["redis", "nats"])
@pytest.mark.parametrize("wrong", [{"partitions": 0}, {"lease_seconds": -1.0}])
def test_options_that_cannot_be(scheme: str, wrong: dict[str, Any]) -> None:
    """What an address's own classes refuse is the user's to know, in one error."""
    options = StreamOptions(**wrong)
    with pytest.raises(SourceError, match=f"cannot use .*{next(iter(wrong))}"):
        open_streams(f"{scheme}://host:1", options)
