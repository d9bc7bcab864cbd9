"""`Local`: who sees which value, and that every name is the user's."""

import asyncio
import contextvars
import copy
import gc
import pickle
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import pytest
from hypothesis import given, settings, strategies as st

from asgibridge.local import Local

T = TypeVar("T")


class Value:
    """Something that can be weakly referenced."""


def on_new_thread(fn: Callable[[], T]) -> T:
    """Run *fn* on a thread of its own and return its result."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(fn).result(timeout=60)


# --- who sees which value ---------------------------------------------------


def test_thread_sees_nothing_of_another() -> None:
    """A value set on one thread is not there on another, and not changed by it."""
    local = Local()
    local.x = 1

    def other() -> tuple[bool, int]:
        before = hasattr(local, "x")
        local.x = 2
        return before, local.x

    assert on_new_thread(other) == (False, 2)
    assert local.x == 1


def test_task_inherits_and_cannot_change_its_creators_values() -> None:
    """A task starts with its creator's values and changes only its own."""
    local = Local()

    async def child() -> tuple[int, int]:
        before = local.x
        local.x = 2
        return before, local.x

    async def parent() -> tuple[tuple[int, int], int]:
        local.x = 1
        return await asyncio.create_task(child()), local.x

    assert asyncio.run(parent()) == ((1, 2), 1)


def test_task_does_not_see_what_its_creator_sets_later() -> None:
    """What the creator sets after creating a task is not the task's."""
    local = Local()

    async def child() -> bool:
        return hasattr(local, "x")

    async def parent() -> bool:
        task = asyncio.create_task(child())
        local.x = 1
        return await task

    assert asyncio.run(parent()) is False


def test_visible_in_to_thread_but_not_changed_by_it() -> None:
    """asyncio.to_thread takes the values along, one way."""
    local = Local()

    def blocking() -> int:
        value: int = local.x
        local.x = 2
        return value

    async def main() -> tuple[int, int]:
        local.x = 1
        return await asyncio.to_thread(blocking), local.x

    assert asyncio.run(main()) == (1, 1)


def test_reused_worker_thread_shows_nothing_of_an_earlier_call() -> None:
    """A pool's thread forgets what a call, run in its caller's context, set."""
    local = Local()
    with ThreadPoolExecutor(1) as pool:

        def call(value: int) -> None:
            local.x = value

        first = contextvars.copy_context()
        pool.submit(first.run, call, 1).result(timeout=60)
        assert first.run(lambda: local.x) == 1
        second = contextvars.copy_context()
        assert not pool.submit(second.run, hasattr, local, "x").result(timeout=60)
        assert not pool.submit(hasattr, local, "x").result(timeout=60)


def test_visible_wherever_the_context_is_run() -> None:
    """Context.run shows the context's values, on any thread."""
    local = Local()
    local.x = 1
    context = contextvars.copy_context()
    local.x = 2
    assert context.run(lambda: local.x) == 1
    assert on_new_thread(lambda: context.run(lambda: local.x)) == 1


def test_thread_number_used_again_shows_nothing() -> None:
    """A new thread that gets a dead thread's number gets nothing else of it."""
    local = Local()
    seen: dict[int, bool] = {}

    def look() -> None:
        number = threading.get_ident()
        seen[number] = seen.get(number, False) or hasattr(local, "x")
        local.x = 1

    for _ in range(20):  # CPython reuses the number at once, as the stack is
        thread = threading.Thread(target=look)
        thread.start()
        thread.join(timeout=60)
    assert len(seen) < 20  # else the test says nothing
    assert not any(seen.values())


OPERATIONS = st.lists(
    st.tuples(
        st.sampled_from(["set", "delete", "fork"]),
        st.integers(0, 5),
        st.sampled_from(["x", "y", "override"]),
        st.integers(),
    ),
    max_size=40,
)


