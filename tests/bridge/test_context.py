"""Context variables across: by identity, only what changed, back and forth."""

import asyncio
import contextvars
from contextvars import Context, ContextVar
from typing import Any

import pytest
from hypothesis import given, strategies as st

from asgibridge import Bridge
from asgibridge.bridge import _context
from asgibridge.bridge._context import take_back, write_back
from tests.staging import Gate, run, settled

VARIABLES = [ContextVar[object](f"variable {number}") for number in range(4)]
variable: ContextVar[Any] = ContextVar("variable", default="nothing")


class Incomparable:
    """A value that cannot be compared, as numpy's."""

    __hash__ = None  # type: ignore[assignment]  # nor hashed

    def __eq__(self, _other: object) -> bool:
        raise AssertionError

    def __ne__(self, _other: object) -> bool:
        raise AssertionError


steps = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2)), max_size=8)


@given(before=steps, changes=steps, meanwhile=steps, plain=st.booleans())
def test_write_back(
    before: list[tuple[int, int]],
    changes: list[tuple[int, int]],
    meanwhile: list[tuple[int, int]],
    plain: bool,  # noqa: FBT001  # both ways of finding out
) -> None:
    """What was changed is set; everything else stays as it is by then."""
    values = [Incomparable() for _ in range(3)]

    def play(context: Context, script: list[tuple[int, int]]) -> None:
        for number, value in script:
            context.run(VARIABLES[number].set, values[value])

    here = Context()
    play(here, before)
    base = here.copy()
    changed = base.copy()
    play(changed, changes)
    play(here, meanwhile)
    expected = {v: here.get(v) for v in VARIABLES}
    expected |= {v: changed[v] for v in changed if base.get(v) is not changed[v]}
    with pytest.MonkeyPatch.context() as patch:
        if plain:
            patch.setattr(_context, "context_unchanged", lambda *_: False)
        here.run(write_back, changed, base)
    for v in VARIABLES:
        assert here.get(v) is expected[v]


def test_take_back() -> None:
    """A variable that was reset to nothing has none again; others keep theirs."""
    base, changed = Context(), Context()
    changed.run(VARIABLES[0].set, 1)
    changed.run(VARIABLES[1].set, 2)

    def lend() -> None:
        tokens = write_back(changed, base)
        final = Context()
        final.run(VARIABLES[1].set, 3)
        take_back(tokens, final)
        assert VARIABLES[0].get(None) is None
        assert VARIABLES[1].get() == 2

    Context().run(lend)


def test_code_sees_its_callers_variables(bridge: Bridge) -> None:
    """And the caller sees what it set, also when it fails."""

    def change(value: str) -> str:
        seen: str = variable.get()
        variable.set(value)
        return seen

    def fail() -> None:
        variable.set("failed")
        raise LookupError

    async def main() -> None:
        variable.set("caller's")
        assert await bridge.sync_to_async(change)("set") == "caller's"
        assert variable.get() == "set"
        with pytest.raises(LookupError):
            await bridge.sync_to_async(fail)()
        assert variable.get() == "failed"

    run(main)


def test_values_that_cannot_be_compared(bridge: Bridge) -> None:
    """They pass through every kind of crossing unharmed."""
    value, other = Incomparable(), Incomparable()

    async def inner() -> None:
        assert variable.get() is value
        variable.set(other)

    def middle() -> None:
        bridge.async_to_sync(inner)()
        assert variable.get() is other

    async def main() -> None:
        variable.set(value)
        await bridge.sync_to_async(middle)()
        assert variable.get() is other

    run(main)


def test_an_equal_but_different_object(bridge: Bridge) -> None:
    """It is another one, and the caller sees it."""
    first, second = [1], [1]

    async def main() -> None:
        variable.set(first)
        await bridge.sync_to_async(variable.set)(second)
        assert variable.get() is second

    run(main)


def test_a_concurrent_change_is_not_undone(bridge: Bridge) -> None:
    """What another step of the same task context set meanwhile stays."""
    other: ContextVar[str] = ContextVar("other", default="nothing")
    gate = Gate()

    def work() -> None:
        gate()
        variable.set("by the call")

    async def main() -> None:
        context = contextvars.copy_context()
        loop = asyncio.get_running_loop()
        task = loop.create_task(bridge.sync_to_async(work)(), context=context)
        await gate.entered_async()
        context.run(other.set, "meanwhile")
        gate.open()
        await task
        assert context[other] == "meanwhile"
        assert context[variable] == "by the call"

    run(main)


def test_coroutine_sees_what_its_function_set(bridge: Bridge) -> None:
    """And the function what the coroutine set; in the end nothing is left over."""
    fresh: ContextVar[str] = ContextVar("fresh")

    async def inner() -> str:
        seen = fresh.get()
        variable.set("by the coroutine")
        return seen

    def work() -> str:
        token = fresh.set("by the function")
        seen = bridge.async_to_sync(inner)()
        assert variable.get() == "by the coroutine"
        fresh.reset(token)
        return seen

    async def main() -> None:
        assert await bridge.sync_to_async(work)() == "by the function"
        assert variable.get() == "by the coroutine"
        assert fresh.get("nothing") == "nothing"

    run(main)


def test_tasks_have_variables_of_their_own(bridge: Bridge) -> None:
    """Two tasks that set the same variable do not disturb one another."""

    async def task(number: int) -> None:
        for _ in range(3):
            await bridge.sync_to_async(variable.set)(number)
            await settled(2)
            assert variable.get() == number

    async def main() -> None:
        await asyncio.gather(*[task(number) for number in range(5)])
        assert variable.get() == "nothing"

    Context().run(run, main)
