"""Context managers across the bridge against the same ones without it.

Hypothesis writes a nest of managers: what each does on entering and on leaving,
and how the block in the middle ends.  It is run with plain ``with`` or ``async
with`` and once more through a bridge, and both must tell the same story: who was
entered and left, in which order, with which exception, what the block saw, and
what came out of it.
"""

import asyncio
import contextvars
import enum
import threading
from collections.abc import Callable
from types import TracebackType
from typing import TypeAlias

import attrs
import pytest
from hypothesis import given, settings, strategies as st

from asgibridge.bridge import Bridge


class OnEnter(enum.Enum):
    """What a manager does when it is entered."""

    GO_ON = "go on"
    RAISE = "raise"


class OnExit(enum.Enum):
    """What a manager does when it is left."""

    GO_ON = "go on"
    SUPPRESS = "suppress"
    RAISE = "raise"
    TRANSLATE = "translate"  # raises from what it got


class End(enum.Enum):
    """How the block ends."""

    RETURN = "return"
    RAISE = "raise"
    BE_CANCELLED = "be cancelled"


Part: TypeAlias = tuple[OnEnter, OnExit]
Log: TypeAlias = list[object]

NESTS = st.lists(
    st.tuples(
        st.sampled_from([OnEnter.GO_ON, OnEnter.GO_ON, OnEnter.RAISE]),
        st.sampled_from(OnExit),
    ),
    min_size=1,
    max_size=4,
)


class ActedError(Exception):
    """What managers and blocks raise."""


def story_of(exc: BaseException | None) -> list[str]:
    """Return an exception and those behind it, with what they are to one another."""
    told: list[str] = []
    while exc is not None:
        relation = "because of" if exc.__cause__ is not None else "while"
        told += [f"{type(exc).__name__}({exc})", relation]
        exc = exc.__cause__ or exc.__context__
    return told


@attrs.define(eq=False)
class World:
    """What one run is about."""

    variable: contextvars.ContextVar[int] = attrs.field(
        factory=lambda: contextvars.ContextVar("depth", default=0)
    )
    local: threading.local = attrs.field(factory=threading.local)
    log: Log = attrs.field(factory=list[object])

    def look(self) -> None:
        """Tell what code in the block sees on the managers' thread."""
        depth = getattr(self.local, "depth", 0)
        self.log.append(("block", depth, self.variable.get()))


@attrs.define(eq=False)
class Acting:
    """What a manager of either kind does."""

    world: World
    number: int
    part: Part
    token: contextvars.Token[int] | None = None

    def enter(self) -> int:
        """Set what the block is to see."""
        world, number = self.world, self.number
        world.log.append(("enter", number))
        if self.part[0] is OnEnter.RAISE:
            msg = f"enter {number}"
            raise ActedError(msg)
        self.token = world.variable.set(world.variable.get() + 1)
        return number

    def leave(self, exc: BaseException | None) -> bool:
        """Take it back, and decide about the exception."""
        world, number, act = self.world, self.number, self.part[1]
        world.log.append(("leave", number, story_of(exc)))
        assert self.token is not None
        world.variable.reset(self.token)
        msg = f"leave {number}"
        if act is OnExit.RAISE:
            raise ActedError(msg)
        if act is OnExit.TRANSLATE and exc is not None:
            raise ActedError(msg) from exc
        return act is OnExit.SUPPRESS


@attrs.define(eq=False)
class Blocking:
    """A blocking manager with state that only its thread has."""

    acting: Acting

    def __enter__(self) -> int:
        entered = self.acting.enter()
        local = self.acting.world.local
        local.depth = getattr(local, "depth", 0) + 1
        return entered

    def __exit__(
        self, _exc_type: object, exc: BaseException | None, _traceback: object
    ) -> bool:
        self.acting.world.local.depth -= 1  # an error on any other thread
        return self.acting.leave(exc)


@attrs.define(eq=False)
class Waiting:
    """An async manager that has to be left in the task that entered it."""

    acting: Acting
    task: object = None

    async def __aenter__(self) -> int:
        self.task = asyncio.current_task()
        await asyncio.sleep(0)
        return self.acting.enter()

    async def __aexit__(
        self,
        _exc_type: type[BaseException] | None,
        exc: BaseException | None,
        _traceback: TracebackType | None,
    ) -> bool:
        assert asyncio.current_task() is self.task
        await asyncio.sleep(0)
        return self.acting.leave(exc)


def managers(world: World, nest: list[Part]) -> list[Acting]:
    """Return what the managers of a nest do, the outermost first."""
    return [Acting(world, number, part) for number, part in enumerate(nest)]


def end_block(end: End) -> None:
    """End the block, if it does not just return."""
    if end is End.RAISE:
        msg = "block"
        raise ActedError(msg)
    if end is End.BE_CANCELLED:
        raise asyncio.CancelledError


