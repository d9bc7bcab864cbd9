"""Context variables."""

import asyncio
from contextvars import ContextVar, Token, copy_context
from typing import final

from tests.oracle._model import Options, Subject, clauses
from tests.oracle._tools import Gate, run, settled

__all__ = ("CLAUSES",)

_TENANT: ContextVar[object] = ContextVar("tenant", default="nobody")
_OTHER: ContextVar[object] = ContextVar("other", default="untouched")


@final
class _Array:
    """Like numpy's: comparing gives no truth value."""

    __hash__ = None  # type: ignore[assignment] # as numpy's

    def __eq__(self, other: object) -> bool:
        msg = "the truth value of an array is ambiguous"
        raise ValueError(msg)

    def __ne__(self, other: object) -> bool:
        msg = "the truth value of an array is ambiguous"
        raise ValueError(msg)


@final
class _Equal:
    """Equal to all of its kind, and yet another object."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Equal)

    def __hash__(self) -> int:
        return 1


def incomparable_values(subject: Subject) -> None:
    """Values whose == and != raise are harmless."""
    before, after = _Array(), _Array()

    def blocking() -> None:
        assert _TENANT.get() is before
        _TENANT.set(after)

    async def main() -> None:
        _TENANT.set(before)
        await subject.sync_to_async(blocking)()
        assert _TENANT.get() is after

    run(main)


def equal_but_different_objects(subject: Subject) -> None:
    """An equal but different object set by blocking code is seen by the caller."""
    before, after = _Equal(), _Equal()

    async def main() -> None:
        _TENANT.set(before)
        await subject.sync_to_async(_TENANT.set)(after)
        assert _TENANT.get() is after

    run(main)

    async def sets() -> None:
        _TENANT.set(after)

    def blocking() -> None:
        _TENANT.set(before)
        subject.async_to_sync(sets)()
        assert _TENANT.get() is after

    copy_context().run(blocking)


def concurrent_updates_survive(subject: Subject) -> None:
    """The write-back does not undo what somebody else set meanwhile."""

    async def main() -> None:
        gate = Gate()
        _OTHER.set("set before")
        context = copy_context()

        def blocking() -> None:
            gate()
            _TENANT.set("from blocking code")

        task = asyncio.get_running_loop().create_task(
            subject.sync_to_async(blocking)(), context=context
        )
        await gate.wait_entered()
        context.run(_OTHER.set, "set meanwhile")
        gate.open()
        await task
        assert context[_TENANT] == "from blocking code"
        assert context[_OTHER] == "set meanwhile"

    run(main)


def explicit_context_under_gather(subject: Subject) -> None:
    """One explicit Context serves calls that run at the same time."""

    async def main() -> None:
        context = copy_context()
        context.run(_TENANT.set, "explicit")
        first, second = Gate(), Gate()

        def read(gate: Gate) -> object:
            gate()
            return _TENANT.get()

        call = subject.sync_to_async(read, thread_sensitive=False, context=context)
        both = asyncio.gather(call(first), call(second), return_exceptions=True)
        await settled()
        first.open()
        second.open()
        assert [str(it) for it in await both] == ["explicit", "explicit"]

    run(main)


def shared_context_freezes_nobody(subject: Subject) -> None:
    """Tasks that share a Context go on while one of them waits for a call."""

    async def main() -> None:
        gate = Gate()
        context = copy_context()
        loop = asyncio.get_running_loop()
        steps: list[int] = []

        async def ticking() -> None:
            for step in range(5):
                await asyncio.sleep(0)
                steps.append(step)

        call = loop.create_task(subject.sync_to_async(gate)(), context=context)
        await gate.wait_entered()
        await loop.create_task(ticking(), context=context)
        assert not call.done()
        gate.open()
        assert await call == "out"
        assert steps == [0, 1, 2, 3, 4]

    run(main)


def token_reset_in_next_crossing(subject: Subject) -> None:
    """A token from one crossing can be reset in the next and by the caller."""
    with subject.configured(Options(lending=True)) as configured:

        async def main() -> None:
            tokens: list[Token[object]] = []

            def enter() -> None:
                tokens.append(_TENANT.set("entered"))

            def leave() -> None:
                _TENANT.reset(tokens.pop())

            await configured.sync_to_async(enter)()
            assert _TENANT.get() == "entered"
            await configured.sync_to_async(leave)()
            assert _TENANT.get() == "nobody"
            await configured.sync_to_async(enter)()
            leave()
            assert _TENANT.get() == "nobody"

        run(main)


CLAUSES = clauses(
    "Context",
    (
        incomparable_values,
        equal_but_different_objects,
        concurrent_updates_survive,
        explicit_context_under_gather,
        shared_context_freezes_nobody,
        token_reset_in_next_crossing,
    ),
)
