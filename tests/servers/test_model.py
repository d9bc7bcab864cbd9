"""The core against its promises, for any messages, applications and sources.

Hypothesis writes the story: who sends what and when, what the application does
with each delivery, how the source misbehaves, when somebody stops the server.
It is played in simulated time, and `Record` holds what must be true of it.
"""

import asyncio
import contextlib
import enum
import itertools
import logging
from collections import Counter, defaultdict
from collections.abc import (
    Awaitable,
    Callable,
    Coroutine,
    Generator,
    Iterator,
    Sequence,
)
from typing import Any, Final

import attrs
import pytest
from hypothesis import event as note, example, given, settings, strategies as st

from asgibridge.servers import (
    Backoff,
    FullPolicy,
    Limits,
    MemorySink,
    Message,
    StatelessServer,
)
from asgibridge.types import (
    Envelope,
    MessageEvent,
    MessageScope,
    Settlement,
)

Simulate = Callable[[Coroutine[Any, Any, None]], float]
Receive = Callable[[], Awaitable[MessageEvent]]


class Act(enum.Enum):
    """What an application does with one delivery of one message."""

    HANDLE = "handle"
    RAISE = "raise"
    RETURN = "return"
    LINGER = "linger"  # takes a second
    HANG = "hang"
    BE_IMPATIENT = "be impatient"  # gives up its next receive() once
    RAISE_LATER = "raise later"  # if it is told to end


@attrs.frozen
class Line:
    """One message of the story."""

    after: float  # seconds since the one before it
    scope_id: str
    acts: tuple[Act, ...]  # of its deliveries; the last one again and again


@attrs.frozen
class Story:
    """Everything that is not decided by the server."""

    lines: tuple[Line, ...]
    limits: Limits
    pull_errors: frozenset[int]
    settle_errors: frozenset[int]
    # Of the notes on deliveries; None: it needs none.
    begin_errors: frozenset[int] | None
    redelivered: frozenset[int]  # indexes of messages that come twice
    stop_at: float | None
    ignores_disconnect: bool


RETRY: Final = Settlement.RETRY
ACT_SECONDS: Final = {Act.LINGER: 1.0, Act.HANG: 1e9}
ACTS = st.sampled_from(Act)
NUMBERS = st.frozensets(st.integers(0, 20), max_size=3)
LINES = st.builds(
    Line,
    after=st.sampled_from([0.0, 0.0, 0.0, 0.5, 20.0]),
    scope_id=st.sampled_from("abcde"),
    acts=st.lists(ACTS, min_size=1, max_size=3).map(tuple),
)
LIMITS = st.builds(
    Limits,
    max_applications=st.integers(1, 3),
    inbox_size=st.integers(1, 3),
    max_in_flight=st.integers(1, 12),
    full=st.sampled_from(FullPolicy),
    idle_timeout=st.sampled_from([None, 0.3, 15.0]),
    close_grace=st.just(2.0),
    message_timeout=st.sampled_from([5.0, 0.7]),
    max_deliveries=st.integers(1, 3),
    drain_timeout=st.sampled_from([0.4, 30.0]),
    backoff=st.just(Backoff(initial=0.25, random=lambda: 0.0)),
)
STORIES = st.builds(
    Story,
    lines=st.lists(LINES, max_size=20).map(tuple),
    limits=LIMITS,
    pull_errors=NUMBERS,
    settle_errors=NUMBERS,
    begin_errors=st.none() | NUMBERS,
    redelivered=NUMBERS,
    stop_at=st.one_of(st.none(), st.floats(0, 40)),
    ignores_disconnect=st.booleans(),
)


