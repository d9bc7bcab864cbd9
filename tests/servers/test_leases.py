"""Sharing partitions out among processes, over a broker that is a dictionary."""

import asyncio
import contextlib
import itertools
from collections.abc import (
    AsyncIterator,
    Callable,
    Container,
    Coroutine,
    Iterator,
    Sequence,
)
from typing import Any, final

import attrs
import pytest
from hypothesis import given, settings, strategies as st

from asgibridge.errors import LeaseLostError
from asgibridge.servers._arrivals import Arrivals
from asgibridge.servers._lease import Lease, Token
from asgibridge.servers._leases import Leases
from tests.servers.brokers import say

Simulate = Callable[[Coroutine[Any, Any, None]], float]
SECONDS = 9.0


@final
@attrs.define(eq=False)
class Book:
    """Who is alive, and who owns what, and until when."""

    now: Callable[[], float]
    alive: dict[str, float] = attrs.field(factory=dict[str, float])
    owners: dict[int, tuple[str, int, float]] = attrs.field(
        factory=dict[int, tuple[str, int, float]]
    )
    terms: Iterator[int] = attrs.field(factory=itertools.count)
    processes: "list[Process]" = attrs.field(factory=list)

    def forget(self) -> None:
        """Forget what is over, as brokers do."""
        now = self.now()
        self.alive = {name: at for name, at in self.alive.items() if at > now}
        self.owners = {part: of for part, of in self.owners.items() if of[2] > now}

    def ring(self) -> None:
        for process in self.processes:
            process.leases.look()


@final
@attrs.define(eq=False)
class BookStore:
    """A `LeaseStore` in memory."""

    book: Book
    owner: str
    partitions: int
    failures: list[Exception] = attrs.field(factory=list[Exception])
    refusals: list[Exception] = attrs.field(factory=list[Exception])
    # Whether the book's answers to acquire() arrive.
    answers: asyncio.Event = attrs.field(factory=asyncio.Event)

    async def enter(self) -> int:
        await asyncio.sleep(0)
        if self.failures:
            raise self.failures.pop()
        self.book.forget()
        self.book.alive[self.owner] = self.book.now() + SECONDS
        return len(self.book.alive)

    async def renew(self, leases: Sequence[Lease], /) -> list[Lease]:
        await asyncio.sleep(0)
        self.book.forget()
        over: list[Lease] = []
        for lease in leases:
            mine = (self.owner, lease.term)
            if self.book.owners.get(lease.partition, ("", 0))[:2] == mine:
                self.own(lease)
            else:
                over.append(lease)
        return over

    async def acquire(
        self, wanted: int, _held: Container[int], /
    ) -> AsyncIterator[Lease]:
        for partition in range(self.partitions):
            await asyncio.sleep(0)
            if wanted and partition not in self.book.owners:
                wanted -= 1
                lease = Lease(partition, next(self.book.terms))
                self.own(lease)
                await self.answers.wait()
                yield lease

    def own(self, lease: Lease) -> None:
        until = self.book.now() + SECONDS
        assert isinstance(lease.term, int)
        self.book.owners[lease.partition] = (self.owner, lease.term, until)

    async def release(self, lease: Lease, /) -> None:
        await asyncio.sleep(0)
        if self.refusals:
            raise self.refusals.pop()
        if self.book.owners.get(lease.partition, ("", 0))[1] == lease.term:
            del self.book.owners[lease.partition]
        self.book.ring()

    async def ring(self) -> None:
        self.book.ring()

    async def leave(self) -> None:
        if self.failures:
            raise self.failures.pop()
        self.book.alive.pop(self.owner, None)
        self.book.ring()


