"""`DeclaredLocal`: typed attributes with a context variable each."""

import asyncio
import contextvars
import copy
import gc
import pickle
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ClassVar, Generic, TypeVar

import pytest

from asgibridge.local import DeclaredLocal

T = TypeVar("T")


class Request(DeclaredLocal):
    """Two attributes, one with a default, and things that are none."""

    user: str
    attempts: int = 0
    limit: ClassVar[int] = 3
    other: "ClassVar[int]" = 4

    def describe(self) -> str:
        """Use an attribute."""
        return f"{self.user}:{self.attempts}"

    @property
    def left(self) -> int:
        """Use attribute and class variable."""
        return self.limit - self.attempts


@pytest.fixture
def request_() -> Request:
    """Return a Request with no values."""
    return Request()


def on_new_thread(fn: Callable[[], T]) -> T:
    """Run *fn* on a thread of its own and return its result."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(fn).result(timeout=60)


def test_values_follow_the_context(request_: Request) -> None:
    """Threads see nothing, tasks inherit, contexts that are run show theirs."""
    request_.user = "ann"
    assert not on_new_thread(lambda: hasattr(request_, "user"))
    context = contextvars.copy_context()
    request_.user = "bob"
    assert on_new_thread(lambda: context.run(request_.describe)) == "ann:0"

    async def task() -> str:
        before = request_.user
        request_.user = "eve"
        return before

    assert asyncio.run(task()) == "bob"
    assert request_.user == "bob"


def test_objects_do_not_share(request_: Request) -> None:
    """Two objects of a class have values of their own, and the class has none."""
    second = Request()
    request_.user = "ann"
    assert not hasattr(second, "user")
    assert isinstance(second, Request)
    assert type(second).__name__ == "Request"
    assert not hasattr(Request, "user")


def test_defaults_and_deletion(request_: Request) -> None:
    """A deleted attribute is as one never set: default, or error."""
    assert request_.attempts == 0
    request_.attempts = 2
    assert (request_.attempts, request_.left) == (2, 1)
    del request_.attempts
    assert request_.attempts == 0
    request_.user = "ann"
    del request_.user
    message = r"<Request of user, attempts> has no value for 'user' in this context"
    with pytest.raises(AttributeError, match=message) as caught:
        request_.user  # noqa: B018  # the read is the test
    assert (caught.value.name, caught.value.obj) == ("user", request_)
    with pytest.raises(AttributeError, match=message):
        del request_.user
    with pytest.raises(AttributeError, match="'attempts'"):
        del request_.attempts


def test_undeclared_attributes_are_refused(request_: Request) -> None:
    """Only declared names can be read or written; nothing is shared by accident."""
    with pytest.raises(AttributeError, match="'Request' object has no attribute 'x'"):
        request_.x  # type: ignore[attr-defined]  # noqa: B018
    with pytest.raises(AttributeError, match="'Request' object has no attribute 'x'"):
        request_.x = 1  # type: ignore[attr-defined]


def test_dir_and_vars(request_: Request) -> None:
    """dir() lists what can be read; vars() what was set, as a new dict."""
    assert vars(request_) == {}
    assert "user" not in dir(request_)
    assert {"attempts", "limit", "describe"} <= set(dir(request_))
    request_.user = "ann"
    assert vars(request_) == {"user": "ann"}
    assert "user" in dir(request_)


def test_subclasses_add_attributes() -> None:
    """A subclass has its bases' attributes, and may be generic."""

    class Wider(Request, Generic[T]):
        item: T
        attempts: int = 7

    wider = Wider[int]()
    wider.item = 5
    wider.user = "ann"
    assert repr(wider).endswith("Wider of user, attempts, item>")
    assert (wider.item, wider.describe()) == (5, "ann:7")


def test_shared_mutable_defaults_are_refused() -> None:
    """A list as default would be every context's; the way out is named."""
    with pytest.raises(TypeError, match=r"default of .*\.tags is a list.*from Local"):

        class Tagged(DeclaredLocal):
            tags: list[str] = []  # noqa: RUF012  # what the test is about


def test_init_is_refused() -> None:
    """An __init__ would run in one context only; the way out is named."""
    with pytest.raises(TypeError, match=r"Wrong\.__init__ would run in one context"):

        class Wrong(DeclaredLocal):
            def __init__(self) -> None:
                pass


def test_override(request_: Request) -> None:
    """Declared values are set and put back, to the letter."""
    before = list(contextvars.copy_context())
    with request_.override(user="ann", attempts=1) as same:
        assert same is request_
        assert request_.describe() == "ann:1"
        with request_.override(user="bob"):
            assert request_.describe() == "bob:1"
        assert request_.describe() == "ann:1"
    assert list(contextvars.copy_context()) == before


def test_override_checks_names_before_it_sets_any(request_: Request) -> None:
    """An undeclared name is an error, and nothing was changed."""
    with pytest.raises(
        AttributeError, match="<Request of user, attempts> declares no attribute 'x'"
    ):
        request_.override(user="ann", x=1)
    assert not hasattr(request_, "user")


def test_override_can_be_used_once(request_: Request) -> None:
    """A second use is refused."""
    override = request_.override(user="ann")
    with override:
        pass
    with pytest.raises(RuntimeError, match="entered once; make another"), override:
        pass


def test_override_may_be_left_in_another_context(request_: Request) -> None:
    """In a copy, old values are put back and absent ones read as absent."""
    request_.attempts = 1
    override = request_.override(user="ann", attempts=2)
    override.__enter__()
    copied = contextvars.copy_context()
    copied.run(override.__exit__, None, None, None)
    assert copied.run(vars, request_) == {"attempts": 1}
    assert request_.attempts == 2


def test_dead_object_frees_its_values_at_once() -> None:
    """The values in the current context go with the object."""

    class Value:
        pass

    class Holder(DeclaredLocal):
        value: Value
        unused: int

    holder = Holder()
    holder.value = Value()
    alive = weakref.ref(holder.value)
    gc.disable()
    try:
        del holder
        assert alive() is None
    finally:
        gc.enable()


@pytest.mark.parametrize("way", [copy.copy, copy.deepcopy, pickle.dumps])
def test_cannot_be_copied_or_pickled(
    way: Callable[[Request], object], request_: Request
) -> None:
    """Copies are refused, and the message names the way out."""
    with pytest.raises(TypeError, match=r"cannot copy or pickle <Request .*vars\(\)"):
        way(request_)