@attrs.define(eq=False)
class StorySource:
    """Brings the messages of a story, and raises where it says so."""

    story: Story
    queue: list[Message] = attrs.field(factory=list[Message])
    arrived: asyncio.Event = attrs.field(factory=asyncio.Event)
    has_all: bool = False
    out: dict[object, Message] = attrs.field(factory=dict[object, Message])
    tokens: Iterator[int] = attrs.field(factory=itertools.count)
    delayed: int = 0
    pulls: int = 0
    settles: int = 0
    begins: int = 0
    begun: set[object] = attrs.field(factory=set[object])  # tokens
    # How often it was told that an application is about to have a message.
    given: Counter[int] = attrs.field(factory=Counter[int])
    settlements: defaultdict[int, list[Settlement]] = attrs.field(
        factory=lambda: defaultdict(list)
    )

    async def feed(self) -> None:
        for index, line in enumerate(self.story.lines):
            await asyncio.sleep(line.after)
            event = {"type": "message.receive", "index": index}
            scope = {"type": "message", "id": line.scope_id}
            for _ in range(1 + (index in self.story.redelivered)):
                self.push(Message(line.scope_id, event, scope))
        self.has_all = True
        self.arrived.set()

    def push(self, message: Message) -> None:
        self.queue.append(attrs.evolve(message, token=next(self.tokens)))
        self.arrived.set()

    def push_again(self, message: Message) -> None:
        self.delayed -= 1
        self.push(message)

    async def open(self) -> None:
        """Nothing to open."""

    async def pull(self, max_messages: int, /) -> Sequence[Message]:
        self.pulls += 1
        if self.pulls in self.story.pull_errors:
            raise SourceOfTroubleError
        while not self.queue:
            if self.has_all and not self.out and not self.delayed:
                return []
            self.arrived.clear()
            await self.arrived.wait()
        batch = self.queue[:max_messages]
        del self.queue[: len(batch)]
        self.out.update((message.token, message) for message in batch)
        assert len(self.out) <= self.story.limits.max_in_flight
        return batch

    def begin(self, envelope: Envelope, /) -> Awaitable[None] | None:
        assert envelope.token in self.out
        if self.story.begin_errors is None or envelope.token in self.begun:
            self.given[envelope.event["index"]] += 1
            return None
        return self.note(envelope)

    async def note(self, envelope: Envelope) -> None:
        await asyncio.sleep(0.05)
        self.begins += 1
        if self.begins in (self.story.begin_errors or ()):
            raise SourceOfTroubleError
        self.begun.add(envelope.token)

    async def settle(
        self,
        envelope: Envelope,
        settlement: Settlement,
        /,
        *,
        delay: float = 0.0,
        reason: str = "",
    ) -> None:
        self.settles += 1
        if self.settles in self.story.settle_errors:
            raise SourceOfTroubleError
        message = self.out.pop(envelope.token)  # a second time is an error here
        self.settlements[envelope.event["index"]].append(settlement)
        assert bool(reason) == (settlement is Settlement.DEAD)
        if settlement is Settlement.RETRY:
            self.delayed += 1
            asyncio.get_running_loop().call_later(delay, self.push_again, message)
        self.arrived.set()

    async def close(self) -> None:
        """Nothing to close."""