def conclude(world: World, run: Callable[[], object]) -> Log:
    """Run a nest; return the whole story, with what came out of it."""
    try:
        run()
    except (ActedError, asyncio.CancelledError) as exc:
        world.log.append(("raised", story_of(exc)))
    else:
        world.log.append("returned")
    world.log.append(world.variable.get())
    return world.log


# Blocking managers in async code


def plainly(nest: list[Part], end: End) -> Log:
    """Return the story of blocking managers in blocking code."""
    world = World()

    def run(actings: list[Acting]) -> None:
        if not actings:
            world.look()
            end_block(end)
            return
        with Blocking(actings[0]) as value:
            world.log.append(value)
            run(actings[1:])

    return conclude(world, lambda: run(managers(world, nest)))


async def cancel_me() -> None:
    """Be cancelled, from outside."""
    task = asyncio.current_task()
    assert task is not None
    task.cancel()
    await asyncio.sleep(0)


def in_async_code(
    bridge: Bridge, nest: list[Part], end: End, *, sensitive: bool
) -> Log:
    """Return the story of the same managers in async code."""
    world = World()
    look = bridge.sync_to_async(world.look)

    async def run(actings: list[Acting]) -> None:
        if not actings:
            if sensitive:
                await look()
            else:  # their thread is held: nobody else gets there
                world.log.append(("block", len(nest), world.variable.get()))
            if end is End.BE_CANCELLED:
                await cancel_me()
            end_block(end)
            return
        manager = Blocking(actings[0])
        async with bridge.enter(manager, thread_sensitive=sensitive) as value:
            world.log.append(value)
            await run(actings[1:])

    async def main() -> None:
        await run(managers(world, nest))

    return conclude(world, lambda: asyncio.run(main()))


@settings(max_examples=100, deadline=None)
@given(NESTS, st.sampled_from(End))
def test_blocking_managers_in_async_code(nest: list[Part], end: End) -> None:
    """They do what they do in blocking code, cancelled or not."""
    with Bridge() as bridge:
        assert in_async_code(bridge, nest, end, sensitive=True) == plainly(nest, end)


@settings(max_examples=50, deadline=None)
@given(NESTS, st.sampled_from(End))
def test_blocking_managers_on_threads_of_their_own(nest: list[Part], end: End) -> None:
    """Each holds a worker, and still all is in order."""
    # Without what is on a thread: each has another one.
    with Bridge() as bridge:
        assert in_async_code(bridge, nest, end, sensitive=False) == plainly(nest, end)


# Async managers in blocking code


def awaited(nest: list[Part], end: End) -> Log:
    """Return the story of async managers in async code."""
    world = World()

    async def run(actings: list[Acting]) -> None:
        if not actings:
            world.look()
            end_block(end)
            return
        async with Waiting(actings[0]) as value:
            world.log.append(value)
            await run(actings[1:])

    return conclude(world, lambda: asyncio.run(run(managers(world, nest))))


def outermost(_bridge: Bridge, fn: Callable[[], None]) -> None:
    """Run *fn* with no async code above it."""
    fn()


def below_async(bridge: Bridge, fn: Callable[[], None]) -> None:
    """Run *fn* in a blocking call of async code."""

    async def main() -> None:
        await bridge.sync_to_async(fn)()

    asyncio.run(main())


@pytest.mark.parametrize("place", [outermost, below_async])
@settings(max_examples=60, deadline=None)
@given(nest=NESTS, end=st.sampled_from([End.RETURN, End.RAISE]))
def test_async_managers_in_blocking_code(
    place: Callable[[Bridge, Callable[[], None]], None], nest: list[Part], end: End
) -> None:
    """They do what they do in async code."""
    world = World()

    def run(actings: list[Acting]) -> None:
        if not actings:
            world.look()
            end_block(end)
            return
        with bridge.enter_sync(Waiting(actings[0])) as value:
            world.log.append(value)
            run(actings[1:])

    with Bridge() as bridge:
        found = conclude(
            world, lambda: place(bridge, lambda: run(managers(world, nest)))
        )
    assert found == awaited(nest, end)


@settings(max_examples=60, deadline=None)
@given(NESTS, st.sampled_from([End.RETURN, End.RAISE]))
def test_async_managers_in_a_portal(nest: list[Part], end: End) -> None:
    """On its loop it is the same."""
    world = World()

    def run(actings: list[Acting]) -> None:
        if not actings:
            world.look()
            end_block(end)
            return
        manager = portal.wrap_async_context_manager(Waiting(actings[0]))
        with manager as value:
            world.log.append(value)
            run(actings[1:])

    with Bridge() as bridge, bridge.portal() as portal:
        found = conclude(world, lambda: run(managers(world, nest)))
    assert found == awaited(nest, end)
