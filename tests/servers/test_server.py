"""`StatelessServer`, one promise at a time, in simulated time."""

import asyncio
import contextvars
import copy
import logging
import os
import signal
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from typing import Any
from unittest.mock import ANY

import attrs
import pytest

from asgibridge.errors import LeaseLostError, LifespanError, ReceiveError, SourceError
from asgibridge.servers import (
    Backoff,
    FullPolicy,
    Limits,
    MemorySink,
    MemorySource,
    Message,
    StatelessServer,
)
from asgibridge.types import (
    ASGIApp,
    CloseReason,
    Envelope,
    MessageEvent,
    MessageScope,
    Settlement,
)

Simulate = Callable[[Coroutine[Any, Any, None]], float]
Receive = Callable[[], Awaitable[MessageEvent]]
Send = Callable[[MessageEvent], Awaitable[None]]

LOGGER = "asgibridge.servers"


def say(scope_id: str, text: str = "") -> Message:
    """Return a message like those of the sources for lines."""
    return Message(scope_id, {"type": "message.receive", "text": text})


@attrs.define(eq=False)
class Witness:
    """An observer that remembers."""

    told: list[tuple[Any, ...]] = attrs.field(factory=list[tuple[Any, ...]])

    def opened(self, scope_id: str, /) -> None:
        self.told.append(("opened", scope_id))

    def closed(self, scope_id: str, seconds: float, reason: CloseReason, /) -> None:
        self.told.append(("closed", scope_id, seconds, reason))

    def settled(
        self, envelope: Envelope, settlement: Settlement, seconds: float, /
    ) -> None:
        self.told.append(("settled", envelope.scope_id, settlement, seconds))

    def failed(self, what: str, exception: BaseException, /) -> None:
        self.told.append(("failed", what, exception))

    def of(self, kind: str) -> list[tuple[Any, ...]]:
        return [told[1:] for told in self.told if told[0] == kind]


@attrs.define(eq=False)
class Story:
    """A server with an in-memory source and sink, and what it was told."""

    application: ASGIApp
    limits: Limits = attrs.field(factory=Limits)
    options: dict[str, Any] = attrs.field(factory=dict[str, Any])
    source: MemorySource = attrs.field(factory=MemorySource)
    witness: Witness = attrs.field(factory=Witness)
    sink: MemorySink = attrs.field(init=False)
    server: StatelessServer = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.sink = MemorySink(self.source)
        options = {"lifespan": "off", **self.options}
        self.server = StatelessServer(
            self.application,
            self.source,
            self.sink,
            limits=self.limits,
            observers=[self.witness],
            **options,
        )

    async def serve(self, *messages: Message) -> None:
        """Serve these messages, and end."""
        for message in messages:
            self.source.put_nowait(message)
        self.source.end()
        await self.server.serve()

    async def sent(self) -> list[MessageEvent]:
        """Return what the application has sent."""
        return [event async for _, event in self.sink]


async def echo(scope: MessageScope, receive: Receive, send: Send) -> None:
    """Answer each text with how many there were, and say goodbye."""
    count = 0
    while (event := await receive())["type"] == "message.receive":
        count += 1
        await send({"type": "message.send", "text": f"{event['text']} {count}"})
    await send({**event, "count": count})


async def fail(scope: MessageScope, receive: Receive, send: Send) -> None:
    """Fail with every message."""
    await receive()
    await send({"type": "message.send", "at": asyncio.get_running_loop().time()})
    msg = "poison"
    raise ValueError(msg)


def test_one_instance_for_each_conversation(simulate: Simulate) -> None:
    """Messages of one conversation meet the same instance, in order."""

    async def main() -> None:
        story = Story(echo)
        await story.serve(say("a", "x"), say("b", "y"), say("a", "z"))
        texts = [event["text"] for event in await story.sent() if "text" in event]
        assert sorted(texts) == ["x 1", "y 1", "z 2"]
        assert texts.index("x 1") < texts.index("z 2")
        assert story.witness.of("opened") == [("a",), ("b",)]

    simulate(main())


def test_conversations_run_at_the_same_time(simulate: Simulate) -> None:
    """One that takes long keeps no other waiting."""

    async def slow(scope: MessageScope, receive: Receive, send: Send) -> None:
        await receive()
        await asyncio.sleep(60)

    async def main() -> None:
        await Story(slow).serve(*(say(f"user{number}") for number in range(50)))

    assert simulate(main()) == pytest.approx(60)


def test_never_more_instances_than_allowed(simulate: Simulate) -> None:
    """The limit is exact, and counts instances that are about to end."""
    alive = most = 0

    async def app(scope: MessageScope, receive: Receive, send: Send) -> None:
        nonlocal alive, most
        alive += 1
        most = max(most, alive)
        await receive()
        await receive()  # its disconnect event
        await asyncio.sleep(1)  # says goodbye slowly
        alive -= 1

    async def main() -> None:
        story = Story(app, Limits(max_applications=3))
        await story.serve(*(say(f"user{number}") for number in range(10)))
        assert [told[1] for told in story.witness.of("settled")] == [
            Settlement.DONE
        ] * 10

    simulate(main())
    assert most == 3
    assert alive == 0


def test_the_longest_idle_one_makes_room(simulate: Simulate) -> None:
    """Eviction takes the least recently used of those that are idle."""

    async def main() -> None:
        story = Story(echo, Limits(max_applications=2))
        async with asyncio.TaskGroup() as group:
            serving = group.create_task(story.server.serve())
            for scope_id in ("old", "new", "old", "third"):
                story.source.put_nowait(say(scope_id))
                await asyncio.sleep(1)
            story.source.end()
            await serving
        evicted = [told for told in story.witness.of("closed") if told[2] == "evicted"]
        assert evicted == [("new", pytest.approx(2), "evicted")]

    simulate(main())