@attrs.define(eq=False)
class StoryApplication:
    """Acts as the story says, and watches what the server does with it."""

    story: Story
    alive: Counter[str] = attrs.field(factory=Counter[str])
    deliveries: Counter[int] = attrs.field(factory=Counter[int])
    seen: defaultdict[str, list[int]] = attrs.field(factory=lambda: defaultdict(list))
    is_stopped: bool = False

    async def __call__(self, scope: MessageScope, receive: Receive, _: object) -> None:
        scope_id: str = scope["id"]
        self.alive[scope_id] += 1
        assert self.alive[scope_id] == 1, "two instances of one conversation"
        assert self.alive.total() <= self.story.limits.max_applications
        try:
            await self.converse(scope_id, receive)
        finally:
            self.alive[scope_id] -= 1

    async def converse(self, scope_id: str, receive: Receive) -> None:
        # Whether a CancelledError may come: never to an instance that is idle
        # and was not asked to end before.
        may_be_cancelled = False
        event = await receive()
        try:
            while True:
                if event["type"] == "message.disconnect":
                    if not self.story.ignores_disconnect:
                        return
                    may_be_cancelled = True
                    event = await receive()
                act = self.delivered(scope_id, event["index"])
                if act is Act.RAISE:
                    raise ActedError
                if act is Act.RETURN:
                    return
                may_be_cancelled = True
                await asyncio.sleep(ACT_SECONDS.get(act, 0.0))
                may_be_cancelled = False
                event = await self.next(act, receive)
        except asyncio.CancelledError:
            assert may_be_cancelled or self.is_stopped
            raise

    def delivered(self, scope_id: str, index: int) -> Act:
        self.seen[scope_id].append(index)
        acts = self.story.lines[index].acts
        act = acts[min(self.deliveries[index], len(acts) - 1)]
        self.deliveries[index] += 1
        note(act.value)
        return act

    async def next(self, act: Act, receive: Receive) -> MessageEvent:
        if act is Act.BE_IMPATIENT:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.1):
                    return await receive()
        event = await receive()
        if act is Act.RAISE_LATER and event["type"] == "message.disconnect":
            raise ActedError
        return event


class SourceOfTroubleError(Exception):
    """What the source of the story raises."""


class ActedError(Exception):
    """What the application of the story raises."""


async def play(story: Story, source: StorySource, app: StoryApplication) -> None:
    """Run a server through a story."""
    server = StatelessServer(
        app, source, MemorySink(), limits=story.limits, lifespan="off"
    )

    async def stop() -> None:
        if story.stop_at is not None:
            await asyncio.sleep(story.stop_at)
            app.is_stopped = True
            server.stop()

    async with asyncio.TaskGroup() as group:
        others = [group.create_task(source.feed()), group.create_task(stop())]
        await server.serve()
        for other in others:
            other.cancel()
    assert server.health() == {"instances": 0, "in_flight": 0}


# The failures of a story are logged as they should, thousands of them.
@pytest.fixture(autouse=True, scope="module")
def quiet() -> Generator[None, None, None]:
    logger = logging.getLogger("asgibridge.servers")
    logger.disabled = True
    yield
    logger.disabled = False


# Stopped while the source did not take back what an inbox had no room for.
UNHEARD = Story(
    lines=(Line(0.5, "a", (Act.HANDLE,)),),
    limits=Limits(
        inbox_size=1,
        full=FullPolicy.RETRY,
        close_grace=2.0,
        backoff=Backoff(initial=0.25, random=lambda: 0.0),
    ),
    pull_errors=frozenset(),
    settle_errors=frozenset({1}),
    begin_errors=None,
    redelivered=frozenset({0}),
    stop_at=0.5,
    ignores_disconnect=False,
)


@settings(max_examples=200, deadline=None)
@example(story=UNHEARD)
@given(story=STORIES)
def test_nothing_is_lost_and_nothing_out_of_order(
    simulate: Simulate, story: Story
) -> None:
    """What `StatelessServer` promises holds for every story."""
    source, app = StorySource(story), StoryApplication(story)
    simulate(play(story, source, app))
    assert not app.alive.total()
    assert not source.out, "pulled and never settled"
    assert source.given == app.deliveries
    limits, is_stopped = story.limits, app.is_stopped
    for index in range(len(story.lines)):
        ends = [how for how in source.settlements[index] if how is not RETRY]
        copies = 1 + (index in story.redelivered)
        assert len(ends) <= copies
        if not is_stopped:
            assert len(ends) == copies, "lost"
        if Settlement.DEAD in ends and limits.full is not FullPolicy.DROP:
            assert app.deliveries[index] >= limits.max_deliveries
    if limits.full is not FullPolicy.RETRY and not story.redelivered:
        for seen in app.seen.values():
            # A message comes again until it is settled; only then the next one.
            assert seen == sorted(seen)
