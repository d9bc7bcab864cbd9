"""Random programs: trees of crossings, and what is done on the way.

A program is data.  `_interpreter` runs it with a bridge, `_model` says what has
to come out; both write a log of the same form.  Every operation has one outcome
whatever the threads do: races are run into on purpose, but not judged.
"""

from typing import Final, TypeAlias, TypeVar

import attrs
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

__all__ = (
    "VARIABLES",
    "AsyncBody",
    "AsyncOp",
    "Background",
    "CancelOneself",
    "Catch",
    "Gather",
    "Raise",
    "Read",
    "Scope",
    "Set",
    "Spawn",
    "SyncBody",
    "SyncOp",
    "TimeOut",
    "ToAsync",
    "ToSync",
    "With",
    "Withdraw",
    "async_bodies",
    "sync_bodies",
)

VARIABLES: Final = 3
"""How many context variables programs have."""


@attrs.frozen
class Set:
    """Set a context variable."""

    variable: int
    value: int


@attrs.frozen
class Read:
    """Read a context variable."""

    variable: int


@attrs.frozen
class Raise:
    """Raise an exception."""

    number: int


@attrs.frozen
class CancelOneself:
    """Cancel the current task, and let the cancellation arrive."""


@attrs.frozen
class TimeOut:
    """Run into a timeout while a blocking call is running."""

    is_sensitive: bool


@attrs.frozen
class Withdraw:
    """Cancel a call that is queued behind another."""


@attrs.frozen
class With:
    """Set a context variable for a block, and reset it by its token."""

    variable: int
    value: int
    body: "SyncBody | AsyncBody"


@attrs.frozen
class Catch:
    """Catch what a block raises, cancellations included."""

    body: "SyncBody | AsyncBody"


@attrs.frozen
class ToSync:
    """Await blocking code."""

    body: "SyncBody"
    is_sensitive: bool


@attrs.frozen
class ToAsync:
    """Run async code from blocking code."""

    body: "AsyncBody"
    wants_new_loop: bool


@attrs.frozen
class Gather:
    """Run several blocks as tasks, and wait for all."""

    bodies: "tuple[AsyncBody, ...]"


@attrs.frozen
class Spawn:
    """Start a task that is waited for at the end of the current body."""

    body: "AsyncBody"


@attrs.frozen
class Background:
    """Start a task that goes on when the outermost body of its loop has ended."""

    body: "AsyncBody"


@attrs.frozen
class Scope:
    """Run a block in a thread-sensitive context."""

    body: "AsyncBody"


SyncOp: TypeAlias = Set | Read | Raise | With | Catch | ToAsync
AsyncOp: TypeAlias = (
    Set
    | Read
    | Raise
    | With
    | Catch
    | CancelOneself
    | TimeOut
    | Withdraw
    | ToSync
    | Gather
    | Spawn
    | Background
    | Scope
)
SyncBody: TypeAlias = tuple[SyncOp, ...]
AsyncBody: TypeAlias = tuple[AsyncOp, ...]

T = TypeVar("T")

_variables = st.integers(0, VARIABLES - 1)
_values = st.integers(1, 99)
_sets = st.builds(Set, _variables, _values)
_reads = st.builds(Read, _variables)
_raises = st.builds(Raise, _values)


# Deferred, because a strategy's repr is made of those of its parts.
def sync_bodies(depth: int) -> SearchStrategy[SyncBody]:
    """Generate the bodies of blocking functions, at most *depth* levels deep."""
    return st.deferred(lambda: _sync_bodies(depth))


def async_bodies(depth: int) -> SearchStrategy[AsyncBody]:
    """Generate the bodies of coroutines, at most *depth* levels deep."""
    return st.deferred(lambda: _async_bodies(depth))


def _sync_bodies(depth: int) -> SearchStrategy[SyncBody]:
    leaves: SearchStrategy[SyncOp] = st.one_of(_sets, _reads, _raises)
    if not depth:
        return _bodies(leaves)
    inner, flowing = sync_bodies(depth - 1), async_bodies(depth - 1)
    crossings: SearchStrategy[SyncOp] = st.builds(ToAsync, flowing, st.booleans())
    blocks: SearchStrategy[SyncOp] = st.one_of(
        st.builds(With, _variables, _values, inner), st.builds(Catch, inner)
    )
    return _bodies(_weighted(leaves, crossings, blocks))


def _async_bodies(depth: int) -> SearchStrategy[AsyncBody]:
    leaves: SearchStrategy[AsyncOp] = st.one_of(
        _sets,
        _reads,
        _raises,
        st.just(CancelOneself()),
        st.builds(TimeOut, st.booleans()),
        st.just(Withdraw()),
    )
    if not depth:
        return _bodies(leaves)
    inner, blocking = async_bodies(depth - 1), sync_bodies(depth - 1)
    branches = st.lists(inner, min_size=2, max_size=3).map(tuple)
    crossings: SearchStrategy[AsyncOp] = st.builds(ToSync, blocking, st.booleans())
    blocks: SearchStrategy[AsyncOp] = st.one_of(
        st.builds(With, _variables, _values, inner),
        st.builds(Catch, inner),
        st.builds(Gather, branches),
        st.builds(Spawn, inner),
        st.builds(Background, inner),
        st.builds(Scope, inner),
    )
    return _bodies(_weighted(leaves, crossings, blocks))


def _weighted(
    leaves: SearchStrategy[T], crossings: SearchStrategy[T], blocks: SearchStrategy[T]
) -> SearchStrategy[T]:
    """Choose among sorts first: there are more sorts of leaves than of crossings."""
    sorts = [leaves, leaves, crossings, crossings, crossings, blocks, blocks]
    return st.integers(0, len(sorts) - 1).flatmap(lambda number: sorts[number])


def _bodies(ops: SearchStrategy[T]) -> SearchStrategy[tuple[T, ...]]:
    return st.lists(ops, min_size=1, max_size=4).map(tuple)