@settings(deadline=None)
@given(OPERATIONS)
def test_contexts_are_like_copied_dicts(steps: list[tuple[str, int, str, int]]) -> None:
    """Any mix of writes, deletions and copies of contexts equals copied dicts."""
    local = Local()
    contexts = [contextvars.copy_context()]
    model: list[dict[str, int]] = [{}]
    for step, which, name, value in steps:
        index = which % len(contexts)
        context, expected = contexts[index], model[index]
        if step == "set":
            context.run(setattr, local, name, value)
            expected[name] = value
        elif step == "fork":
            contexts.append(context.copy())
            model.append(dict(expected))
        elif name in expected:
            context.run(delattr, local, name)
            del expected[name]
        else:
            with pytest.raises(AttributeError, match=name):
                context.run(delattr, local, name)
    assert [c.run(lambda: dict(vars(local))) for c in contexts] == model


# --- names ------------------------------------------------------------------

AWKWARD = (
    "override __class__ __dict__ __init__ __slots__ __weakref__ __doc__ __module__ "
    "_store _read _arguments _origin _data _lock _storage thread_critical get set"
)


@settings(deadline=None)
@given(st.sampled_from(AWKWARD.split()) | st.text())
def test_every_name_can_be_used(name: str) -> None:
    """Each name is set, read, listed, deleted per context, and breaks nothing."""
    local, other = Local(), Local()
    value = object()
    local.kept = 1
    before = getattr(local, name, None)
    setattr(local, name, value)
    assert getattr(local, name) is value
    assert name in dir(local)
    assert getattr(other, name, None) is not value
    assert not on_new_thread(lambda: getattr(local, name, None) is value)
    delattr(local, name)
    assert repr(getattr(local, name, None)) == repr(before) or name == "__dict__"
    with pytest.raises(AttributeError, match="<Local from"):
        delattr(local, name)
    assert local.kept == 1
    assert isinstance(local, Local)


def test_value_hides_the_method_of_the_same_name() -> None:
    """A value named override hides the method, in its context only."""
    local, name = Local(), "override"
    setattr(local, name, 1)
    assert getattr(local, name) == 1
    with Local.override(local, x=2):
        assert local.x == 2
    delattr(local, name)
    assert callable(local.override)


def test_dir_and_vars() -> None:
    """dir() lists values and methods; vars() is a live mapping of the values."""
    local = Local()
    local.x = 1
    assert {"x", "override", "__repr__"} <= set(dir(local))
    namespace = vars(local)
    assert namespace == {"x": 1}
    namespace.update(y=2)
    del namespace["x"]
    assert local.y == 2
    assert not hasattr(local, "x")
    assert repr(namespace) == "{'y': 2}"
    assert len(namespace) == 1
    assert on_new_thread(lambda: dict(namespace)) == {}
    namespace.clear()
    assert dict(vars(local)) == {}
    with pytest.raises(KeyError):
        del namespace["x"]


def test_error_names_the_local_and_the_attribute() -> None:
    """A missing attribute is reported with the Local, by where it was made."""
    local = Local()
    with pytest.raises(
        AttributeError,
        match=r"^<Local from [\w.]*test_local:\d+> has no attribute 'user' in this context; ",
    ) as caught:
        local.user  # noqa: B018  # the read is the test
    assert caught.value.name == "user"
    assert caught.value.obj is local
    with pytest.raises(AttributeError, match="'user' in this context"):
        del local.user


def test_error_suppresses_the_lookup_error() -> None:
    """The traceback does not show how the value is looked up."""
    with pytest.raises(AttributeError) as caught:
        Local().user  # noqa: B018  # the read is the test
    assert caught.value.__suppress_context__


