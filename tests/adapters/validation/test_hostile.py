"""Whatever an application or a server does, the validator does not crash."""

import enum
from collections.abc import Callable, Iterator
from types import MappingProxyType
from typing import Any, Final, NoReturn

import pytest
from hypothesis import given, strategies as st

from asgibridge.adapters import Profile, open_conversation

from .test_conversation import http, websocket


class Hostile:
    """Raises from every method that looking at it may call."""

    def _refuse(self, *_: object) -> NoReturn:
        msg = "do not look"
        raise RuntimeError(msg)

    __eq__ = __ne__ = __lt__ = __bool__ = __len__ = __iter__ = _refuse
    __repr__ = __str__ = __getitem__ = __contains__ = __bytes__ = _refuse

    def __hash__(self) -> int:
        """Collide with the keys of events."""
        return hash("type")


class HostileHash:
    """Cannot be hashed, by surprise."""

    def __hash__(self) -> int:
        """Raise."""
        msg = "no hash"
        raise RuntimeError(msg)


class HostileClass:
    """Lies about its class in the worst way."""

    def __getattribute__(self, name: str) -> NoReturn:
        """Raise, also for `__class__`, which isinstance() looks at."""
        raise RuntimeError(name)


class Nameless(type):
    """A metaclass whose classes have no name."""

    def __getattribute__(cls, name: str) -> Any:
        """Raise for the name, which messages would like to have."""
        if name == "__name__":
            msg = "no name"
            raise RuntimeError(msg)
        return super().__getattribute__(name)


class NamelessError(Exception, metaclass=Nameless):
    """Its class cannot be asked for its name either."""


class OfNamelessClass(metaclass=Nameless):
    """Raises when looked into, and then once more when its class is to be named."""

    def __getattribute__(self, name: str) -> NoReturn:
        """Raise."""
        raise NamelessError


class HostileDict(dict[str, Any]):
    """A dict that raises from all reading methods."""

    def _refuse(self, *_: object) -> NoReturn:
        msg = "do not read"
        raise RuntimeError(msg)

    get = __getitem__ = __iter__ = keys = items = __contains__ = _refuse


class HostileKey:
    """Raises when a dict looks for "body"."""

    def __eq__(self, other: object) -> bool:
        """Raise."""
        msg = "do not compare"
        raise RuntimeError(msg)

    def __hash__(self) -> int:
        """Collide with "body"."""
        return hash("body")


class HostileList(list[Any]):
    """A list whose iteration raises."""

    def __iter__(self) -> Iterator[Any]:
        """Raise."""
        msg = "do not iterate"
        raise RuntimeError(msg)


