"""Checking whole applications: the classic mistakes are found."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any, Final
from xml.etree import ElementTree as ET

import pytest

from asgibridge.adapters import (
    CheckReport,
    Profile,
    check_app,
    report_as_json,
    report_as_junit,
    report_as_text,
)
from asgibridge.types import ASGIApp

Event = dict[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]
Handler = Callable[[Event, Receive, Send], Awaitable[None]]


async def lifespan(_scope: Event, receive: Receive, send: Send) -> None:
    """Do it right."""
    await receive()
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await send({"type": "lifespan.shutdown.complete"})


async def http(_scope: Event, receive: Receive, send: Send) -> None:
    """Do it right: read all, answer in two pieces."""
    while (await receive()).get("more_body"):
        pass
    await send(START)
    await send(MORE)
    await send(END)


async def websocket(_scope: Event, receive: Receive, send: Send) -> None:
    """Do it right: echo."""
    await receive()
    await send({"type": "websocket.accept"})
    while (event := await receive())["type"] == "websocket.receive":
        del event["type"]
        await send({"type": "websocket.send"} | event)


START: Final[Event] = {"type": "http.response.start", "status": 200}
TRAILING: Final[Event] = START | {"trailers": True}
MORE: Final[Event] = {"type": "http.response.body", "body": b"x", "more_body": True}
END: Final[Event] = {"type": "http.response.body", "body": b"x"}
ACCEPT: Final[Event] = {"type": "websocket.accept"}
CLOSE: Final[Event] = {"type": "websocket.close"}
TRAILERS: Final[Event] = {"type": "http.response.trailers", "headers": []}
PATHSEND: Final[Event] = {"type": "http.response.pathsend", "path": "/etc/hosts"}
HINT: Final[Event] = {"type": "http.response.early_hint", "links": []}
PUSH: Final[Event] = {"type": "http.response.push", "path": "/", "headers": []}
DEBUG: Final[Event] = {"type": "http.response.debug", "info": {}}


def application(**handlers: Handler) -> ASGIApp:
    """Return an application; what is not given is done right."""
    known: dict[str, Handler] = {
        "http": http,
        "websocket": websocket,
        "lifespan": lifespan,
    }

    async def app(scope: Event, receive: Receive, send: Send) -> None:
        await (known | handlers)[scope["type"]](scope, receive, send)

    return app


def says(*events: Event) -> Handler:
    """Return a handler that reads one event and sends *events*."""

    async def handler(_scope: Event, receive: Receive, send: Send) -> None:
        await receive()
        for event in events:
            await send(event)

    return handler


def check(app: ASGIApp, **options: Any) -> CheckReport:
    """Check *app*."""
    return asyncio.run(check_app(app, **{"timeout": 0.05} | options))


def start(**keys: object) -> Event:
    """Return the start of a response with other keys."""
    return START | keys


def test_right_application_is_clean() -> None:
    """Nothing is found, whatever the profile, in any conversation."""
    report = check(application(), profile=Profile.PRACTICE)
    assert report.is_clean
    report = check(application())
    assert report.violations == ()
    assert report.is_clean
    names = [outcome.name for outcome in report.outcomes]
    assert names[0] == "lifespan"
    assert len(names) == len(set(names)) == 18
    assert not any(outcome.is_cut for outcome in report.outcomes)


MISTAKES: Final[dict[str, tuple[dict[str, Handler], str]]] = {
    "str headers": (
        {"http": says(start(headers=[("a", "b")]), END)},
        "headers.bytes",
    ),
    "upper-case names": (
        {"http": says(start(headers=[(b"Content-Type", b"b")]), END)},
        "resp.headers.lowercase",
    ),
    "body before start": ({"http": says(END)}, "http.body_before_start"),
    "missing end": ({"http": says(START, MORE)}, "http.missing_end"),
    "no response": ({"http": says()}, "http.no_response"),
    "send after end": ({"http": says(START, END, MORE)}, "http.after_end"),
    "two starts": ({"http": says(START, START, END)}, "http.start_twice"),
    "http event on a websocket": (
        {"websocket": says(START, END)},
        "event.foreign",
    ),
    "text and bytes together": (
        {
            "websocket": says(
                ACCEPT, {"type": "websocket.send", "text": "", "bytes": b""}, CLOSE
            )
        },
        "ws.exactly_one",
    ),
    "missing more_body treated as true": (
        {"http": says(START, {"type": "http.response.body", "body": b"a"}, END)},
        "http.after_end",
    ),
    "trailers not announced": (
        {"http": says(START, END, TRAILERS)},
        "http.after_end",
    ),
    "trailers not announced, in between": (
        {"http": says(START, MORE, TRAILERS, END)},
        "trailers.announce",
    ),
    "announced trailers not sent": (
        {"http": says(TRAILING, END)},
        "http.missing_trailers",
    ),
    "pathsend mixed with body": (
        {"http": says(START, MORE, PATHSEND, END)},
        "pathsend.no_mix",
    ),
    "early hint after start": (
        {"http": says(START, HINT, END)},
        "early_hint.window",
    ),
    "push without the extension": ({"http": says(START, PUSH, END)}, "ext.gate"),
    "debug twice": (
        {"http": says(DEBUG, DEBUG, START, END)},
        "debug.once_before_start",
    ),
    "accept twice": (
        {"websocket": says(ACCEPT, ACCEPT, CLOSE)},
        "ws.accept_twice",
    ),
    "websocket ending without an answer": (
        {"websocket": says()},
        "ws.unanswered",
    ),
    "denial without the extension": (
        {"websocket": says({"type": "websocket.http.response.start", "status": 401})},
        "ext.gate",
    ),
    "lifespan left unanswered": ({"lifespan": says()}, "lifespan.unanswered"),
    "no dict": ({"http": says(START, ["x"], END)}, "event.is_dict"),  # type: ignore[arg-type]
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistake_is_found(name: str) -> None:
    """Each is found, and is the application's fault."""
    handlers, rule = MISTAKES[name]
    report = check(application(**handlers))
    assert rule in {violation.rule.name for violation in report.violations}
    assert {violation.side for violation in report.violations} == {"application"}
    assert not report.is_clean


