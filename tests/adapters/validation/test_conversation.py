"""Conversations, step by step: what is right passes, each mistake has its rule."""

from collections.abc import Iterable
from typing import Any, Final

import pytest

from asgibridge.adapters import Conversation, Profile, Violation, open_conversation

Event = dict[str, Any]
Step = tuple[str, object]

ALL_EXTENSIONS: Final = (
    "http.response.debug",
    "http.response.early_hint",
    "http.response.pathsend",
    "http.response.push",
    "http.response.trailers",
    "http.response.zerocopysend",
)


def http(*extensions: str, **changes: object) -> Event:
    """Return a scope; keys given as ... are left out."""
    scope: Event = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.5"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": "/",
        "raw_path": b"/",
        "query_string": b"",
        "root_path": "",
        "headers": [(b"host", b"a")],
        "client": ("127.0.0.1", 5000),
        "server": ("127.0.0.1", 80),
        "extensions": {name: {} for name in extensions},
    }
    return {k: v for k, v in (scope | changes).items() if v is not ...}


def websocket(*extensions: str, **changes: object) -> Event:
    """Return a scope of a WebSocket."""
    scope = http(*extensions, type="websocket", scheme="ws", subprotocols=["a"])
    del scope["method"]
    return {k: v for k, v in (scope | changes).items() if v is not ...}


def lifespan(**changes: object) -> Event:
    """Return a scope of a lifespan."""
    asgi = {"version": "3.0", "spec_version": "2.0"}
    return {"type": "lifespan", "asgi": asgi, "state": {}} | changes


def send(kind: str, **keys: object) -> Step:
    """Return a step of the application."""
    return "send", {"type": kind} | keys


def receive(kind: str, **keys: object) -> Step:
    """Return a step of the server."""
    return "receive", {"type": kind} | keys


RETURN: Final[Step] = ("return", None)
RAISE: Final[Step] = ("raise", None)


def take(conversation: Conversation, step: Step) -> tuple[Violation, ...]:
    """Let *conversation* take one step."""
    what, event = step
    if what == "send":
        return conversation.sent(event)
    if what == "receive":
        return conversation.received(event)
    if what == "raise":
        conversation.raised()
        return ()
    return conversation.returned()


def rules(
    scope: object, steps: Iterable[Step], profile: Profile = Profile.SPEC
) -> list[str]:
    """Return the names of the rules that a conversation breaks."""
    conversation, wrong = open_conversation(scope, profile)
    found = [*wrong]
    for step in steps:
        found += take(conversation, step)
    return [violation.rule.name for violation in found]


START: Final = send("http.response.start", status=200, headers=[(b"a", b"b")])
TRAILING: Final = send("http.response.start", status=200, trailers=True)
MORE: Final = send("http.response.body", body=b"x", more_body=True)
END: Final = send("http.response.body", body=b"x")
TRAILERS: Final = send("http.response.trailers", headers=[(b"a", b"b")])
PUSH: Final = send("http.response.push", path="/x", headers=[])
HINT: Final = send("http.response.early_hint", links=[b"</x>; rel=preload"])
DEBUG: Final = send("http.response.debug", info={"a": object()})
PATHSEND: Final = send("http.response.pathsend", path="/etc/hosts")
REQUEST: Final = receive("http.request", body=b"", more_body=False)
GONE: Final = receive("http.disconnect")
CONNECT: Final = receive("websocket.connect")
ACCEPT: Final = send("websocket.accept")
TEXT: Final = receive("websocket.receive", text="x")
SAY: Final = send("websocket.send", text="x")
CLOSE: Final = send("websocket.close", code=1000)
LOST: Final = receive("websocket.disconnect", code=1006)
DENY: Final = send("websocket.http.response.start", status=401)
DENIED: Final = send("websocket.http.response.body", body=b"no")
STARTUP: Final = receive("lifespan.startup")
SHUTDOWN: Final = receive("lifespan.shutdown")
UP: Final = send("lifespan.startup.complete")
DOWN: Final = send("lifespan.shutdown.complete")


class _File:
    def fileno(self) -> int:
        return 1


FILE: Final = _File()