@final
@attrs.define(eq=False)
class Process:
    """What one process has."""

    book: Book
    owner: str
    partitions: int = 4
    patience: float = 5.0
    store: BookStore = attrs.field(init=False)
    arrivals: Arrivals[Lease] = attrs.field(factory=Arrivals[Lease])
    leases: Leases[Lease] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.store = BookStore(self.book, self.owner, self.partitions)
        self.store.answers.set()
        self.leases = Leases(
            self.store,
            "test",
            self.partitions,
            SECONDS,
            self.patience,
            self.arrivals.changed,
        )
        self.book.processes.append(self)

    async def vanish(self) -> None:
        """Beat no more."""
        task = self.leases._task
        assert task is not None
        task.cancel()
        await asyncio.wait([task])
        self.book.processes.remove(self)

    def arrive(self, partition: int, number: int) -> Token:
        """Add a message, as if it were taken."""
        lease = self.leases.held[partition]
        token = Token(partition, lease.term, number)
        lease.known[number] = None
        self.arrivals.add(lease, token, say("a", str(number)))
        return token


def new_book() -> Book:
    return Book(asyncio.get_running_loop().time)


def test_each_gets_its_share_at_once(simulate: Simulate) -> None:
    """Who comes and who goes rings; nobody waits for a beat."""

    async def main() -> None:
        book = new_book()
        processes = [Process(book, name) for name in "ab"]
        for process in processes:
            await process.leases.open()
        await asyncio.sleep(0.001)
        assert [len(one.leases.held) for one in processes] == [2, 2]
        await processes[0].leases.close()
        await asyncio.sleep(0.001)
        assert [len(one.leases.held) for one in processes] == [0, 4]
        await processes[1].leases.close()
        assert not book.owners

    assert simulate(main()) < 0.1


def test_who_vanishes_is_missed_when_its_leases_are_over(simulate: Simulate) -> None:
    """Not earlier, and one beat later at most; it knows as soon as it looks."""

    async def main() -> None:
        book = new_book()
        old, new = Process(book, "old"), Process(book, "new")
        await old.leases.open()
        await new.leases.open()
        await asyncio.sleep(0.001)
        token = old.arrive(next(iter(old.leases.held)), 1)
        await old.vanish()
        await asyncio.sleep(SECONDS - 0.1)
        assert len(new.leases.held) == 2
        assert old.leases.find(token).term == token.term
        await asyncio.sleep(0.1 + SECONDS / 3)
        assert len(new.leases.held) == 4
        with pytest.raises(LeaseLostError, match="will handle message 1; this"):
            old.leases.find(token)
        await new.leases.close()

    simulate(main())


def test_a_beat_that_fails(
    simulate: Simulate, caplog: pytest.LogCaptureFixture
) -> None:
    """The log says so, the next one tries again, and nothing is lost by it."""

    async def main() -> None:
        process = Process(new_book(), "a")
        await process.leases.open()
        before = dict(process.leases.held)
        process.store.failures.append(OSError("no network"))
        await asyncio.sleep(2 * SECONDS)
        assert process.leases.held == before
        await process.leases.close()

    simulate(main())
    assert "Leases cannot be renewed: OSError('no network')" in caplog.text


def test_beats_that_fail_for_too_long(
    simulate: Simulate, caplog: pytest.LogCaptureFixture
) -> None:
    """Then the leases are over, whatever the process believes; it takes others."""

    async def main() -> None:
        process = Process(new_book(), "a")
        await process.leases.open()
        before = dict(process.leases.held)
        token = process.arrive(0, 1)
        process.store.failures += [OSError("no network")] * 4
        await asyncio.sleep(SECONDS)
        with pytest.raises(LeaseLostError):
            process.leases.find(token)
        assert not process.arrivals.take(5)
        await asyncio.sleep(SECONDS)
        assert process.leases.held.keys() == before.keys()
        assert all(lease.is_lost for lease in before.values())
        process.leases.lose(before[0])  # a second time
        await process.leases.close()

    simulate(main())
    assert caplog.text.count("lease of partition 0 of 'test' was lost") == 1


