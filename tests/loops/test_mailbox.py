"""One mailbox per loop: everything is delivered, one waking for each burst."""

import asyncio
import gc
import threading
import weakref
from asyncio import AbstractEventLoop
from collections.abc import Callable

import attrs
import pytest

from asgibridge.loops import (
    Mailbox,
    MailboxRegistry,
    RecyclableLoop,
    _mailbox,
    retire,
)
from asgibridge.loops._eventfd import HAS_EVENTFD
from asgibridge.loops._wakers import EventFdWaker, Reason, ThreadsafeWaker
from tests.staging import PATIENCE, in_thread, run, settled


@attrs.define(eq=False)
class Note:
    """A letter that calls a function."""

    _function: Callable[[], object]
    goes_on: bool = False

    def deliver(self) -> None:
        """Call it."""
        self._function()


@attrs.define(eq=False)
class CountingWaker:
    """A waker that counts, and wakes nobody."""

    count: int = 0

    def wake(self, why: Reason | None = None) -> None:
        """Count."""
        del why
        self.count += 1

    def close(self) -> None:
        """Do nothing."""


@pytest.fixture(params=["eventfd", "threadsafe"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> type:
    """Both ways of waking a loop."""
    if request.param == "threadsafe":
        monkeypatch.setattr(_mailbox, "HAS_EVENTFD", False)
        return ThreadsafeWaker
    if not HAS_EVENTFD:
        pytest.skip("this system has no eventfd")
    return EventFdWaker


def test_letters_arrive_in_order(way: type) -> None:
    """What a thread posts is delivered on the loop's thread, in order."""

    async def main() -> None:
        mailbox = Mailbox(asyncio.get_running_loop())
        assert type(mailbox._waker) is way
        seen: list[tuple[int, int]] = []
        arrived = asyncio.Event()

        def post() -> None:
            for number in range(100):
                mailbox.post(
                    Note(lambda n=number: seen.append((n, threading.get_ident())))  # type: ignore[misc]  # early binding
                )
            mailbox.post(Note(arrived.set))

        await asyncio.to_thread(post)
        await arrived.wait()
        assert seen == [(number, threading.get_ident()) for number in range(100)]
        mailbox.close()
        await settled()

    run(main)


def test_no_letter_is_lost_between_threads(way: type) -> None:
    """Several threads post at the same time; each letter is delivered once."""
    del way

    async def main() -> None:
        mailbox = Mailbox(asyncio.get_running_loop())
        count, start = 0, threading.Barrier(4)
        everything = asyncio.Event()

        def arrive() -> None:
            nonlocal count
            count += 1
            if count == 4 * 500:
                everything.set()

        def post() -> None:
            start.wait(PATIENCE)
            for _ in range(500):
                mailbox.post(Note(arrive))

        threads = [threading.Thread(target=post) for _ in range(4)]
        for thread in threads:
            thread.start()
        await everything.wait()
        for thread in threads:
            thread.join()
        await settled()
        assert count == 4 * 500
        mailbox.close()
        await settled()

    run(main)


def test_a_burst_wakes_once() -> None:
    """Only the first letter since the last drain wakes the loop."""

    async def main() -> None:
        mailbox = Mailbox(asyncio.get_running_loop())
        mailbox.close()
        await settled()
        waker = mailbox._waker = CountingWaker()
        for _ in range(3):
            mailbox.post(Note(int))
        assert waker.count == 1
        mailbox.drain()
        mailbox.post(Note(int))
        assert waker.count == 2

    run(main)


def test_letters_posted_meanwhile_wait_their_turn() -> None:
    """What is posted while others are delivered comes in the next round."""

    async def main() -> None:
        mailbox = Mailbox(asyncio.get_running_loop())
        mailbox.close()
        await settled()
        waker = mailbox._waker = CountingWaker()
        seen: list[str] = []
        mailbox.post(Note(lambda: mailbox.post(Note(lambda: seen.append("second")))))
        mailbox.drain()
        assert (seen, waker.count) == ([], 2)
        mailbox.drain()
        assert seen == ["second"]

    run(main)


def test_an_interrupt_leaves_the_rest_for_later() -> None:
    """A KeyboardInterrupt out of one letter does not strand those behind it."""

    async def main() -> None:
        mailbox = Mailbox(asyncio.get_running_loop())
        mailbox.close()
        await settled()
        waker = mailbox._waker = CountingWaker()
        seen: list[str] = []

        def interrupt() -> None:
            raise KeyboardInterrupt

        mailbox.post(Note(interrupt))
        mailbox.post(Note(lambda: seen.append("behind")))
        with pytest.raises(KeyboardInterrupt):
            mailbox.drain()
        assert (seen, waker.count) == ([], 2)
        mailbox.drain()
        assert seen == ["behind"]

    run(main)


def test_an_interrupt_does_not_wake_twice() -> None:
    """Where somebody has posted since, the loop is to be woken already."""

    async def main() -> None:
        mailbox = Mailbox(asyncio.get_running_loop())
        mailbox.close()
        await settled()
        waker = mailbox._waker = CountingWaker()

        def post_and_interrupt() -> None:
            mailbox.post(Note(int))
            raise KeyboardInterrupt

        mailbox.post(Note(post_and_interrupt))
        with pytest.raises(KeyboardInterrupt):
            mailbox.drain()
        assert waker.count == 2

    run(main)


def test_posting_to_a_closed_loop_raises(way: type) -> None:
    """A loop that is closed is an error, not a letter that nobody reads."""
    del way

    async def main() -> Mailbox:
        return Mailbox(asyncio.get_running_loop())

    mailbox = run(main)
    with pytest.raises(RuntimeError, match="Event loop is closed"):
        mailbox.post(Note(int))


def test_after_generators_are_shut_down(way: type) -> None:
    """A loop at its end is woken the public way, for old and new mailboxes."""
    del way

    async def main() -> None:
        loop = asyncio.get_running_loop()
        old = Mailbox(loop)
        await loop.shutdown_asyncgens()
        new = Mailbox(loop)
        assert isinstance(new._waker, ThreadsafeWaker)
        for mailbox in (old, new):
            arrived = asyncio.Event()
            await asyncio.to_thread(mailbox.post, Note(arrived.set))
            await arrived.wait()

    # Others do not tell that they were shut down.
    run(main, asyncio.SelectorEventLoop)


def test_what_was_announced_before_the_shutdown_is_delivered() -> None:
    """Letters whose announcement was cut off by the shutdown arrive in it."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        mailbox = Mailbox(loop)
        seen: list[str] = []
        mailbox.post(Note(lambda: seen.append("arrived")))
        await loop.shutdown_asyncgens()
        assert seen == ["arrived"]

    run(main)


def test_a_loop_keeps_its_mailbox_and_not_the_other_way_round() -> None:
    """Neither keeps the other alive when both are forgotten."""
    loop = asyncio.new_event_loop()

    async def main() -> Mailbox:
        return Mailbox(asyncio.get_running_loop())

    mailbox = loop.run_until_complete(main())
    retire(loop)
    reference = weakref.ref(loop)
    del loop
    gc.collect()
    assert reference() is None
    assert mailbox.loop() is None
    with pytest.raises(RuntimeError, match="Event loop is closed"):
        mailbox.post(Note(int))


# -- the registry --


def test_each_loop_has_one_mailbox() -> None:
    """The same one each time, another one for another loop."""
    registry = MailboxRegistry()

    async def main() -> Mailbox:
        loop = asyncio.get_running_loop()
        mailbox = registry.of(loop)
        assert registry.of(loop) is mailbox
        assert mailbox.loop() is loop
        return mailbox

    assert run(main) is not run(main)


def test_a_mailbox_does_not_make_a_loop_unclean() -> None:
    """A recycled loop keeps its mailbox from call to call."""
    registry = MailboxRegistry()
    loop = RecyclableLoop()

    async def main() -> int:
        return id(registry.of(loop))

    loop.note()
    first = loop.run_until_complete(main())
    clean = loop.is_clean()  # not in the assert, which would hold references
    assert clean
    assert loop.run_until_complete(main()) == first
    retire(loop)


def open_mailbox(registry: MailboxRegistry, loop: AbstractEventLoop) -> Mailbox:
    """Open one on an idle loop."""

    async def main() -> Mailbox:
        return registry.of(loop)

    return loop.run_until_complete(main())


def test_a_registry_that_is_forgotten_closes_its_mailboxes() -> None:
    """Nothing is left in a loop that outlives the bridge."""
    loop = asyncio.new_event_loop()
    registry = MailboxRegistry()
    mailbox = open_mailbox(registry, loop)
    del registry
    gc.collect()
    loop.run_until_complete(asyncio.sleep(0))
    waker = mailbox._waker
    assert not getattr(waker, "_is_open", False)
    arrived = asyncio.Event()
    in_thread(lambda: mailbox.post(Note(arrived.set)))
    loop.run_until_complete(arrived.wait())
    loop.close()


def test_attending(way: type) -> None:
    """Nobody is woken while the loop's thread is about to look for itself."""
    del way

    async def main() -> None:
        loop = asyncio.get_running_loop()
        mailbox = Mailbox(loop)
        mailbox.close()
        waker = mailbox._waker = CountingWaker()
        seen: list[str] = []
        mailbox.is_armed = True
        in_thread(lambda: mailbox.post(Note(lambda: seen.append("first"))))
        mailbox.is_armed = False
        assert mailbox.letters
        mailbox.look(loop)
        await settled()
        assert (seen, waker.count) == (["first"], 0)
        assert not mailbox.is_armed
        in_thread(lambda: mailbox.post(Note(lambda: seen.append("second"))))
        assert waker.count == 1

    run(main)


def test_a_letter_that_comes_while_the_loop_looks() -> None:
    """After the flag was lowered: whoever posts it wakes the loop, nobody else."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        mailbox = Mailbox(loop)
        mailbox.close()
        await settled()
        waker = mailbox._waker = CountingWaker()
        seen: list[str] = []
        mailbox.is_armed = True
        in_thread(lambda: mailbox.post(Note(lambda: seen.append("early"))))
        mailbox.is_armed = False
        in_thread(lambda: mailbox.post(Note(lambda: seen.append("late"))))
        mailbox.look(loop)
        await settled()
        assert (seen, waker.count) == ([], 1), "the loop is being woken"
        mailbox.drain()
        assert seen == ["early", "late"]

    run(main)