def test_a_busy_instance_is_not_evicted(simulate: Simulate) -> None:
    """Others wait for its place until it is idle."""

    async def busy(scope: MessageScope, receive: Receive, send: Send) -> None:
        await receive()
        await asyncio.sleep(5)
        event = await receive()
        await send({**event, "at": asyncio.get_running_loop().time()})

    async def main() -> None:
        story = Story(busy, Limits(max_applications=1))
        await story.serve(say("first"), say("second"))
        first, second = await story.sent()
        assert (first["reason"], first["at"]) == ("evicted", pytest.approx(5))
        assert (second["reason"], second["at"]) == ("drain", pytest.approx(10))

    simulate(main())


def test_an_idle_instance_ends_in_time(simulate: Simulate) -> None:
    """The idle time is measured from when it began to wait, for each anew."""

    async def main() -> None:
        story = Story(echo, Limits(idle_timeout=10))
        async with asyncio.TaskGroup() as group:
            serving = group.create_task(story.server.serve())
            story.source.put_nowait(say("a"))
            await asyncio.sleep(6)
            story.source.put_nowait(say("a"))
            story.source.put_nowait(say("b"))
            await asyncio.sleep(30)
            assert story.server.health() == {"instances": 0, "in_flight": 0}
            story.source.end()
            await serving
        assert story.witness.of("closed") == [
            ("a", pytest.approx(16), "idle"),
            ("b", pytest.approx(10), "idle"),
        ]

    simulate(main())


def test_a_fresh_instance_after_the_end_of_one(simulate: Simulate) -> None:
    """A message that comes while an instance ends waits for the next one."""

    async def app(scope: MessageScope, receive: Receive, send: Send) -> None:
        await receive()
        await receive()
        await asyncio.sleep(3)

    async def main() -> None:
        story = Story(app, Limits(idle_timeout=1))
        async with asyncio.TaskGroup() as group:
            serving = group.create_task(story.server.serve())
            story.source.put_nowait(say("a"))
            await asyncio.sleep(2)
            story.source.put_nowait(say("a"))
            story.source.end()
            await serving
        first, second = story.witness.of("closed")
        assert first == ("a", pytest.approx(4), "idle")
        assert second[0] == "a"
        assert len(story.witness.of("settled")) == 2

    simulate(main())


@pytest.mark.parametrize("again", [True, False])
def test_whoever_does_not_end_is_cancelled(simulate: Simulate, *, again: bool) -> None:
    """After its grace, or at once if it asks for more in spite of its end."""
    ended: list[float] = []

    async def app(scope: MessageScope, receive: Receive, send: Send) -> None:
        await receive()
        await receive()
        try:
            await (receive() if again else asyncio.sleep(1000))
        finally:
            ended.append(asyncio.get_running_loop().time())

    async def main() -> None:
        await Story(app, Limits(idle_timeout=1, close_grace=7)).serve(say("a"))

    simulate(main())
    # The source has ended, so it is not idle for the whole second.
    assert ended == [pytest.approx(0 if again else 7)]


def test_a_deaf_instance_keeps_its_place_and_no_other(
    simulate: Simulate, caplog: pytest.LogCaptureFixture
) -> None:
    """One that ignores its cancellation is reported; the others go on."""
    limits = Limits(max_applications=2, close_grace=1, idle_timeout=1)

    async def app(scope: MessageScope, receive: Receive, send: Send) -> None:
        event = await receive()
        await receive()
        deaf_until = asyncio.get_running_loop().time() + 60
        while event["text"] == "deaf" and (
            (left := deaf_until - asyncio.get_running_loop().time()) > 0
        ):
            try:
                await asyncio.sleep(left)
            except asyncio.CancelledError:
                continue

    async def main() -> None:
        story = Story(app, limits)
        async with asyncio.TaskGroup() as group:
            serving = group.create_task(story.server.serve())
            story.source.put_nowait(say("a", "deaf"))
            await asyncio.sleep(10)
            for number in range(4):
                story.source.put_nowait(say(f"user{number}"))
            await asyncio.sleep(10)
            assert len(story.witness.of("closed")) == 4
            assert story.server.health()["instances"] == 1
            await asyncio.sleep(60)
            story.source.end()
            await serving

    with caplog.at_level(logging.ERROR, LOGGER):
        simulate(main())
    assert "instance of 'a' still runs 1.0 s after it was cancelled" in caplog.text


def test_settled_when_it_asks_for_the_next_one(simulate: Simulate) -> None:
    """Not before: until then the application may still fail."""

    async def app(scope: MessageScope, receive: Receive, send: Send) -> None:
        await receive()
        await asyncio.sleep(5)
        await receive()
        await asyncio.sleep(3)

    async def main() -> None:
        story = Story(app)
        await story.serve(say("a"), say("a"))
        assert story.witness.of("settled") == [
            ("a", Settlement.DONE, pytest.approx(5)),
            ("a", Settlement.DONE, pytest.approx(8)),
        ]

    simulate(main())


def test_a_failed_message_comes_again_and_then_is_dead(
    simulate: Simulate, caplog: pytest.LogCaptureFixture
) -> None:
    """With growing waits; those behind it wait; others do not notice."""
    limits = Limits(
        max_deliveries=3, backoff=Backoff(initial=1, factor=10, random=lambda: 0.0)
    )

    async def app(scope: MessageScope, receive: Receive, send: Send) -> None:
        while (event := await receive())["type"] == "message.receive":
            now = asyncio.get_running_loop().time()
            await send({"type": "sent", "text": event["text"], "at": now})
            if event["text"] == "poison":
                msg = "bitter"
                raise ValueError(msg)

    async def main() -> None:
        story = Story(app, limits)
        await story.serve(say("a", "poison"), say("a", "food"), say("b", "water"))
        assert [(event["text"], event["at"]) for event in await story.sent()] == [
            ("poison", 0),
            ("water", 0),
            ("poison", pytest.approx(1)),
            ("poison", pytest.approx(11)),
            ("food", pytest.approx(11)),
        ]
        (dead,) = story.source.dead_letters
        assert dead.envelope.event["text"] == "poison"
        assert dead.reason == "failed 3 times, at last with ValueError('bitter')"
        assert len(story.witness.of("failed")) == 3

    simulate(main())
    lines = [record for record in caplog.records if "instance of 'a'" in record.message]
    assert len(lines) == 3
    assert all(record.exc_info for record in lines)