RIGHT: Final[dict[str, tuple[Event, tuple[Step, ...]]]] = {
    "plain": (http(), (REQUEST, START, END, GONE, RETURN)),
    "answer without reading": (http(), (START, END, RETURN)),
    "start without headers": (
        http(),
        (send("http.response.start", status=204), END, RETURN),
    ),
    "headers as lists": (
        http(),
        (
            send("http.response.start", status=200, headers=([b"a", b"b"],)),
            END,
            RETURN,
        ),
    ),
    "body without body": (http(), (START, send("http.response.body"), RETURN)),
    "streams": (
        http(),
        (
            receive("http.request", body=b"a", more_body=True),
            START,
            MORE,
            receive("http.request"),
            MORE,
            END,
            RETURN,
        ),
    ),
    "client leaves before": (http(), (GONE, RETURN)),
    "client leaves meanwhile": (http(), (REQUEST, START, MORE, GONE, MORE, RETURN)),
    "raise": (http(), (REQUEST, START, RAISE)),
    "trailers": (
        http("http.response.trailers"),
        (
            TRAILING,
            MORE,
            END,
            send("http.response.trailers", headers=[], more_trailers=True),
            TRAILERS,
            RETURN,
        ),
    ),
    "extras": (
        http(*ALL_EXTENSIONS),
        (DEBUG, HINT, HINT, START, PUSH, MORE, PUSH, END, RETURN),
    ),
    "pathsend": (http(*ALL_EXTENSIONS), (START, PUSH, PATHSEND, RETURN)),
    "pathsend and trailers": (
        http(*ALL_EXTENSIONS),
        (TRAILING, PATHSEND, TRAILERS, RETURN),
    ),
    "zerocopy": (
        http(*ALL_EXTENSIONS),
        (
            START,
            MORE,
            send(
                "http.response.zerocopysend",
                file=FILE,
                offset=1,
                count=2,
                more_body=True,
            ),
            send("http.response.zerocopysend", file=FILE),
            RETURN,
        ),
    ),
    "custom extension": (http("my.thing"), (send("my.thing.now"), START, END, RETURN)),
    "unknown keys": (
        http(mine=1),
        (START, send("http.response.body", extra=1), RETURN),
    ),
    "echo": (
        websocket(),
        (CONNECT, ACCEPT, TEXT, SAY, CLOSE, LOST, RETURN),
    ),
    "bytes, and None for the other": (
        websocket(),
        (
            CONNECT,
            send("websocket.accept", subprotocol="a", headers=[(b"a", b"b")]),
            receive("websocket.receive", bytes=b"", text=None),
            send("websocket.send", text=None, bytes=b""),
            send("websocket.close", code=1000, reason=None),
            RETURN,
        ),
    ),
    "refuse": (websocket(), (CONNECT, CLOSE, LOST, RETURN)),
    "deny": (
        websocket("websocket.http.response"),
        (
            CONNECT,
            DENY,
            send("websocket.http.response.body", more_body=True),
            DENIED,
            RETURN,
        ),
    ),
    "leaves in the handshake": (websocket(), (CONNECT, LOST, RETURN)),
    "leaves while denied": (
        websocket("websocket.http.response"),
        (CONNECT, DENY, LOST, DENIED, RETURN),
    ),
    "send to one who left": (websocket(), (CONNECT, ACCEPT, LOST, SAY, CLOSE, RETURN)),
    "lifespan": (lifespan(), (STARTUP, UP, SHUTDOWN, DOWN, RETURN)),
    "lifespan fails": (
        lifespan(),
        (STARTUP, send("lifespan.startup.failed", message="no"), RETURN),
    ),
    "shutdown fails": (
        lifespan(),
        (STARTUP, UP, SHUTDOWN, send("lifespan.shutdown.failed"), RETURN),
    ),
    "no lifespan": (lifespan(), (RAISE,)),
    "startup raises": (lifespan(), (STARTUP, RAISE)),
    "another protocol": (
        {"type": "mine", "asgi": {"version": "3.0"}},
        (receive("mine.hello"), send("mine.hello"), RETURN),
    ),
}


@pytest.mark.parametrize("name", RIGHT)
@pytest.mark.parametrize("profile", Profile)
def test_right_conversations_pass(name: str, profile: Profile) -> None:
    """No profile finds anything in what the specification allows."""
    scope, steps = RIGHT[name]
    assert rules(scope, steps, profile) == []


