"""A call and the future of its result."""

import functools
import gc
import weakref

import pytest

from asgibridge.executors import name_of
from asgibridge.executors._work import FutureWork


class Thing:
    """Something to hold, with a method."""

    def method(self) -> None:
        """Do nothing."""

    def __call__(self) -> None:
        """Do nothing."""

    def __repr__(self) -> str:
        return "a thing"


@pytest.mark.parametrize(
    ("fn", "name"),
    [
        (Thing.method, "Thing.method"),
        (Thing().method, "Thing.method"),
        (functools.partial(Thing().method), "Thing.method"),
        (len, "len"),
        (Thing(), "a thing"),
        (functools.partial(Thing()), "functools.partial(a thing)"),
    ],
)
def test_name_of(fn: object, name: str) -> None:
    """A name that a person finds in the source, or else the repr."""
    assert name_of(fn) == name


def test_a_cancelled_call_never_runs() -> None:
    """Neither does one that has run before."""
    seen: list[int] = []
    work = FutureWork(seen.append, (1,), {})
    assert work.future.cancel()
    work.run()
    again = FutureWork(seen.append, (2,), {})
    again.run()
    again.run()
    assert seen == [2]
    assert str(work) == "list.append"


def test_a_failed_call_leaves_nothing_for_the_collector() -> None:
    """The exception, once dropped, takes its frames and arguments with it."""
    thing = Thing()
    reference = weakref.ref(thing)

    def fail(_: Thing) -> None:
        raise LookupError

    work = FutureWork(fail, (thing,), {})
    del thing
    gc.disable()
    try:
        work.run()
        assert isinstance(work.future.exception(), LookupError)
        del work
        assert reference() is None
    finally:
        gc.enable()


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit, StopIteration])
def test_every_exception_reaches_the_future(kind: type[BaseException]) -> None:
    """Not only the ordinary ones."""

    def fail() -> None:
        raise kind

    work = FutureWork(fail, (), {})
    work.run()
    with pytest.raises(kind):
        work.future.result()