def test_a_message_that_kills_processes_is_dead(
    simulate: Simulate, caplog: pytest.LogCaptureFixture
) -> None:
    """One that came too often without being settled is not delivered again."""

    async def main() -> None:
        story = Story(echo, Limits(max_deliveries=2))
        await story.serve(attrs.evolve(say("a"), delivery_count=3))
        (dead,) = story.source.dead_letters
        assert dead.reason == "delivered 2 times and never settled"
        assert not story.witness.of("opened")

    simulate(main())
    assert "is a dead letter: delivered" in caplog.text


@pytest.mark.parametrize(
    ("raises", "reason"),
    [
        (True, "failed 2 times, at last with OSError('no')"),
        (
            False,
            (
                "failed 2 times, at last with MessageIgnoredError("
                "'the application returned without asking for its first message')"
            ),
        ),
    ],
)
def test_who_ignores_messages_does_not_run_for_ever(
    simulate: Simulate, reason: str, *, raises: bool
) -> None:
    """An instance that ends before its first message has failed with it."""

    async def app(scope: MessageScope, receive: Receive, send: Send) -> None:
        if raises:
            raise OSError("no")  # noqa: EM101 - the message is the test's

    async def main() -> None:
        story = Story(app, Limits(max_deliveries=2))
        await story.serve(say("a"), say("a"))
        assert [dead.reason for dead in story.source.dead_letters] == [reason] * 2

    simulate(main())


def test_who_handles_one_message_is_started_for_each(simulate: Simulate) -> None:
    """Returning after a message is no failure, and what follows is not lost."""

    async def app(scope: MessageScope, receive: Receive, send: Send) -> None:
        await send(await receive())

    async def main() -> None:
        story = Story(app)
        await story.serve(*(say("a", str(number)) for number in range(4)))
        assert [event["text"] for event in await story.sent()] == list("0123")
        assert not story.witness.of("failed")
        assert len(story.witness.of("opened")) == 4

    simulate(main())


def test_a_stuck_application_is_cancelled(simulate: Simulate) -> None:
    """One message may take so long, and then it has failed."""

    async def app(scope: MessageScope, receive: Receive, send: Send) -> None:
        await receive()
        await asyncio.Event().wait()

    async def main() -> None:
        story = Story(app, Limits(message_timeout=5, max_deliveries=1))
        await story.serve(say("a"))
        (dead,) = story.source.dead_letters
        assert "took longer than 5 s over one message" in dead.reason
        assert story.witness.of("closed") == [("a", pytest.approx(5), "timeout")]

    simulate(main())


def test_a_cancellation_of_its_own_is_a_failure(simulate: Simulate) -> None:
    """An application that cancels itself has not handled its message."""

    async def app(scope: MessageScope, receive: Receive, send: Send) -> None:
        await receive()
        raise asyncio.CancelledError

    async def main() -> None:
        story = Story(app, Limits(max_deliveries=1))
        await story.serve(say("a"))
        assert len(story.source.dead_letters) == 1

    simulate(main())


def overfill(policy: FullPolicy) -> Callable[[], Coroutine[Any, Any, Story]]:
    """Send five messages to a slow conversation, then one to a quick one."""
    backoff = Backoff(initial=2, random=lambda: 0.0)

    async def slow(scope: MessageScope, receive: Receive, send: Send) -> None:
        while (event := await receive())["type"] == "message.receive":
            await send({"type": "sent", "text": event["text"]})
            if event["text"] != "quick":
                await asyncio.sleep(10)

    async def main() -> Story:
        story = Story(slow, Limits(inbox_size=2, full=policy, backoff=backoff))
        for text in "01234":
            story.source.put_nowait(say("a", text))
        async with asyncio.TaskGroup() as group:
            serving = group.create_task(story.server.serve())
            await asyncio.sleep(1)
            story.source.put_nowait(say("b", "quick"))
            story.source.end()
            await serving
        return story

    return main


def test_a_full_inbox_blocks(simulate: Simulate) -> None:
    """By default the pull stops, for all conversations, and order is kept."""

    async def main() -> None:
        story = await overfill(FullPolicy.BLOCK)()
        texts = [event["text"] for event in await story.sent()]
        assert texts == ["0", "1", "2", "quick", "3", "4"]

    simulate(main())


def test_a_full_inbox_sends_back(simulate: Simulate) -> None:
    """What has no room comes later, behind others, and nobody else waits."""

    async def main() -> None:
        story = await overfill(FullPolicy.RETRY)()
        texts = [event["text"] for event in await story.sent()]
        assert texts[:2] == ["0", "quick"]
        assert sorted(texts) == ["0", "1", "2", "3", "4", "quick"]
        # Coming back for want of room is not held against it.
        assert not story.source.dead_letters

    simulate(main())


def test_a_full_inbox_drops(
    simulate: Simulate, caplog: pytest.LogCaptureFixture
) -> None:
    """What has no room is a dead letter, and the log says so."""

    async def main() -> None:
        story = await overfill(FullPolicy.DROP)()
        texts = [event["text"] for event in await story.sent()]
        assert texts == ["0", "quick", "1"]
        letters = [
            (letter.envelope.event["text"], letter.reason)
            for letter in story.source.dead_letters
        ]
        assert letters == [(text, "inbox full") for text in "234"]

    simulate(main())
    assert "the inbox of 'a' is full" in caplog.text