WRONG: Final[dict[str, tuple[Event, tuple[Step, ...], list[str]]]] = {
    "body before start": (http(), (MORE, RETURN), ["http.body_before_start"]),
    "no response": (http(), (REQUEST, RETURN), ["http.no_response"]),
    "no body": (http(), (START, RETURN), ["http.missing_end"]),
    "no end": (http(), (START, MORE, RETURN), ["http.missing_end"]),
    "only debug": (http(*ALL_EXTENSIONS), (DEBUG, RETURN), ["http.no_response"]),
    "no body, announced": (
        http(*ALL_EXTENSIONS),
        (TRAILING, RETURN),
        ["http.missing_end"],
    ),
    "no answer, nothing read": (websocket(), (RETURN,), ["ws.unanswered"]),
    "no end, announced": (
        http(*ALL_EXTENSIONS),
        (TRAILING, MORE, RETURN),
        ["http.missing_end"],
    ),
    "no trailers": (
        http(*ALL_EXTENSIONS),
        (TRAILING, END, RETURN),
        ["http.missing_trailers"],
    ),
    "two starts": (http(), (START, START, END, RETURN), ["http.start_twice"]),
    "send after end": (http(), (START, END, MORE, RETURN), ["http.after_end"]),
    "start after end": (http(), (START, END, START, RETURN), ["http.after_end"]),
    "more_body taken for true": (
        http(),
        (START, send("http.response.body", body=b"a"), END, RETURN),
        ["http.after_end"],
    ),
    "str headers": (
        http(),
        (send("http.response.start", status=200, headers=[("a", "b")]), END, RETURN),
        ["headers.bytes", "headers.bytes"],
    ),
    "upper case": (
        http(),
        (send("http.response.start", status=200, headers=[(b"A", b"b")]), END, RETURN),
        ["resp.headers.lowercase"],
    ),
    "pseudo-header": (
        http(),
        (
            send("http.response.start", status=200, headers=[(b":status", b"b")]),
            END,
            RETURN,
        ),
        ["resp.headers.no_pseudo"],
    ),
    "three items": (
        http(),
        (
            send("http.response.start", status=200, headers=[(b"a", b"b", b"c")]),
            END,
            RETURN,
        ),
        ["headers.pairs"],
    ),
    "header is bytes": (
        http(),
        (send("http.response.start", status=200, headers=[b"ab"]), END, RETURN),
        ["headers.pairs"],
    ),
    "headers as dict": (
        http(),
        (send("http.response.start", status=200, headers={b"a": b"b"}), END, RETURN),
        ["headers.pairs"],
    ),
    "headers as int": (
        http(),
        (send("http.response.start", status=200, headers=1), END, RETURN),
        ["headers.pairs"],
    ),
    "status as str": (
        http(),
        (send("http.response.start", status="200"), END, RETURN),
        ["value.type"],
    ),
    "status as bool": (
        http(),
        (send("http.response.start", status=True), END, RETURN),
        ["value.type"],
    ),
    "no status": (
        http(),
        (send("http.response.start"), END, RETURN),
        ["value.missing"],
    ),
    "body as str": (
        http(),
        (START, send("http.response.body", body="x"), RETURN),
        ["value.type"],
    ),
    "body as None": (
        http(),
        (START, send("http.response.body", body=None), RETURN),
        ["value.none"],
    ),
    "more_body as int": (
        http(),
        (START, send("http.response.body", more_body=1), END, RETURN),
        ["value.type"],
    ),
    "keys of int": (
        http(),
        (START, ("send", {"type": "http.response.body", 1: 2}), RETURN),
        ["value.keys"],
    ),
    "trailers not announced": (
        http(*ALL_EXTENSIONS),
        (START, MORE, TRAILERS, END, RETURN),
        ["trailers.announce"],
    ),
    "trailers before the end": (
        http(*ALL_EXTENSIONS),
        (TRAILING, MORE, TRAILERS, END, TRAILERS, RETURN),
        ["trailers.after_body"],
    ),
    "trailers announced, not offered": (
        http(),
        (TRAILING, MORE, GONE, RETURN),
        ["ext.gate"],
    ),
    "body after trailers": (
        http(*ALL_EXTENSIONS),
        (TRAILING, END, END, TRAILERS, RETURN),
        ["http.after_end"],
    ),
    "pathsend after body": (
        http(*ALL_EXTENSIONS),
        (START, MORE, PATHSEND, END, RETURN),
        ["pathsend.no_mix"],
    ),
    "body after pathsend": (
        http(*ALL_EXTENSIONS),
        (START, PATHSEND, END, RETURN),
        ["http.after_end"],
    ),
    "relative pathsend": (
        http(*ALL_EXTENSIONS),
        (START, send("http.response.pathsend", path="x"), RETURN),
        ["pathsend.absolute"],
    ),
    "pathsend of bytes": (
        http(*ALL_EXTENSIONS),
        (START, send("http.response.pathsend", path=b"/x"), RETURN),
        ["value.type"],
    ),
    "early hint after start": (
        http(*ALL_EXTENSIONS),
        (START, HINT, END, RETURN),
        ["early_hint.window"],
    ),
    "early hint as str": (
        http(*ALL_EXTENSIONS),
        (send("http.response.early_hint", links=["x", b"y"]), START, END, RETURN),
        ["value.type"],
    ),
    "early hint is bytes": (
        http(*ALL_EXTENSIONS),
        (send("http.response.early_hint", links=b"x"), START, END, RETURN),
        ["value.type"],
    ),
    "push not offered": (http(), (START, PUSH, END, RETURN), ["ext.gate"]),
    "push before start": (
        http(*ALL_EXTENSIONS),
        (PUSH, START, END, RETURN),
        ["http.body_before_start"],
    ),
    "push after the last body": (
        http(*ALL_EXTENSIONS),
        (TRAILING, END, PUSH, TRAILERS, RETURN),
        ["push.window"],
    ),
    "two debugs": (
        http(*ALL_EXTENSIONS),
        (DEBUG, DEBUG, START, END, RETURN),
        ["debug.once_before_start"],
    ),
    "debug after start": (
        http(*ALL_EXTENSIONS),
        (START, DEBUG, END, RETURN),
        ["debug.once_before_start"],
    ),
    "debug without dict": (
        http(*ALL_EXTENSIONS),
        (send("http.response.debug", info=[]), START, END, RETURN),
        ["value.type"],
    ),
    "zerocopy of no file": (
        http(*ALL_EXTENSIONS),
        (START, send("http.response.zerocopysend", file=b"x"), RETURN),
        ["value.type"],
    ),
    "too large": (
        http(*ALL_EXTENSIONS),
        (
            START,
            send("http.response.zerocopysend", file=FILE, offset=1 << 63),
            RETURN,
        ),
        ["value.int_range"],
    ),
    "unknown event": (
        http(),
        (send("http.response.nothing"), START, END, RETURN),
        ["event.unknown_type"],
    ),
    "event of another protocol": (
        http(),
        (ACCEPT, START, END, RETURN),
        ["event.foreign"],
    ),
    "sends what it should receive": (
        http(),
        (send("http.request"), START, END, RETURN),
        ["event.direction"],
    ),
    "not a dict": (
        http(),
        (("send", ["type"]), START, END, RETURN),
        ["event.is_dict"],
    ),
    "no type": (http(), (("send", {}), START, END, RETURN), ["event.is_dict"]),
    "type is no str": (
        http(),
        (("send", {"type": 1}), START, END, RETURN),
        ["event.is_dict"],
    ),
    "request after its end": (
        http(),
        (REQUEST, REQUEST, START, END, RETURN),
        ["request.after_end"],
    ),
    "request after disconnect": (
        http(),
        (GONE, REQUEST, RETURN),
        ["request.after_disconnect"],
    ),
    "two disconnects": (http(), (GONE, GONE, RETURN), ["disconnect.repeated"]),
    "http event on a websocket": (
        websocket(),
        (CONNECT, START, ACCEPT, CLOSE, RETURN),
        ["event.foreign"],
    ),
    "text and bytes": (
        websocket(),
        (CONNECT, ACCEPT, send("websocket.send", text="", bytes=b""), CLOSE, RETURN),
        ["ws.exactly_one"],
    ),
    "neither text nor bytes": (
        websocket(),
        (CONNECT, ACCEPT, receive("websocket.receive", text=None), CLOSE, RETURN),
        ["ws.exactly_one"],
    ),
    "text of bytes": (
        websocket(),
        (CONNECT, ACCEPT, send("websocket.send", text=b""), CLOSE, RETURN),
        ["value.type"],
    ),
    "accept twice": (
        websocket(),
        (CONNECT, ACCEPT, ACCEPT, CLOSE, RETURN),
        ["ws.accept_twice"],
    ),
    "no answer": (websocket(), (CONNECT, RETURN), ["ws.unanswered"]),
    "send before accept": (
        websocket(),
        (CONNECT, SAY, ACCEPT, CLOSE, RETURN),
        ["connect.reply"],
    ),
    "message before accept": (
        websocket(),
        (CONNECT, TEXT, ACCEPT, CLOSE, RETURN),
        ["connect.reply"],
    ),
    "message before connect": (
        websocket(),
        (TEXT, CONNECT, ACCEPT, CLOSE, RETURN),
        ["ws.connect_first"],
    ),
    "send before connect": (
        websocket(),
        (SAY, CONNECT, ACCEPT, CLOSE, RETURN),
        ["ws.connect_first"],
    ),
    "connect twice": (
        websocket(),
        (CONNECT, CONNECT, ACCEPT, CLOSE, RETURN),
        ["ws.connect_twice"],
    ),
    "send after close": (
        websocket(),
        (CONNECT, ACCEPT, CLOSE, SAY, RETURN),
        ["ws.after_close"],
    ),
    "accept after refusal": (
        websocket(),
        (CONNECT, CLOSE, ACCEPT, RETURN),
        ["ws.after_close"],
    ),
    "message after close": (
        websocket(),
        (CONNECT, ACCEPT, CLOSE, TEXT, RETURN),
        ["ws.receive_after_close"],
    ),
    "message after disconnect": (
        websocket(),
        (CONNECT, ACCEPT, LOST, TEXT, RETURN),
        ["ws.after_disconnect"],
    ),
    "denial not offered": (
        websocket(),
        (CONNECT, DENY, DENIED, RETURN),
        ["ext.gate"] * 2,
    ),
    "denial after accept": (
        websocket("websocket.http.response"),
        (CONNECT, ACCEPT, DENY, CLOSE, RETURN),
        ["denial.after_connect"],
    ),
    "denial without start": (
        websocket("websocket.http.response"),
        (CONNECT, DENIED, ACCEPT, CLOSE, RETURN),
        ["http.body_before_start"],
    ),
    "accept while denied": (
        websocket("websocket.http.response"),
        (CONNECT, DENY, ACCEPT, DENIED, RETURN),
        ["denial.exclusive"],
    ),
    "close after denial": (
        websocket("websocket.http.response"),
        (CONNECT, DENY, DENIED, CLOSE, RETURN),
        ["denial.exclusive"],
    ),
    "denial without end": (
        websocket("websocket.http.response"),
        (CONNECT, DENY, RETURN),
        ["denial.missing_end"],
    ),
    "subprotocol as header": (
        websocket(),
        (
            CONNECT,
            send("websocket.accept", headers=[(b"sec-websocket-protocol", b"a")]),
            CLOSE,
            RETURN,
        ),
        ["accept.no_subprotocol_header"],
    ),
    "headers of 2.1 for 2.0": (
        websocket(asgi={"version": "3.0"}),
        (CONNECT, send("websocket.accept", headers=[(b"a", b"b")]), CLOSE, RETURN),
        ["version.gate"],
    ),
    "reason of 2.3 for 2.2": (
        websocket(asgi={"version": "3.0", "spec_version": "2.2"}),
        (CONNECT, send("websocket.close", reason="no"), RETURN),
        ["version.gate"],
    ),
    "lifespan left": (lifespan(), (STARTUP, RETURN), ["lifespan.unanswered"]),
    "lifespan ignored": (lifespan(), (RETURN,), ["lifespan.unanswered"]),
    "shutdown left": (
        lifespan(),
        (STARTUP, UP, SHUTDOWN, RETURN),
        ["lifespan.unanswered"],
    ),
    "complete before startup": (
        lifespan(),
        (UP, STARTUP, UP, SHUTDOWN, DOWN, RETURN),
        ["lifespan.startup_unasked"],
    ),
    "complete twice": (
        lifespan(),
        (STARTUP, UP, UP, SHUTDOWN, DOWN, RETURN),
        ["lifespan.startup_unasked"],
    ),
    "shutdown complete too early": (
        lifespan(),
        (STARTUP, UP, DOWN, SHUTDOWN, DOWN, RETURN),
        ["lifespan.shutdown_unasked"],
    ),
    "shutdown before startup": (
        lifespan(),
        (SHUTDOWN, STARTUP, UP, SHUTDOWN, DOWN, RETURN),
        ["lifespan.shutdown_early"],
    ),
    "startup twice": (
        lifespan(),
        (STARTUP, STARTUP, UP, SHUTDOWN, DOWN, RETURN),
        ["lifespan.startup_first"],
    ),
    "failed of 2.0 for 1.0": (
        lifespan(asgi={"version": "3.0"}),
        (STARTUP, send("lifespan.startup.failed"), RETURN),
        ["version.gate"],
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_mistakes_are_found(name: str) -> None:
    """Each mistake breaks its rule, and no other one follows from it."""
    scope, steps, expected = WRONG[name]
    assert rules(scope, steps) == expected


STRICT: Final[dict[str, tuple[Event, tuple[Step, ...], list[str]]]] = {
    "None for subprotocol": (
        websocket(),
        (CONNECT, send("websocket.accept", subprotocol=None), CLOSE, RETURN),
        ["value.none_unstated"],
    ),
    "left open": (websocket(), (CONNECT, ACCEPT, RETURN), ["ws.left_open"]),
    "close before connect": (
        websocket(),
        (CLOSE, RETURN),
        ["ws.reply_before_connect"],
    ),
    "accept before connect": (
        websocket(),
        (ACCEPT, CONNECT, CLOSE, RETURN),
        ["ws.reply_before_connect"],
    ),
    "denial before connect": (
        websocket("websocket.http.response"),
        (DENY, RAISE),
        ["ws.reply_before_connect"],
    ),
    "close twice": (
        websocket(),
        (CONNECT, ACCEPT, CLOSE, CLOSE, RETURN),
        ["ws.close_twice"],
    ),
    "denial with trailers": (
        websocket("websocket.http.response"),
        (
            CONNECT,
            send("websocket.http.response.start", status=401, trailers=True),
            DENIED,
            RETURN,
        ),
        ["denial.trailers"],
    ),
    "left early": (lifespan(), (STARTUP, UP, RETURN), ["lifespan.left_early"]),
    "four digits": (
        http(),
        (send("http.response.start", status=1000), END, RETURN),
        ["status.digits"],
    ),
    "own event from the server": (
        http(),
        (receive("my.thing"), START, END, RETURN),
        ["event.custom_types"],
    ),
    "events of a known protocol in an unknown one": (
        {"type": "mine", "asgi": {"version": "3.0"}},
        (START, RETURN),
        ["event.namespace"],
    ),
}


@pytest.mark.parametrize("name", STRICT)
def test_strict_finds_more(name: str) -> None:
    """What the text does not settle is found by the strictest profile only."""
    scope, steps, expected = STRICT[name]
    assert rules(scope, steps, Profile.STRICT) == expected
    assert rules(scope, steps, Profile.SPEC) == []


@pytest.mark.parametrize(
    "name",
    ["upper case", "two disconnects", "message after close", "relative pathsend"],
)
def test_practice_tolerates_what_servers_do(name: str) -> None:
    """What real servers accept or do themselves is no violation in practice."""
    scope, steps, expected = WRONG[name]
    assert expected
    assert rules(scope, steps, Profile.PRACTICE) == []


def test_send_on_a_closed_connection_has_to_raise_since_2_4() -> None:
    """The strictest profile blames servers that return; older ones may."""
    for version, expected in (("2.4", ["send.after_close.www"]), ("2.3", [])):
        scope = http(asgi={"version": "3.0", "spec_version": version})
        conversation, _ = open_conversation(scope, Profile.STRICT)
        assert conversation.received({"type": "http.disconnect"}) == ()
        assert conversation.is_closed
        found = [violation.rule.name for violation in conversation.send_returned()]
        assert found == expected


def test_after_an_oserror_nothing_has_to_be_finished() -> None:
    """A connection is closed once send() has raised OSError, not otherwise."""
    for error, closes in ((RuntimeError(), False), (BrokenPipeError(), True)):
        conversation, _ = open_conversation(http())
        conversation.send_failed(error)
        assert conversation.is_closed is closes
        assert bool(conversation.returned()) is not closes


def test_violation_says_who_what_and_where() -> None:
    """The message has the side, the rule, what came, what would be right, a link."""
    conversation, _ = open_conversation(http())
    (violation,) = conversation.sent({"type": "http.response.body"})
    text = str(violation)
    assert text.startswith("application fault in http: the event 'http.response.body'")
    assert "comes in the state IDLE, where possible is: http.response.start" in text
    assert "http.response.start comes first" in text
    assert "[http.body_before_start, https://github.com/django/asgiref/blob/" in text
    assert violation.source.endswith("/specs/www.rst#L179-L215")
    assert violation.as_dict()["rule"] == "http.body_before_start"
    assert violation.as_dict()["source"] == violation.source


def test_violation_may_point_at_an_issue() -> None:
    """Rules that changed after the text was read name the change."""
    scope, steps, _ = WRONG["early hint after start"]
    conversation, _ = open_conversation(scope)
    found = [violation for step in steps for violation in take(conversation, step)]
    assert found[0].source == "https://github.com/django/asgiref/pull/579"