async def _waits_for_more(_scope: Event, receive: Receive, _send: Send) -> None:
    while True:
        await receive()


@pytest.mark.parametrize(
    ("protocol", "rule"),
    [("lifespan", "lifespan.unanswered"), ("websocket", "ws.unanswered")],
)
def test_waiting_for_ever_is_found(protocol: str, rule: str) -> None:
    """An application that never answers is ended; that it did not is found."""
    report = check(application(**{protocol: _waits_for_more}))
    assert {violation.rule.name for violation in report.violations} == {rule}
    cut = [outcome for outcome in report.outcomes if outcome.is_cut]
    assert {outcome.name.partition("-")[0] for outcome in cut} == {protocol}
    assert "ended because it took too long" in report_as_text(report)


def test_slow_response_is_no_violation() -> None:
    """A stream without end is ended when time is up, and is not judged."""

    async def stream(_scope: Event, _receive: Receive, send: Send) -> None:
        await send(START)
        await asyncio.Event().wait()

    report = check(application(http=stream))
    assert report.is_clean
    assert [outcome.name for outcome in report.outcomes if outcome.is_cut]


def test_stubborn_application_does_not_hang_the_check() -> None:
    """One that goes on after being cancelled is left behind after a while."""
    released = asyncio.Event()

    async def stubborn(_scope: Event, _receive: Receive, _send: Send) -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            await released.wait()

    async def main() -> CheckReport:
        report = await check_app(application(lifespan=stubborn), timeout=0.02)
        released.set()
        return report

    report = asyncio.run(main())
    assert [x.rule.name for x in report.violations] == ["lifespan.unanswered"]


def test_unknown_scope_has_to_be_refused_when_strict() -> None:
    """Returning as if all were well is what the text says one should not do."""

    async def ignore(_scope: Event, _receive: Receive, _send: Send) -> None:
        return None

    app = application(**{"asgibridge.unknown": ignore})
    assert check(app).is_clean
    strict = check(app, profile=Profile.STRICT)
    names = {violation.rule.name for violation in strict.violations}
    assert "scope.unknown_type" in names


def test_failed_startup_ends_the_check() -> None:
    """A server would exit: there are no further conversations."""
    failed = says({"type": "lifespan.startup.failed", "message": "no"})
    report = check(application(lifespan=failed))
    assert [outcome.name for outcome in report.outcomes] == ["lifespan"]
    assert report.is_clean