def test_no_more_is_pulled_than_may_be_in_flight(simulate: Simulate) -> None:
    """The limit holds over all conversations together."""

    async def app(scope: MessageScope, receive: Receive, send: Send) -> None:
        await receive()
        await asyncio.sleep(1)

    async def main() -> None:
        story = Story(app, Limits(max_in_flight=3))
        for number in range(10):
            story.source.put_nowait(say(f"user{number}"))
        story.source.end()
        async with asyncio.TaskGroup() as group:
            group.create_task(story.server.serve())
            await asyncio.sleep(0.5)
            assert story.server.health() == {"instances": 3, "in_flight": 3}
            assert len(story.source) == 7

    assert simulate(main()) == pytest.approx(4)


def test_give_up_waiting_and_lose_nothing(simulate: Simulate) -> None:
    """A receive() that is cancelled leaves its message to the next one."""

    async def app(scope: MessageScope, receive: Receive, send: Send) -> None:
        got: list[str] = []
        while len(got) < 3:
            try:
                async with asyncio.timeout(0.3):
                    got.append((await receive())["text"])
            except TimeoutError:
                await send({"type": "bored"})
        await send({"type": "sent", "got": got})

    async def main() -> None:
        story = Story(app)
        async with asyncio.TaskGroup() as group:
            serving = group.create_task(story.server.serve())
            for text in "xyz":
                story.source.put_nowait(say("a", text))
                await asyncio.sleep(1)
            story.source.end()
            await serving
        sent = await story.sent()
        assert sent[-1]["got"] == ["x", "y", "z"]
        assert sent.count({"type": "bored"}) == 6

    simulate(main())


def test_receive_from_one_task_at_a_time(simulate: Simulate) -> None:
    """Two that wait would not know whose message is settled."""

    async def app(scope: MessageScope, receive: Receive, send: Send) -> None:
        await receive()
        first = asyncio.ensure_future(receive())
        await asyncio.sleep(0)
        with pytest.raises(ReceiveError, match="of 'a' already waits in receive"):
            await receive()
        await send({"type": "checked"})
        first.cancel()
        await asyncio.wait([first])

    async def main() -> None:
        story = Story(app)
        await story.serve(say("a"))
        assert await story.sent() == [{"type": "checked"}]

    simulate(main())


@pytest.mark.parametrize("idle", [None, 600.0])
def test_nothing_polls(simulate: Simulate, idle: float | None) -> None:
    """Who waits sets no timer, but the one after which an instance has been idle."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        story = Story(echo, Limits(idle_timeout=idle))
        # A server's own: those of the test are not in it.
        timers: list[float] = []
        call_at: Any = loop.call_at

        def noting(when: float, *args: object, **options: object) -> object:
            timers.append(when)
            return call_at(when, *args, **options)

        async with asyncio.TaskGroup() as group:
            group.create_task(story.server.serve())
            for scope_id in ("a", "b", "a"):
                story.source.put_nowait(say(scope_id))
            await asyncio.sleep(1)
            assert story.server.health()["instances"] == 2
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(loop, "call_at", noting)
                before = loop.time()
                # Not asyncio.sleep(): its timer would be among them.
                elapsed = loop.create_future()
                call_at(before + 500, elapsed.set_result, None)
                await elapsed
            assert loop.time() == pytest.approx(before + 500)
            assert not timers
            story.server.stop()
        assert story.server.health() == {"instances": 0, "in_flight": 0}

    simulate(main())


def test_contexts_do_not_leak(simulate: Simulate) -> None:
    """An instance starts from the server's context, whoever made room for it."""
    variable = contextvars.ContextVar("variable", default="untouched")

    async def app(scope: MessageScope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "sent", "found": variable.get()})
        variable.set("leaked")

    async def main() -> None:
        story = Story(app, Limits(max_applications=1))
        await story.serve(say("a"), say("b"), say("a"))
        assert [event["found"] for event in await story.sent()] == ["untouched"] * 3

    simulate(main())


# Shutting down


def test_stop_finishes_what_was_pulled(simulate: Simulate) -> None:
    """Inboxes run empty, instances are told; what was not pulled stays there."""

    async def slow(scope: MessageScope, receive: Receive, send: Send) -> None:
        event = await receive()
        while event["type"] == "message.receive":
            await asyncio.sleep(1)
            event = await receive()
        await send(event)

    async def main() -> None:
        story = Story(slow, Limits(max_in_flight=3))
        for _ in range(5):
            story.source.put_nowait(say("a"))
        async with asyncio.TaskGroup() as group:
            group.create_task(story.server.serve())
            await asyncio.sleep(0.5)
            story.server.stop()
        assert len(story.source) == 2
        assert len(story.witness.of("settled")) == 3
        assert await story.sent() == [{"type": "message.disconnect", "reason": "drain"}]

    assert simulate(main()) == pytest.approx(3)


@pytest.mark.parametrize("hurry", [False, True])
def test_stop_gives_back_what_takes_too_long(
    simulate: Simulate, *, hurry: bool
) -> None:
    """After the drain timeout, or at once when asked twice."""
    limits = Limits(drain_timeout=100, close_grace=2, inbox_size=5)

    async def stuck(scope: MessageScope, receive: Receive, send: Send) -> None:
        await receive()
        await asyncio.Event().wait()

    async def main() -> None:
        story = Story(stuck, limits)
        for _ in range(4):
            story.source.put_nowait(say("a"))
        async with asyncio.TaskGroup() as group:
            group.create_task(story.server.serve())
            await asyncio.sleep(1)
            story.server.stop()
            if hurry:
                story.server.stop()
        assert (
            story.witness.of("settled")
            == [("a", Settlement.RETRY, pytest.approx(3 if hurry else 103))] * 4
        )
        assert len(story.source) == 4
        assert story.server.health() == {"instances": 0, "in_flight": 0}

    simulate(main())


def test_stop_gives_back_what_waits_to_come_again(simulate: Simulate) -> None:
    """A message that failed does not hold up the shutdown."""
    limits = Limits(backoff=Backoff(initial=1000, maximum=1000), drain_timeout=50)

    async def main() -> None:
        story = Story(fail, limits)
        for number in range(2):
            story.source.put_nowait(say("a", str(number)))
        async with asyncio.TaskGroup() as group:
            group.create_task(story.server.serve())
            await asyncio.sleep(1)
            story.server.stop()
        assert [told[1] for told in story.witness.of("settled")] == [
            Settlement.RETRY
        ] * 2

    assert simulate(main()) == pytest.approx(1)