def test_a_cancellation_that_gets_lost(simulate: Simulate) -> None:
    """The loop of beats ends all the same."""

    async def main() -> None:
        process, arrived = Process(new_book(), "a"), asyncio.Event()
        await process.leases.open()

        async def losing() -> int:
            arrived.set()
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.Event().wait()
            # Python 3.11 tells tracers nothing after a throw().
            await asyncio.sleep(0)
            return 1

        enter = process.store.enter
        object.__setattr__(process.leases, "_store", Losing(process.store, losing))
        process.leases.look()
        await arrived.wait()
        task = process.leases._task
        assert task is not None
        task.cancel()
        await asyncio.wait([task])
        assert not task.cancelled()
        assert task.exception() is None
        assert await enter() == 1
        await process.leases.close()

    simulate(main())


@final
@attrs.define(eq=False)
class Losing:
    """A store with another `enter`."""

    store: BookStore
    enter: Callable[[], Coroutine[Any, Any, int]]

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the store has
        return getattr(self.store, name)


@pytest.mark.parametrize("steps", range(12))
def test_opening_is_cancelled(simulate: Simulate, steps: int) -> None:
    """At whichever step: what it has acquired by then is handed over."""

    async def main() -> None:
        book = new_book()
        process = Process(book, "a")
        opening = asyncio.create_task(process.leases.open())
        for _ in range(steps):
            await asyncio.sleep(0)
        opening.cancel()
        await asyncio.wait([opening])
        await process.leases.close()
        assert not book.owners
        assert not book.alive

    simulate(main())


def test_closing_while_it_acquires(simulate: Simulate) -> None:
    """It waits until it is known what there is to hand over."""

    async def main() -> None:
        book = new_book()
        process, other = Process(book, "a"), Process(book, "b")
        await other.leases.open()
        await process.leases.open()
        await asyncio.sleep(1)
        process.store.answers.clear()
        await other.leases.close()  # rings
        await asyncio.sleep(1)
        assert len(book.owners) == 3
        assert len(process.leases.held) == 2
        asyncio.get_running_loop().call_later(1, process.store.answers.set)
        await process.leases.close()
        assert not book.owners

    simulate(main())


def test_opening_fails(simulate: Simulate) -> None:
    """The error is whoever's opens, and there is nothing to close."""

    async def main() -> None:
        book = new_book()
        process = Process(book, "a")
        await process.leases.close()
        process.store.failures += [OSError("no network"), OSError("no network")]
        with pytest.raises(OSError, match="no network"):
            await process.leases.open()
        await process.leases.close()
        assert not book.owners
        process.store.failures.clear()
        await process.leases.open()  # again
        assert len(process.leases.held) == 4
        await process.leases.close()
        assert not book.alive

    simulate(main())


def test_handing_over_fails(
    simulate: Simulate, caplog: pytest.LogCaptureFixture
) -> None:
    """Once does not matter; one that cannot go keeps no other."""

    async def main() -> None:
        book = new_book()
        process = Process(book, "a")
        await process.leases.open()
        process.store.refusals.append(OSError("slow"))
        await process.leases.close()
        assert not book.owners
        assert not caplog.records
        other = Process(book, "b")
        await other.leases.open()
        other.store.refusals += [OSError("slow"), OSError("slow")]
        await other.leases.close()
        assert set(book.owners) == {0}
        assert not book.alive

    simulate(main())
    assert "Partition 0 is not handed over: OSError('slow')" in caplog.text