def test_requests_have_the_state_of_the_lifespan() -> None:
    """Each a copy; without a lifespan there is no state."""
    seen: list[object] = []

    async def fill(scope: Event, receive: Receive, send: Send) -> None:
        scope["state"]["db"] = "here"
        await lifespan(scope, receive, send)

    async def look(scope: Event, receive: Receive, send: Send) -> None:
        seen.append(dict(scope.get("state", {"no": "state"})))
        scope.get("state", {}).clear()
        await http(scope, receive, send)

    async def no_lifespan(_scope: Event, _receive: Receive, _send: Send) -> None:
        raise NotImplementedError

    assert check(application(lifespan=fill, http=look)).is_clean
    assert seen
    assert all(state == {"db": "here"} for state in seen)
    seen.clear()
    report = check(application(lifespan=no_lifespan, http=look))
    assert all(state == {"no": "state"} for state in seen)
    assert report.outcomes[0].raised == "NotImplementedError:"


def test_trailers_and_zerocopy_are_understood() -> None:
    """The server's side waits for trailers before it says that all is over."""
    seen: list[str] = []

    async def trail(scope: Event, receive: Receive, send: Send) -> None:
        if "http.response.trailers" not in scope["extensions"]:
            await http(scope, receive, send)
            return
        await receive()
        await send(TRAILING)
        await send(END)
        await send(TRAILERS | {"more_trailers": True})
        await send(TRAILERS)
        seen.append((await receive())["type"])

    assert check(application(http=trail)).is_clean
    assert seen == ["http.disconnect"]


def test_denial_is_understood() -> None:
    """A denial response ends the handshake."""
    seen: list[str] = []

    async def deny(scope: Event, receive: Receive, send: Send) -> None:
        await receive()
        if scope["extensions"]:
            await send({"type": "websocket.http.response.start", "status": 401})
            await send({"type": "websocket.http.response.body", "more_body": True})
            await send({"type": "websocket.http.response.body"})
        else:
            await send(CLOSE)
        seen.append((await receive())["type"])

    assert check(application(websocket=deny), profile=Profile.STRICT).is_clean
    assert set(seen) == {"websocket.disconnect"}


def _broken() -> CheckReport:
    return check(
        application(http=says(START, MORE)), target="my:app", path="/x", timeout=1.0
    )


def test_text_names_everything() -> None:
    """Each conversation has a line; violations have what is needed to mend them."""
    text = report_as_text(_broken())
    assert "FAIL http-get: a request without body" in text
    assert "ok   lifespan: startup before" in text
    assert "    http.missing_end: application fault" in text
    assert "      see:      https://github.com/django/asgiref/blob/" in text
    assert "(raised ClientGoneError: the client is gone)" in text
    assert text.endswith("violations in 18 conversations")
    assert report_as_text(check(application())).endswith(
        "application: no violations in 18 conversations"
    )


def test_json_has_everything() -> None:
    """The JSON is the report."""
    report = _broken()
    document = json.loads(report_as_json(report))
    assert document == report.as_dict()
    assert (document["target"], document["ok"]) == ("my:app", False)
    assert document["violations"] == len(report.violations)
    assert document["conversations"][1]["violations"][0]["rule"] == "http.missing_end"


def test_junit_is_what_ci_systems_read() -> None:
    """A test case per conversation, a failure per conversation with violations."""
    report = _broken()
    suite = ET.fromstring(report_as_junit(report))  # noqa: S314 - made here
    cases = suite.findall("testcase")
    assert [case.get("name") for case in cases] == [x.name for x in report.outcomes]
    failed = [case for case in cases if case.find("failure") is not None]
    assert suite.get("failures") == str(len(failed)) != "0"
    assert "http.missing_end" in (failed[0].findtext("failure") or "")
    assert suite.get("tests") == "18"


def test_known_deviations_are_noted_and_not_counted() -> None:
    """What a framework does to everybody is excused, but not when strict."""

    async def call(_self: object, scope: Event, receive: Receive, send: Send) -> None:
        events = (start(headers=[(b"Content-Type", b"a")]), END)
        await application(http=says(*events))(scope, receive, send)

    names = {"__call__": call, "__module__": "django.core.handlers.asgi"}
    handler = type("ASGIHandler", (), names)
    app = type("Mine", (handler,), {})()
    report = check(app)
    assert report.is_clean
    assert [x.rule.name for x in report.outcomes[1].excused] == [
        "resp.headers.lowercase"
    ]
    note = "    note: resp.headers.lowercase is broken by the framework itself"
    assert note in report_as_text(report)
    assert report.as_dict()["conversations"][1]["excused"]
    assert not check(app, profile=Profile.STRICT).is_clean
    assert not check(application(http=says(*_CAPITALS))).is_clean


_CAPITALS: Final = (start(headers=[(b"Content-Type", b"a")]), END)