def test_a_failure_during_shutdown_goes_back(simulate: Simulate) -> None:
    """It comes again to another process, after a while."""

    async def app(scope: MessageScope, receive: Receive, send: Send) -> None:
        await receive()
        await asyncio.sleep(2)
        raise OSError

    async def main() -> None:
        story = Story(app, Limits(backoff=Backoff(initial=9, random=lambda: 0.0)))
        story.source.put_nowait(say("a"))
        async with asyncio.TaskGroup() as group:
            group.create_task(story.server.serve())
            await asyncio.sleep(1)
            story.server.stop()
        assert story.witness.of("settled") == [
            ("a", Settlement.RETRY, pytest.approx(2))
        ]

    simulate(main())


def test_stop_while_an_inbox_is_full(simulate: Simulate) -> None:
    """What was pulled and has no room goes back at once."""
    limits = Limits(inbox_size=1)

    async def slow(scope: MessageScope, receive: Receive, send: Send) -> None:
        await receive()
        await asyncio.sleep(4)

    async def main() -> None:
        story = Story(slow, limits)
        for _ in range(5):
            story.source.put_nowait(say("a"))
        async with asyncio.TaskGroup() as group:
            group.create_task(story.server.serve())
            await asyncio.sleep(1)
            story.server.stop()
        how = [told[1] for told in story.witness.of("settled")]
        assert how == [Settlement.RETRY] * 3 + [Settlement.DONE] * 2

    simulate(main())


def test_stop_gives_back_what_has_no_place(simulate: Simulate) -> None:
    """A conversation that still waits for an instance has messages, too."""

    async def stuck(scope: MessageScope, receive: Receive, send: Send) -> None:
        await receive()
        await asyncio.Event().wait()

    async def main() -> None:
        story = Story(stuck, Limits(max_applications=1, close_grace=1))
        for scope_id in "abc":
            story.source.put_nowait(say(scope_id))
        async with asyncio.TaskGroup() as group:
            group.create_task(story.server.serve())
            await asyncio.sleep(1)
            story.server.stop()
            story.server.stop()
        assert len(story.source) == 3
        assert story.witness.of("opened") == [("a",)]

    simulate(main())


def test_cancelling_serve_gives_everything_back(simulate: Simulate) -> None:
    """A cancelled server leaves nothing in flight, and is quick about it."""

    async def stuck(scope: MessageScope, receive: Receive, send: Send) -> None:
        await receive()
        await asyncio.Event().wait()

    async def main() -> None:
        story = Story(stuck, Limits(close_grace=1))
        for scope_id in "abab":
            story.source.put_nowait(say(scope_id))
        serving = asyncio.ensure_future(story.server.serve())
        await asyncio.sleep(1)
        serving.cancel()
        await asyncio.wait([serving])
        assert serving.cancelled()
        assert len(story.source) == 4

    assert simulate(main()) == pytest.approx(2)


def test_stop_before_serve(simulate: Simulate) -> None:
    """A server that was stopped does not pull at all."""

    async def main() -> None:
        story = Story(echo)
        story.server.stop()
        await story.serve(say("a"))
        assert len(story.source) == 1

    simulate(main())


# Sources and sinks that fail


@attrs.define(eq=False)
class Trouble:
    """A source and a sink that raise, by the number of the call."""

    inner: MemorySource
    failing: dict[str, list[BaseException | None]]

    async def may_raise(self, name: str) -> None:
        planned = self.failing.get(name)
        error = planned.pop(0) if planned else None
        if error is not None:
            raise error

    async def open(self) -> None:
        await self.may_raise("open")

    async def pull(self, max_messages: int, /) -> Sequence[Message]:
        await self.may_raise("pull")
        return await self.inner.pull(max_messages)

    async def settle(
        self,
        envelope: Envelope,
        settlement: Settlement,
        /,
        *,
        delay: float = 0.0,
        reason: str = "",
    ) -> None:
        await self.may_raise("settle")
        await self.inner.settle(envelope, settlement, delay=delay, reason=reason)

    async def send(self, envelope: Envelope, event: MessageEvent, /) -> None:
        await self.may_raise("send")

    async def close(self) -> None:
        await self.may_raise("close")


def troubled(
    app: ASGIApp,
    limits: Limits | None = None,
    /,
    **failing: list[BaseException | None],
) -> tuple[StatelessServer, MemorySource, Witness]:
    """Return a server with a source and sink that raise."""
    memory, witness = MemorySource(), Witness()
    trouble = Trouble(memory, failing)
    limits = limits or Limits(backoff=Backoff(initial=1, random=lambda: 0.0))
    server = StatelessServer(
        app, trouble, trouble, limits=limits, lifespan="off", observers=[witness]
    )
    return server, memory, witness


def test_errors_of_the_source_are_retried(simulate: Simulate) -> None:
    """Opening, pulling and settling are tried again, and reported each time."""

    async def main() -> None:
        server, memory, witness = troubled(
            echo,
            open=[OSError("1"), None, OSError("2")],
            pull=[OSError("3"), OSError("4")],
            settle=[OSError("5")],
            close=[OSError("6"), OSError("7")],
        )
        memory.put_nowait(say("a"))
        memory.end()
        await server.serve()
        failures = [(what, str(error)) for what, error in witness.of("failed")]
        assert failures == [
            ("The sink cannot be opened", "1"),
            ("The source cannot be opened", "2"),
            ("The source cannot be read", "3"),
            ("The source cannot be read", "4"),
            ("The source did not settle a message", "5"),
            ("The source cannot be closed", "6"),
            ("The sink cannot be closed", "7"),
        ]

    # 1 s for each first error, 2 s for a second one in a row
    assert simulate(main()) == pytest.approx(1 + 1 + 1 + 2 + 1)


