"""Random conversations from the tables, and mutations of them."""

from collections.abc import Callable
from typing import Any, Final

from hypothesis import assume, given, settings, strategies as st

from asgibridge.adapters import RULES, Profile, open_conversation
from asgibridge.adapters._validation._courses import COURSES, Course
from asgibridge.adapters._validation._machines import VARIANT_KEYS
from asgibridge.adapters._validation._quick import PLAIN_EVENTS
from asgibridge.adapters._validation._quick_scopes import plain_http_version
from asgibridge.adapters._validation._scopes import examine_scope
from asgibridge.adapters._validation._shapes import EVENTS, Shape

from .test_conversation import FILE, http, lifespan, websocket
from .test_scopes import TLS

Event = dict[str, Any]
Walk = tuple[Event, list[Event], Profile]

EXTENSIONS: Final = sorted({x.extension for x in EVENTS.values() if x.extension})
SCOPES: Final[dict[str, Callable[..., Event]]] = {
    "http": lambda: http(*EXTENSIONS),
    "websocket": lambda: websocket(*EXTENSIONS),
    "lifespan": lifespan,
}
NAMES: Final = st.text("abc-1", min_size=1, max_size=4).map(str.encode)
PAIRS: Final = st.one_of(
    st.tuples(NAMES, st.binary(max_size=4)),
    st.tuples(NAMES, st.binary(max_size=4)).map(list),
)
HEADERS: Final = st.one_of(
    st.lists(PAIRS, max_size=3),
    st.lists(PAIRS, max_size=3).map(tuple),
    st.lists(PAIRS, max_size=3).map(iter),
)
SMALL: Final = st.integers(min_value=0, max_value=2**63 - 1)
VALUES: Final[dict[str, st.SearchStrategy[Any]]] = {
    "body": st.binary(max_size=4),
    "bytes": st.binary(max_size=4),
    "text": st.text(max_size=4),
    "status": st.integers(min_value=100, max_value=999),
    "headers": HEADERS,
    "path": st.just("/etc/hosts"),
    "file": st.just(FILE),
    "offset": SMALL,
    "count": SMALL,
    "links": st.lists(st.binary(max_size=4)),
    "info": st.dictionaries(st.text(max_size=2), st.none()),
    "subprotocol": st.text(max_size=4),
    "code": SMALL,
    "reason": st.text(max_size=4),
    "message": st.text(max_size=4),
}


def _filled(draw: st.DrawFn, shape: Shape, event: Event) -> None:
    variants = set(VARIANT_KEYS.values())
    for key in shape.keys:
        if key.name in variants:
            continue
        if key.required or draw(st.booleans()):
            event[key.name] = draw(VALUES[key.name])


def _event(draw: st.DrawFn, symbol: str) -> Event:
    """Draw an event that stands for *symbol* in the tables."""
    kind, _, variant = symbol.partition("[")
    event: Event = {"type": kind}
    _filled(draw, EVENTS[kind], event)
    if variant:
        event[variant.removesuffix("]")] = True
    elif kind in VARIANT_KEYS and draw(st.booleans()):
        event[VARIANT_KEYS[kind]] = False
    if kind in ("websocket.send", "websocket.receive"):
        other, left = draw(st.sampled_from([("text", "bytes"), ("bytes", "text")]))
        event[other] = draw(VALUES[other])
        event.pop(left, None)
        if draw(st.booleans()):
            event[left] = None
    return event


def _possible(course: Course, sending: str, receiving: str) -> list[tuple[str, str]]:
    """Return what may come next: symbols with their targets."""
    outgoing = [
        *course.send_table[sending].items(),
        *course.receive_table[receiving].items(),
    ]
    known = [x for x in outgoing if x[0].partition("[")[0] in EVENTS]
    return sorted(set(known))


@st.composite
def walks(draw: st.DrawFn) -> Walk:
    """Draw a scope, and events that a walk through the machines gives."""
    protocol = draw(st.sampled_from(sorted(SCOPES)))
    profile = draw(st.sampled_from(Profile))
    course = COURSES[protocol, profile]
    sending, receiving = course.sending.start, course.receiving.start
    events: list[Event] = []
    for _ in range(draw(st.integers(min_value=0, max_value=9))):
        possible = _possible(course, sending, receiving)
        if not possible:
            break
        symbol, target = draw(st.sampled_from(possible))
        event = _event(draw, symbol)
        events.append(event)
        if course.is_joint:
            sending = receiving = target
        elif EVENTS[event["type"]].direction == "send":
            sending = target
        else:
            receiving = target
    return SCOPES[protocol](), events, profile