class HostileStr(str):
    """A str that raises when compared."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        """Raise."""
        msg = "do not compare"
        raise RuntimeError(msg)

    def __hash__(self) -> int:
        """Be found in dicts."""
        return str.__hash__(self)


MONSTERS: Final[dict[str, Callable[[], object]]] = {
    "object": Hostile,
    "hash": HostileHash,
    "class": HostileClass,
    "nameless": OfNamelessClass,
    "dict": lambda: HostileDict(type="http.request", body=1),
    "empty dict": HostileDict,
    "list": lambda: HostileList([1]),
    "str": lambda: HostileStr("http"),
    "mapping": lambda: MappingProxyType({"type": "http.request"}),
    "none": lambda: None,
    "class itself": lambda: Hostile,
    "dict with a hostile key": lambda: {HostileKey(): 1, "type": "http.request"},
    "dict with only a hostile key": lambda: {Hostile(): 1},
    "nan": lambda: float("nan"),
    "nested": lambda: [[[[[Hostile()]]]]],
}

OPAQUE: Final = ("object", "mapping")
"""Iterables of which nothing can be said without reading them."""


@pytest.mark.parametrize("monster", MONSTERS)
def test_as_a_whole(monster: str) -> None:
    """Anything at all as scope or event is answered with a violation."""
    make = MONSTERS[monster]
    conversation, wrong = open_conversation(make())
    assert wrong
    assert conversation.protocol in ("unknown", "http.request")
    for scope in (http(), websocket()):
        conversation, wrong = open_conversation(scope)
        assert not wrong
        assert conversation.sent(make())
        if "dict" not in monster or "key" in monster:
            assert conversation.received(make())


@pytest.mark.parametrize("monster", MONSTERS)
@pytest.mark.parametrize("key", ["type", "status", "headers", "trailers"])
def test_as_a_value_of_an_event(monster: str, key: str) -> None:
    """Anything at all under a key is answered with a violation."""
    conversation, _ = open_conversation(http())
    event = {"type": "http.response.start", "status": 200, "headers": []}
    event[key] = MONSTERS[monster]()
    wrong = conversation.sent(event)
    assert wrong or (key == "headers" and monster in OPAQUE)
    assert all(str(violation) for violation in wrong)


@pytest.mark.parametrize("monster", MONSTERS)
@pytest.mark.parametrize(
    "wrap",
    [
        lambda x: [x],
        lambda x: [(x, x)],
        lambda x: [(b"a", x)],
        lambda x: [[b"a", x]],
        lambda x: ((b"a", x),),
    ],
)
def test_as_headers(monster: str, wrap: Callable[[object], Any]) -> None:
    """Anything at all within headers is answered with a violation."""
    conversation, _ = open_conversation(http())
    headers = wrap(MONSTERS[monster]())
    event = {"type": "http.response.start", "status": 200, "headers": headers}
    expected = monster not in OPAQUE or isinstance(headers[0], tuple | list)
    assert bool(conversation.sent(event)) is expected
    _, wrong = open_conversation(http(headers=headers))
    assert bool(wrong) is expected


@pytest.mark.parametrize("monster", MONSTERS)
@pytest.mark.parametrize("key", sorted(http()))
def test_as_a_value_of_a_scope(monster: str, key: str) -> None:
    """Anything at all under a key of a scope is lived through."""
    conversation, wrong = open_conversation(http(**{key: MONSTERS[monster]()}))
    nothing_wrong = {
        "none": ("raw_path", "client", "server"),
        "str": ("path", "root_path", "type"),
        "empty dict": ("extensions",),
        **dict.fromkeys(OPAQUE, ("headers", "client", "server")),
    }
    assert wrong or key in nothing_wrong.get(monster, ())
    assert isinstance(conversation.returned(), tuple)


@pytest.mark.parametrize("monster", MONSTERS)
def test_as_extensions(monster: str) -> None:
    """So are extensions and their entries."""
    make = MONSTERS[monster]
    for value in ({"tls": make()}, {"tls": {"server_cert": make()}}):
        conversation, wrong = open_conversation(http(extensions=value))
        assert wrong
        assert conversation.sent({"type": "http.response.push"})


ANYTHING: Final = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        st.text(max_size=3),
        st.binary(max_size=3),
        st.sampled_from(["type", "http", "http.response.start", "websocket"]),
        st.sampled_from(["asgi", "headers", "extensions", "tls", "spec_version"]),
        st.builds(Hostile),
        st.builds(object),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.lists(inner, max_size=3).map(tuple),
        st.dictionaries(
            st.sampled_from(["type", "asgi", "headers", "extensions", "tls", "body"]),
            inner,
            max_size=3,
        ),
        st.lists(inner, max_size=2).map(iter),
    ),
    max_leaves=6,
)


@given(ANYTHING, st.lists(ANYTHING, max_size=3), st.sampled_from(Profile))
def test_anything_is_lived_through(
    scope: object, events: list[object], profile: Profile
) -> None:
    """No scope and no event makes it raise; every violation can be printed."""
    conversation, wrong = open_conversation(scope, profile)
    violations = list(wrong)
    for event in events:
        violations += conversation.sent(event)
        violations += conversation.received(event)
    violations += conversation.returned()
    assert all(str(violation) and violation.as_dict() for violation in violations)


class Version(str, enum.Enum):  # noqa: UP042 - StrEnum prints the value
    """Equal to a version, and printed as something else."""

    NEWEST = "2.5"


def test_versions_of_a_class_of_their_own() -> None:
    """What is a str and equal to a version is one, however it is printed."""
    asgi = {"version": "3.0", "spec_version": Version.NEWEST}
    conversation, wrong = open_conversation(http(asgi=asgi))
    assert wrong == ()
    assert conversation.offer.spec_version == (2, 5)


def test_iterables_are_left_alone() -> None:
    """What can be read only once is not read."""
    headers, links, pair = iter([("a", "b")]), iter(["x"]), iter((b"a", b"b"))
    conversation, wrong = open_conversation(http("http.response.early_hint"))
    assert wrong == ()
    assert not conversation.sent({"type": "http.response.early_hint", "links": links})
    event = {"type": "http.response.start", "status": 200, "headers": [pair]}
    assert conversation.sent(event) == ()
    _, wrong = open_conversation(http(headers=headers, server=pair))
    assert wrong == ()
    assert (list(headers), list(links)) == ([("a", "b")], ["x"])
    assert list(pair) == [b"a", b"b"]


def test_large_values_are_cut_short() -> None:
    """A message shows the beginning of a large value, not all of it."""
    conversation, _ = open_conversation(http())
    large = {"type": "http.response.start", "status": b"x" * 10**7}
    (violation,) = conversation.sent(large)
    assert "(10000000 bytes)" in violation.found
    assert len(violation.found) < 250