def test_what_can_never_work_is_not_retried(simulate: Simulate) -> None:
    """A source that says so ends the server."""

    async def main() -> None:
        server, _, _ = troubled(echo, open=[None, SourceError("wrong password")])
        with pytest.raises(SourceError, match="wrong password"):
            await server.serve()

    simulate(main())


def test_a_failing_sink_fails_one_message(simulate: Simulate) -> None:
    """The application sees the error; its message comes again."""

    async def main() -> None:
        server, memory, witness = troubled(echo, send=[OSError("no sink")])
        memory.put_nowait(say("a"))
        memory.put_nowait(say("b"))
        memory.end()
        await server.serve()
        (failure,) = witness.of("failed")
        assert failure[0] == "The application instance of 'a'"
        done = [told[0] for told in witness.of("settled")]
        assert done == ["b", "a"]

    simulate(main())


def test_settling_outlasts_an_impatient_application(simulate: Simulate) -> None:
    """A receive() cancelled while the source is away settles with the next one."""

    async def app(scope: MessageScope, receive: Receive, send: Send) -> None:
        await receive()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5):
                await receive()
        msg = "after it was handled"
        raise ValueError(msg)

    async def main() -> None:
        server, memory, witness = troubled(app, settle=[OSError("away")])
        memory.put_nowait(say("a"))
        memory.end()
        await server.serve()
        assert [told[1] for told in witness.of("settled")] == [Settlement.DONE]

    simulate(main())


def test_a_source_that_stays_away_does_not_stop_the_shutdown(
    simulate: Simulate,
) -> None:
    """What cannot be given back is given up after a while."""
    limits = Limits(
        close_grace=2, drain_timeout=3, backoff=Backoff(initial=1, random=lambda: 0.0)
    )

    async def main() -> None:
        server, memory, _ = troubled(echo, limits, settle=[OSError("away")] * 1000)
        memory.put_nowait(say("a"))
        memory.put_nowait(say("b"))
        async with asyncio.TaskGroup() as group:
            group.create_task(server.serve())
            await asyncio.sleep(1)
            server.stop()

    # drain, the grace of the instances, their cancellation, the giving back
    assert simulate(main()) <= 1 + 3 + 2 + 2 + 2 + 0.1


# Ownership


@pytest.mark.parametrize("where", ["settle", "send"])
def test_a_lost_lease_ends_the_instance(simulate: Simulate, where: str) -> None:
    """What the new owner will handle is dropped without a word to the source."""

    async def app(scope: MessageScope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "sent"})
        await receive()
        await send({"type": "not reached"})

    async def main() -> None:
        errors: dict[str, list[BaseException | None]] = {
            where: [LeaseLostError("gone")] * 9
        }
        server, memory, witness = troubled(app, None, **errors)
        for _ in range(3):
            memory.put_nowait(say("a"))
        async with asyncio.TaskGroup() as group:
            group.create_task(server.serve())
            await asyncio.sleep(100)
            assert server.health() == {"instances": 0, "in_flight": 0}
            server.stop()
        assert not witness.of("settled")
        assert not memory.dead_letters

    simulate(main())


def test_a_lease_lost_while_giving_back(simulate: Simulate) -> None:
    """Whoever has it now does not need it back."""

    async def stuck(scope: MessageScope, receive: Receive, send: Send) -> None:
        await receive()
        await asyncio.Event().wait()

    async def main() -> None:
        server, memory, witness = troubled(stuck, settle=[LeaseLostError("gone")] * 9)
        for _ in range(3):
            memory.put_nowait(say("a"))
        async with asyncio.TaskGroup() as group:
            group.create_task(server.serve())
            await asyncio.sleep(1)
            server.stop()
            server.stop()
        assert not witness.of("settled")
        assert server.health()["in_flight"] == 0

    simulate(main())


def test_an_instance_never_sees_two_terms(simulate: Simulate) -> None:
    """A message of a new term gets a fresh instance; what is older is void."""

    async def app(scope: MessageScope, receive: Receive, send: Send) -> None:
        texts: list[str] = []
        while (event := await receive())["type"] == "message.receive":
            texts.append(event["text"])
            await asyncio.sleep(1)
        await send({**event, "texts": texts})

    async def main() -> None:
        story = Story(app)
        for text, term in [("1", 1), ("2", 1), ("3", 2), ("4", 2)]:
            story.source.put_nowait(attrs.evolve(say("a", text), term=term))
        async with asyncio.TaskGroup() as group:
            group.create_task(story.server.serve())
            await asyncio.sleep(100)
            story.server.stop()
        texts = [(event["texts"], event["reason"]) for event in await story.sent()]
        # 1 and 2 were void before the first instance took one.
        assert texts == [([], "revoked"), (["3", "4"], "drain")]

    simulate(main())


def test_a_new_term_ends_the_instance_of_the_old(simulate: Simulate) -> None:
    """It is told so; a message that waits to come again is void, too."""

    async def app(scope: MessageScope, receive: Receive, send: Send) -> None:
        while (event := await receive())["type"] == "message.receive":
            if event["text"] == "bad":
                raise OSError
        await send(event)

    async def main() -> None:
        story = Story(app, Limits(backoff=Backoff(initial=50)))
        async with asyncio.TaskGroup() as group:
            group.create_task(story.server.serve())
            for text, term in [("1", 1), ("2", 2), ("bad", 2), ("4", 3)]:
                story.source.put_nowait(attrs.evolve(say("a", text), term=term))
                await asyncio.sleep(1)
            story.server.stop()
        reasons = [event["reason"] for event in await story.sent()]
        assert reasons == ["revoked", "drain"]
        assert len(story.witness.of("settled")) == 3

    simulate(main())


# Noting deliveries