def found(scope: Event, events: list[Event], profile: Profile) -> list[str]:
    """Return the names of the rules that are broken, in order."""
    conversation, wrong = open_conversation(scope, profile)
    violations = list(wrong)
    for event in events:
        shape = EVENTS.get(str(event.get("type")))
        sends = shape is None or shape.direction == "send"
        violations += (
            conversation.sent(event) if sends else conversation.received(event)
        )
    return [violation.rule.name for violation in violations]


@given(walks())
def test_walks_are_accepted(walk: Walk) -> None:
    """Whatever the tables allow passes, with all optional keys there or not."""
    assert found(*walk) == []


WRONG_VALUE: Final = 1.5
"""Of a type that no key has."""


@given(walks(), st.data())
def test_a_mutated_value_is_found(walk: Walk, data: st.DataObject) -> None:
    """One value of a wrong type, anywhere, is found."""
    scope, events, profile = walk
    places = [(x, key) for x in events for key in x if key != "type"]
    assume(places)
    event, key = data.draw(st.sampled_from(places))
    event[key] = WRONG_VALUE
    assert found(scope, events, profile)


@given(walks(), st.data())
def test_a_missing_key_is_found(walk: Walk, data: st.DataObject) -> None:
    """One required key that is missing is found."""
    scope, events, profile = walk
    places = [
        (event, key.name)
        for event in events
        for key in EVENTS[event["type"]].keys
        if key.required
    ]
    assume(places)
    event, key = data.draw(st.sampled_from(places))
    del event[key]
    assert "value.missing" in found(scope, events, profile)


@given(walks(), st.data())
def test_a_misplaced_event_is_found(walk: Walk, data: st.DataObject) -> None:
    """One event that the state does not allow, at the end, is found."""
    scope, events, profile = walk
    course = COURSES[scope["type"], profile]
    conversation, _ = open_conversation(scope, profile)
    for event in events:
        if EVENTS[event["type"]].direction == "send":
            conversation.sent(event)
        else:
            conversation.received(event)
    possible = {
        x for x, _ in _possible(course, conversation.sending, conversation.receiving)
    }
    symbols = {row.event for row in (*course.sending.rows, *course.receiving.rows)}
    impossible = sorted(x for x in symbols - possible if x.partition("[")[0] in EVENTS)
    assume(impossible)
    symbol = data.draw(st.sampled_from(impossible))
    kind = symbol.partition("[")[0]
    event = {"type": kind}
    event |= {
        key.name: data.draw(VALUES[key.name])
        for key in EVENTS[kind].keys
        if key.required
    }
    if "[" in symbol:
        event[VARIANT_KEYS[kind]] = True
    if kind in ("websocket.send", "websocket.receive"):
        event["text"] = "x"
    take = (
        conversation.sent if EVENTS[kind].direction == "send" else conversation.received
    )
    assert [violation.rule.profile <= profile for violation in take(event)] == [True]


@given(walks(), st.data())
def test_an_event_of_another_protocol_is_found(walk: Walk, data: st.DataObject) -> None:
    """One event of another protocol, anywhere, is found."""
    scope, events, profile = walk
    others = sorted(x for x, shape in EVENTS.items() if shape.protocol != scope["type"])
    foreign = {"type": data.draw(st.sampled_from(others))}
    events.insert(data.draw(st.integers(0, len(events))), foreign)
    assert "event.foreign" in found(scope, events, profile)


@given(walks(), st.data())
def test_an_unoffered_extension_is_found(walk: Walk, data: st.DataObject) -> None:
    """Taking away one extension that is used is found."""
    scope, events, profile = walk
    used = sorted({EVENTS[x["type"]].extension or "" for x in events} - {""})
    assume(used)
    name = data.draw(st.sampled_from(used))
    scope["extensions"] = {k: v for k, v in scope["extensions"].items() if k != name}
    assert "ext.gate" in found(scope, events, profile)


# What the quick way accepts is what the slow way accepts: anything goes, so
# that the two meet values that are nearly right.
ODD: Final = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-1, 1000),
    st.sampled_from([b"", b"x", "", "x", [], {}, (), [(b"a", b"b")], [[b"A", b""]]]),
    st.sampled_from([[("a", "b")], [(b":a", b"")], [(b"a",)], {b"a": b"b"}, [b"ab"]]),
)
PLAIN_KINDS: Final = sorted(
    (protocol, direction, kind)
    for (protocol, direction), kinds in PLAIN_EVENTS.items()
    for kind in kinds
)