def test_repr_without_a_caller(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where frames cannot be read, the Local has no origin but works."""
    monkeypatch.setattr("inspect.currentframe", lambda: None)
    assert repr(Local()) == "<Local from ?>"


@pytest.mark.parametrize("way", [copy.copy, copy.deepcopy, pickle.dumps])
def test_cannot_be_copied_or_pickled(way: Callable[[Local], object]) -> None:
    """Copies are refused, and the message names the way out."""
    with pytest.raises(
        TypeError, match=r"cannot copy or pickle <Local .*copy vars\(\)"
    ):
        way(Local())


def test_no_arguments_without_an_init() -> None:
    """Arguments that no __init__ takes are an error."""
    with pytest.raises(TypeError, match="positional argument"):
        Local(1)  # type: ignore[call-arg, arg-type]  # the mistake


# --- subclasses -------------------------------------------------------------


class Session(Local):
    """Runs `__init__` per context."""

    limit = 10
    calls: list[str]

    def __init__(self, url: str, *, retries: int = 0) -> None:
        super().__init__()
        self.url = url
        self.retries = retries
        self.calls = []

    @property
    def host(self) -> str:
        """Read from the values, written through."""
        return str(self.url).split("/", maxsplit=1)[0]

    @host.setter
    def host(self, value: str) -> None:
        self.url = value + "/"

    @host.deleter
    def host(self) -> None:
        del self.url

    @property
    def broken(self) -> str:
        """Raise an error of its own."""
        msg = "own words"
        raise AttributeError(msg)


def test_init_runs_once_per_context() -> None:
    """__init__ runs where the object is made and on first use elsewhere."""
    session = Session("a/b", retries=3)
    session.calls.append("main")
    session.url = "changed"

    def other() -> tuple[str, int, list[str]]:
        return session.url, session.retries, session.calls

    assert on_new_thread(other) == ("a/b", 3, [])
    assert (session.url, session.calls) == ("changed", ["main"])


@pytest.mark.parametrize(
    "use",
    [
        lambda s: setattr(s, "extra", 1),
        lambda s: setattr(s, "host", "c"),
        lambda s: delattr(s, "retries"),
        dir,
        lambda s: len(vars(s)),
        lambda s: s.override(x=1).__enter__(),
    ],
)
def test_any_use_runs_init_first(use: Callable[[Session], object]) -> None:
    """A context that first writes, deletes or lists has been set up as well."""
    session = Session("a/b")

    def other() -> list[str]:
        use(session)
        calls: list[str] = session.calls
        return calls

    assert on_new_thread(other) == []


def test_init_does_not_run_again_after_deletion() -> None:
    """Deleting all attributes leaves a context that was set up."""
    session = Session("a/b")
    for name in list(vars(session)):
        delattr(session, name)
    assert not hasattr(session, "url")


def test_task_inherits_instead_of_running_init() -> None:
    """A task has its creator's values, so nothing is left to set up."""
    session = Session("a/b")
    session.url = "changed"

    async def task() -> str:
        url: str = session.url
        return url

    assert asyncio.run(task()) == "changed"


def test_failed_init_runs_again_on_the_next_use() -> None:
    """An error in __init__ goes to the caller and leaves nothing behind."""
    attempts = []

    class Flaky(Local):
        def __init__(self) -> None:
            attempts.append(1)
            self.half = 1
            if len(attempts) == 2:
                msg = "not now"
                raise OSError(msg)

    flaky = Flaky()

    def other() -> int:
        with pytest.raises(OSError, match="not now"):
            flaky.half  # noqa: B018  # the read is the test
        half: int = flaky.half
        return half

    assert on_new_thread(other) == 1
    assert len(attempts) == 3


def test_descriptors_and_class_attributes_work() -> None:
    """Properties take reads, writes and deletions; defaults show through."""
    session = Session("a/b")
    assert session.host == "a"
    session.host = "c"
    assert session.url == "c/"
    assert "host" not in vars(session)
    del session.host
    assert not hasattr(session, "url")
    assert session.limit == 10
    session.limit = 11
    assert session.limit == 11
    assert on_new_thread(lambda: session.limit) == 10
    with pytest.raises(AttributeError, match="own words"):
        session.broken  # noqa: B018  # the read is the test


def test_slots_of_a_subclass_are_shared() -> None:
    """As with threading.local, __slots__ are for what all contexts share."""

    class Shared(Local):
        __slots__ = ("common",)
        common: int

    shared = Shared()
    shared.common = 1
    assert on_new_thread(lambda: shared.common) == 1
    assert dict(vars(shared)) == {}


def test_subclass_without_init_takes_thread_critical() -> None:
    """A plain subclass is made like Local itself."""

    class Plain(Local):
        pass

    assert repr(Plain(thread_critical=True)).startswith("<test_subclass")


# --- override ---------------------------------------------------------------


def test_override_sets_and_puts_back() -> None:
    """Old values come back, absent ones go, other changes stay."""
    local = Local()
    local.x = 1
    with local.override(x=2, y=3) as same:
        assert same is local
        assert (local.x, local.y) == (2, 3)
    assert dict(vars(local)) == {"x": 1}
    with local.override(x=2, y=3):
        local.z = 4
        del local.y
    assert dict(vars(local)) == {"x": 1, "z": 4}


def test_override_is_undone_by_an_error() -> None:
    """The old values are back when the body raises."""
    local = Local()
    with pytest.raises(ZeroDivisionError), local.override(x=1):
        _ = 1 / 0
    assert not hasattr(local, "x")


def test_override_leaves_no_trace_in_the_context() -> None:
    """Where the Local had no value, the context is as it was."""
    local = Local()
    before = list(contextvars.copy_context())
    with local.override(x=1):
        assert len(contextvars.copy_context()) == len(before) + 1
    assert list(contextvars.copy_context()) == before


def test_override_may_be_left_in_another_context() -> None:
    """An override that was entered in the original is left in a copy."""
    local = Local()
    local.x = 1
    override = local.override(x=2)
    override.__enter__()
    copied = contextvars.copy_context()
    copied.run(override.__exit__, None, None, None)
    assert copied.run(lambda: local.x) == 1
    assert local.x == 2
    del local.x


def test_override_of_everything_to_nothing() -> None:
    """The last value may go with the override even if others came meanwhile."""
    local = Local()
    with local.override(x=1):
        local.y = 2
        del local.y
    assert dict(vars(local)) == {}


def test_override_can_be_used_once() -> None:
    """A second use is refused, with the names and the way out."""
    override = Local().override(x=1, y=2)
    with override:
        pass
    with (
        pytest.raises(
            RuntimeError, match=r"override\(x, y\) of <Local .* make another"
        ),
        override,
    ):
        pass


# --- what is left behind ----------------------------------------------------


def test_dead_local_frees_its_values_at_once() -> None:
    """Without the collector, although the context lives on."""
    local = Local()
    local.x = value = Value()
    shared = contextvars.copy_context()
    alive = weakref.ref(value)
    del value
    gc.disable()
    try:
        del local
        assert alive() is None
    finally:
        gc.enable()
    assert len(shared) > 0


def test_ended_context_frees_its_values() -> None:
    """A finished task or thread keeps nothing, although the Local lives on."""
    local = Local()

    def work() -> "weakref.ref[Value]":
        local.x = Value()
        return weakref.ref(local.x)

    async def task() -> "weakref.ref[Value]":
        return work()

    assert on_new_thread(work)() is None
    assert asyncio.run(task())() is None


def test_deletion_frees_the_value() -> None:
    """A deleted value is gone although the context lives on."""
    local = Local()
    local.x = value = Value()
    alive = weakref.ref(value)
    del value
    del local.x
    assert alive() is None


def test_deleting_everything_leaves_one_shared_object() -> None:
    """What stays is the variable, with the same empty mapping for every Local."""
    first, second = Local(), Local()
    before = dict(contextvars.copy_context())
    for local in (first, second):
        local.x = 1
        local.y = 2
        del local.x, local.y
    new = [v for k, v in contextvars.copy_context().items() if k not in before]
    assert new[0] is new[1]
    assert len(new[0]) == 0


def test_no_cycles() -> None:
    """Nothing that a Local does needs the collector."""

    def use() -> None:
        local = Local()
        local.x = 1
        with local.override(x=2, y=3):
            local.z = 4
        hasattr(local, "missing")
        del local.x
        dir(local)
        dict(vars(local))

    use()
    gc.collect()
    gc.disable()
    try:
        contextvars.copy_context().run(use)
        assert gc.collect() == 0
    finally:
        gc.enable()


def test_a_cycle_through_a_value_is_collected() -> None:
    """A Local that is reachable from its own value can still be collected."""
    local = Local()
    context = contextvars.Context()
    context.run(setattr, local, "self", local)
    alive = weakref.ref(local)
    del local, context
    gc.collect()
    assert alive() is None