@attrs.define(eq=False)
class NotingSource(Trouble):
    """A source that takes a second to note each delivery, once."""

    noted: list[str] = attrs.field(factory=list[str])

    def begin(self, envelope: Envelope, /) -> Awaitable[None] | None:
        text: str = envelope.event["text"]
        return None if text in self.noted else self.note(text)

    async def note(self, text: str) -> None:
        await asyncio.sleep(1)
        await self.may_raise("begin")
        self.noted.append(text)


def noting(
    app: ASGIApp, *begin: BaseException | None
) -> tuple[StatelessServer, NotingSource, Witness]:
    """Return a server with a source that notes deliveries, and what it was told."""
    source, witness = NotingSource(MemorySource(), {"begin": list(begin)}), Witness()
    limits = Limits(backoff=Backoff(initial=5, random=lambda: 0.0), message_timeout=0.5)
    server = StatelessServer(
        app, source, source, limits=limits, lifespan="off", observers=[witness]
    )
    return server, source, witness


def test_a_delivery_is_noted_before_the_application_has_it(simulate: Simulate) -> None:
    """And again until it is; the wait is none of the application's."""
    seen: list[tuple[str, float, list[str]]] = []

    async def main() -> None:
        async def app(scope: MessageScope, receive: Receive, send: Send) -> None:
            while (event := await receive())["type"] == "message.receive":
                now = asyncio.get_running_loop().time()
                seen.append((event["text"], now, source.noted.copy()))

        server, source, witness = noting(app, None, OSError("1"), OSError("2"))
        for text in "12":
            source.inner.put_nowait(say("a", text))
        source.inner.end()
        await server.serve()
        what = "The source did not note a delivery"
        assert witness.of("failed") == [(what, ANY)] * 2
        assert [told[1] for told in witness.of("settled")] == [Settlement.DONE] * 2

    simulate(main())
    # The second one fails twice, each after a second, with waits of five and ten seconds.
    assert [(text, noted) for text, _, noted in seen] == [
        ("1", ["1"]),
        ("2", ["1", "2"]),
    ]
    assert [at for _, at, _ in seen] == pytest.approx([1, 1 + 1 + 5 + 1 + 10 + 1])


def test_a_receive_that_is_cancelled_while_it_notes(simulate: Simulate) -> None:
    """The message stays where it is, and the next receive() brings it."""

    async def app(scope: MessageScope, receive: Receive, send: Send) -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await receive()
        assert (await receive())["text"] == "1"
        assert (await receive())["type"] == "message.disconnect"

    async def main() -> None:
        server, source, witness = noting(app)
        source.inner.put_nowait(say("a", "1"))
        source.inner.end()
        await server.serve()
        assert not witness.of("failed")
        assert [told[1] for told in witness.of("settled")] == [Settlement.DONE]

    assert simulate(main()) == pytest.approx(1.3)


@pytest.mark.parametrize("at_once", [True, False])
def test_a_lease_lost_while_it_notes(simulate: Simulate, *, at_once: bool) -> None:
    """The application gets nothing of what is the new owner's."""
    seen: list[str] = []

    class Lost(NotingSource):
        def begin(self, envelope: Envelope, /) -> Awaitable[None] | None:
            if at_once:
                msg = "gone"
                raise LeaseLostError(msg)
            return super().begin(envelope)

    async def app(scope: MessageScope, receive: Receive, send: Send) -> None:
        seen.append((await receive())["type"])

    async def main() -> None:
        source = Lost(MemorySource(), {"begin": [LeaseLostError("gone")] * 9})
        witness = Witness()
        server = StatelessServer(
            app, source, source, lifespan="off", observers=[witness]
        )
        for text in "12":
            source.inner.put_nowait(say("a", text))
        async with asyncio.TaskGroup() as group:
            group.create_task(server.serve())
            await asyncio.sleep(10)
            assert server.health() == {"instances": 0, "in_flight": 0}
            server.stop()
        assert not witness.of("settled") + witness.of("failed")

    simulate(main())
    assert not seen


def test_a_new_term_while_it_notes(simulate: Simulate) -> None:
    """What was about to be given away is void; the instance is told to end."""
    seen: list[str] = []

    async def app(scope: MessageScope, receive: Receive, send: Send) -> None:
        event = await receive()
        seen.append(event.get("text", event.get("reason")))

    async def main() -> None:
        server, source, _ = noting(app)
        source.inner.put_nowait(attrs.evolve(say("a", "1"), term=1))
        async with asyncio.TaskGroup() as group:
            group.create_task(server.serve())
            await asyncio.sleep(0.5)
            source.inner.put_nowait(attrs.evolve(say("a", "2"), term=2))
            await asyncio.sleep(10)
            assert server.health() == {"instances": 0, "in_flight": 0}
            server.stop()

    simulate(main())
    assert seen == ["revoked", "2"]


# Observers and scopes


def test_an_observer_that_raises_is_in_nobodys_way(
    simulate: Simulate, caplog: pytest.LogCaptureFixture
) -> None:
    """Its exception goes to the log."""

    class Rude(Witness):
        def opened(self, scope_id: str, /) -> None:
            msg = "I refuse"
            raise ValueError(msg)

    async def main() -> None:
        rude = Rude()
        story = Story(echo, witness=rude)
        await story.serve(say("a"))
        assert len(rude.of("settled")) == 1

    simulate(main())
    assert "I refuse" in caplog.text


def test_the_scope_is_a_copy(simulate: Simulate) -> None:
    """What an instance changes in it is not seen by the next."""
    scope = {"type": "custom", "user": "a"}

    async def app(scope: MessageScope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "sent", "scope": copy.deepcopy(scope)})
        scope["spoilt"] = scope["state"]["spoilt"] = True

    async def main() -> None:
        story = Story(app)
        message = Message("a", {"type": "custom.receive"}, scope)
        await story.serve(message, message)
        expected = {
            "type": "custom",
            "user": "a",
            "asgi": {"version": "3.0", "spec_version": "3.0"},
            "state": {},
        }
        assert [event["scope"] for event in await story.sent()] == [expected] * 2

    simulate(main())