def test_a_partition_in_use_waits(simulate: Simulate) -> None:
    """For its messages, but not for ever; what is not pulled does not count."""

    async def main() -> None:
        book = new_book()
        old, new = Process(book, "old"), Process(book, "new")
        await old.leases.open()
        tokens = {number: old.arrive(number, number) for number in range(4)}
        assert len(old.arrivals.take(5)) == 4
        old.arrive(3, 9)
        await new.leases.open()
        await asyncio.sleep(0.001)
        assert [len(one.leases.held) for one in (old, new)] == [4, 0]
        # Nothing more of those that are to go.
        assert {lease.partition for lease in old.leases.active} == {0, 1}
        assert not old.arrivals.take(5)
        lease = old.leases.find(tokens[3])
        old.arrivals.settled(lease, tokens[3], say("a", "3"), None)
        old.leases.settled(lease, tokens[3])
        await asyncio.sleep(0.001)
        assert set(new.leases.held) == {3}
        await asyncio.sleep(SECONDS)  # longer than its patience, and a beat
        assert set(new.leases.held) == {2, 3}
        with pytest.raises(LeaseLostError):
            old.leases.find(tokens[2])
        await new.leases.close()
        await old.leases.close()

    simulate(main())


def test_again_later(simulate: Simulate) -> None:
    """What is given back comes again from here, unless the partition goes."""

    async def main() -> None:
        process = Process(new_book(), "a")
        await process.leases.open()
        first, second = process.arrive(0, 1), process.arrive(0, 2)
        assert len(process.arrivals.take(5)) == 2
        lease = process.leases.find(first)
        process.arrivals.settled(lease, first, say("a", "1"), 2.0)
        process.arrivals.settled(lease, second, say("a", "2"), 99.0)
        process.arrivals.changed.clear()
        assert not process.arrivals.take(5)
        await process.arrivals.changed.wait()
        (again,) = process.arrivals.take(5)
        assert again.event["text"] == "1"
        assert set(lease.known) == {1, 2}
        await process.leases.close()
        # It is another's by now.
        process.arrivals.settled(lease, first, say("a", "1"), 2.0)
        assert set(lease.known) == {2}
        assert not lease.delayed

    assert simulate(main()) == pytest.approx(2.0)


@final
@attrs.define(eq=False)
class Story:
    """Processes that come, go, vanish, and take messages."""

    partitions: int
    book: Book = attrs.field(factory=new_book)
    alive: list[Process] = attrs.field(factory=list[Process])
    gone: list[Process] = attrs.field(factory=list[Process])

    async def step(self, name: str, number: int) -> None:
        if name == "come":
            owner = f"p{len(self.alive) + len(self.gone)}"
            process = Process(self.book, owner, self.partitions)
            await process.leases.open()
            self.alive.append(process)
        elif name == "wait":
            await asyncio.sleep(number)
        elif self.alive:
            await self.act(name, self.alive[number % len(self.alive)], number)

    async def act(self, name: str, process: Process, number: int) -> None:
        if name == "take":
            for lease in process.leases.active:
                process.arrive(lease.partition, number)
            process.arrivals.take(number)
            return
        self.alive.remove(process)
        self.gone.append(process)
        await (process.leases.close() if name == "go" else process.vanish())

    def check(self) -> None:
        """No partition has two who may do something with it."""
        now, owned = self.book.now(), list[int]()
        for process in self.alive + self.gone:
            held = process.leases.held.values()
            owned += [one.partition for one in held if one.valid_until > now]
        assert len(owned) == len(set(owned))


STEPS = st.sampled_from(["come", "go", "vanish", "wait", "wait", "take"])


@settings(max_examples=100, deadline=None)
@given(
    steps=st.lists(st.tuples(STEPS, st.integers(0, 5)), max_size=15),
    partitions=st.integers(1, 6),
)
def test_no_partition_has_two_owners(
    simulate: Simulate, steps: list[tuple[str, int]], partitions: int
) -> None:
    """Whoever comes, goes and vanishes; and after a while, each has one."""

    async def main() -> None:
        story = Story(partitions)
        for name, number in steps:
            await story.step(name, number)
            story.check()
        await asyncio.sleep(3 * SECONDS)
        story.check()
        counts = [len(process.leases.held) for process in story.alive]
        assert sum(counts) == (partitions if story.alive else 0)
        share = -(-partitions // max(1, len(story.alive)))
        assert all(count <= share for count in counts)
        for process in story.alive:
            await process.leases.close()

    simulate(main())