@settings(max_examples=300)
@given(st.sampled_from(PLAIN_KINDS), st.data())
def test_plain_events_are_right(
    place: tuple[str, str, str], data: st.DataObject
) -> None:
    """An event that the quick way takes breaks no rule of the strictest profile."""
    protocol, direction, kind = place
    scope = SCOPES[protocol]()
    if data.draw(st.booleans()):
        del scope["extensions"]
    conversation, _ = open_conversation(scope, Profile.STRICT)
    names = [key.name for key in EVENTS[kind].keys] + ["other"]
    keys = data.draw(st.lists(st.sampled_from(names), unique=True))
    event: Event = {"type": kind}
    for key in keys:
        event[key] = data.draw(st.one_of(VALUES.get(key, ODD), st.booleans(), ODD))
    try:
        symbol = PLAIN_EVENTS[protocol, direction][kind](event, conversation.offer)
    except (KeyError, TypeError, ValueError, AttributeError):
        return  # as the conversation takes it: not plain
    if symbol is None:
        return
    slow = conversation._examine(event, "send" if direction == "send" else "receive")
    orders = {"http.", "event.order", "request.", "ws.", "connect."}
    assert all(x.rule.name.startswith(tuple(orders)) for x in slow)
    assert str(symbol).partition("[")[0] == kind
    assert ("[" in str(symbol)) is bool(event.get(VARIANT_KEYS.get(kind, "")))


SCOPE_VALUES: Final = st.one_of(
    ODD,
    st.sampled_from(["GET", "get", "1.1", "2", "https", "/", "/a"]),
    st.sampled_from([("a", 1), ("a", "1"), ["a", 1], ("a", None), ("a", 1, 2)]),
    st.sampled_from([(1, None), (None,), ("a",), {"a": {}}, {"a": 1}, {"tls": {}}]),
    st.sampled_from([{"version": "3.0"}, {"version": 3, "spec_version": "2.3"}]),
    st.sampled_from([{1: 2}, {"a": 1}, {"version": "3.0", "spec_version": "2.9"}]),
    st.sampled_from([{"version": "3.0", "spec_version": "2"}, {"spec_version": "2.3"}]),
    st.sampled_from([[(b"1", b"")], [(b"", b"")], [(b":", b"")], [(b"A:", b"")]]),
    st.sampled_from([{(b"a", b"b"): 1}.keys(), {b"a": b"b"}.items(), {"a": 1}.items()]),
)
TLS_VALUES: Final = st.one_of(
    ODD,
    st.sampled_from(["", "CN=a", ["pem"], ("pem",), [b"pem"], ["pem", 1], "pem"]),
    st.sampled_from([0x0304, -1, 0xFFFF, 0x10000, 2**63, True, 1.5]),
)


@settings(max_examples=300)
@given(st.data())
def test_plain_scopes_are_right(data: st.DataObject) -> None:
    """A scope that the quick way takes breaks no rule of the strictest profile."""
    scope = http(extensions={})
    for key in data.draw(st.lists(st.sampled_from(sorted(scope)), max_size=2)):
        if key != "type":
            scope[key] = data.draw(SCOPE_VALUES)
            if data.draw(st.integers(0, 5)) == 0:
                del scope[key]
    if data.draw(st.booleans()):
        scope["state"] = data.draw(SCOPE_VALUES)
    lenient = data.draw(st.booleans())
    assert (
        not is_plain(scope, lenient=lenient) or broken_by(scope, lenient=lenient) == []
    )


@settings(max_examples=300)
@given(st.data())
def test_plain_scopes_with_tls_are_right(data: st.DataObject) -> None:
    """The same, for what a scope says about TLS."""
    tls = dict(TLS)
    for key in data.draw(st.lists(st.sampled_from(sorted(tls)), max_size=3)):
        tls[key] = data.draw(TLS_VALUES)
        if data.draw(st.integers(0, 5)) == 0:
            del tls[key]
    scheme = data.draw(st.sampled_from(["https", "https", "http", "", 1]))
    scope = http(extensions={"tls": tls}, scheme=scheme)
    lenient = data.draw(st.booleans())
    assert (
        not is_plain(scope, lenient=lenient) or broken_by(scope, lenient=lenient) == []
    )


def is_plain(scope: Event, *, lenient: bool) -> bool:
    """Whether the quick way takes *scope*."""
    try:
        return plain_http_version(scope, lenient=lenient) is not None
    except (KeyError, TypeError, ValueError, AttributeError):
        return False  # as for events


def broken_by(scope: Event, *, lenient: bool) -> list[str]:
    """Return the names of the rules that *scope* breaks, by examination."""
    enforced = Profile.SPEC if lenient else Profile.STRICT
    rules = [RULES[name] for name, _ in examine_scope(scope)]
    return [rule.name for rule in rules if rule.profile <= enforced]