def test_its_own_disconnect_event(simulate: Simulate) -> None:
    """The event that tells an instance to end can be chosen."""

    def disconnect(scope: Mapping[str, Any], reason: CloseReason, /) -> MessageEvent:
        return {"type": "bye", "reason": reason, "to": scope["type"]}

    async def main() -> None:
        story = Story(echo, options={"disconnect": disconnect})
        await story.serve(say("a"))
        assert (await story.sent())[-1] == {
            "type": "bye",
            "reason": "drain",
            "to": "message",
            "count": 1,
        }

    simulate(main())


def test_the_clock_is_a_collaborator(simulate: Simulate) -> None:
    """Durations are those of the clock that the server was given."""
    hours = iter(range(0, 36000, 3600))

    async def main() -> None:
        story = Story(echo, options={"clock": lambda: float(next(hours))})
        await story.serve(say("a"))
        (settled,) = story.witness.of("settled")
        assert settled[2] % 3600 == 0
        assert settled[2] > 0

    simulate(main())


def test_a_failed_lifespan_stops_the_server(simulate: Simulate) -> None:
    """Nothing is pulled for an application that cannot start."""

    async def app(scope: MessageScope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "lifespan.startup.failed", "message": "no database"})

    async def main() -> None:
        story = Story(app, options={"lifespan": "auto"})
        with pytest.raises(LifespanError, match="no database"):
            await story.serve(say("a"))
        assert len(story.source) == 1

    simulate(main())


def test_the_lifespans_state_is_in_the_scope(simulate: Simulate) -> None:
    """Each instance has a copy; the application is told to shut down at last."""
    events: list[str] = []

    async def app(scope: MessageScope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            await receive()
            events.append(scope["state"]["database"])
            return
        await receive()
        scope["state"]["database"] = "connected"
        await send({"type": "lifespan.startup.complete"})
        events.append((await receive())["type"])
        await send({"type": "lifespan.shutdown.complete"})

    async def main() -> None:
        await Story(app, options={"lifespan": "on"}).serve(say("a"))

    simulate(main())
    assert events == ["connected", "lifespan.shutdown"]


def test_a_stubborn_application(simulate: Simulate) -> None:
    """One that lives through its cancellation, and goes on to ask, ends at last."""

    async def app(scope: MessageScope, receive: Receive, send: Send) -> None:
        await receive()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            await receive()  # its disconnect event
            await receive()

    async def main() -> None:
        story = Story(app, Limits(message_timeout=5, max_deliveries=1, close_grace=3))
        await story.serve(say("a"))
        assert len(story.source.dead_letters) == 1

    assert simulate(main()) == pytest.approx(8)


def test_a_deaf_application_at_the_end(simulate: Simulate) -> None:
    """What it has goes back, and the server ends without it."""
    cancelled = 0

    async def app(scope: MessageScope, receive: Receive, send: Send) -> None:
        nonlocal cancelled
        await receive()
        while cancelled < 3:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                cancelled += 1

    async def main() -> None:
        story = Story(app, Limits(drain_timeout=1, close_grace=3))
        story.source.put_nowait(say("a"))
        story.source.put_nowait(say("a"))
        async with asyncio.TaskGroup() as group:
            group.create_task(story.server.serve())
            await asyncio.sleep(1)
            story.server.stop()
        assert len(story.source) == 2
        assert cancelled == 3
        await asyncio.sleep(1)

    simulate(main())


def test_what_the_new_owner_sent_is_kept(simulate: Simulate) -> None:
    """An instance of an old term takes only its own with it."""

    async def app(scope: MessageScope, receive: Receive, send: Send) -> None:
        event = await receive()
        while event["type"] == "message.receive":
            await asyncio.sleep(2)
            event = await receive()

    async def main() -> None:
        server, memory, witness = troubled(app, settle=[LeaseLostError("gone")])
        memory.put_nowait(attrs.evolve(say("a", "1"), term=1))
        async with asyncio.TaskGroup() as group:
            group.create_task(server.serve())
            await asyncio.sleep(1)
            memory.put_nowait(attrs.evolve(say("a", "2"), term=2))
            await asyncio.sleep(10)
            server.stop()
        assert [told[1] for told in witness.of("settled")] == [Settlement.DONE]
        assert server.health()["in_flight"] == 0

    simulate(main())


def test_leases_lost_outside_of_instances(simulate: Simulate) -> None:
    """What cannot be refused or given back is another's."""

    async def main() -> None:
        server, memory, witness = troubled(
            echo, Limits(max_deliveries=1), settle=[LeaseLostError("gone")]
        )
        memory.put_nowait(attrs.evolve(say("a"), delivery_count=5))
        async with asyncio.TaskGroup() as group:
            group.create_task(server.serve())
            await asyncio.sleep(1)
            assert server.health() == {"instances": 0, "in_flight": 0}
            server.stop()
        assert not witness.of("settled")

    simulate(main())


def test_health_before_the_start() -> None:
    """There is nothing then."""

    async def main() -> None:
        assert Story(echo).server.health() == {"instances": 0, "in_flight": 0}

    asyncio.run(main())


def test_run_until_the_end_of_the_source() -> None:
    """run() blocks until then, on a loop of its own."""

    async def make() -> Story:
        story = Story(echo)
        story.source.put_nowait(say("a"))
        story.source.end()
        return story

    story = asyncio.run(make())
    story.server.run()
    assert len(story.witness.of("settled")) == 1


def test_run_until_a_signal() -> None:
    """SIGTERM drains the server."""

    async def app(scope: MessageScope, receive: Receive, send: Send) -> None:
        await receive()
        os.kill(os.getpid(), signal.SIGTERM)

    async def make() -> Story:
        story = Story(app)
        story.source.put_nowait(say("a"))
        return story

    story = asyncio.run(make())
    story.server.run()
    assert [told[1] for told in story.witness.of("settled")] == [Settlement.DONE]
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
