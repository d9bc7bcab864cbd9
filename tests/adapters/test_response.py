"""The response of a WSGI application as ASGI events."""

import itertools
import sys
from typing import Any

import pytest
from hypothesis import given, strategies as st

from asgibridge.adapters._header_names import ResponseHeaderNames
from asgibridge.adapters._response import WsgiResponse
from asgibridge.adapters._transitions import TRANSITIONS, Move, State, Step
from asgibridge.errors import (
    ContentLengthError,
    WsgiBodyTypeError,
    WsgiHeaderError,
    WsgiProtocolError,
)

Events = list[Any]


def make(method: str = "GET") -> tuple[WsgiResponse, Events]:
    events: Events = []
    return WsgiResponse(events.append, method, ResponseHeaderNames()), events


def started(
    *headers: tuple[str, str], method: str = "GET", status: str = "200 OK"
) -> tuple[WsgiResponse, Events]:
    response, events = make(method)
    response.start(status, list(headers))
    return response, events


def bodies(events: Events) -> list[tuple[bytes, bool]]:
    return [(event["body"], event["more_body"]) for event in events[1:]]


def test_every_step_has_a_place_in_the_table() -> None:
    """What an application may do in any state is decided beforehand."""
    assert set(TRANSITIONS) == set(itertools.product(State, Step))


def test_the_table_never_goes_back_and_sends_an_end_only_once() -> None:
    """States only advance; DONE is reached by exactly what sends the last event."""
    for (state, _), move in TRANSITIONS.items():
        assert move.state >= state
        assert move.last == (move.state is State.DONE and state is not State.DONE)
        assert not (move.refusal and (move.starts or move.sends or move.reraises))


def test_blocks_in_an_open_response_take_the_move_of_the_table() -> None:
    """The shortcut for most blocks does what the table says."""
    move = TRANSITIONS[State.OPEN, Step.BLOCK]
    assert (move.state, move.sends, move.starts, move.last) == (
        State.OPEN,
        True,
        False,
        False,
    )
    response, events = started()
    response.block(b"a")
    response.block(b"b")
    assert response.state is State.OPEN
    assert bodies(events) == [(b"a", True), (b"b", True)]


@pytest.mark.parametrize("length", [None, "5"])
def test_a_whole_response_takes_the_move_of_the_table(length: str | None) -> None:
    """The shortcut for a result of one block does what the table says."""
    move = TRANSITIONS[State.HELD, Step.FILL]
    assert (move.state, move.sends, move.starts, move.last) == (
        State.DONE,
        True,
        True,
        True,
    )
    headers = [] if length is None else [("Content-Length", length)]
    response, events = started(*headers)
    response.whole(b"hello")
    assert response.state is State.DONE
    assert response.content_length == 0
    assert bodies(events) == [(b"hello", False)]


@pytest.mark.parametrize("step", [Step.START, Step.RESTART])
def test_a_start_that_the_table_does_not_refuse_leads_to_held(step: Step) -> None:
    """Which is why it is not looked up for a first start."""
    for state in State:
        move = TRANSITIONS[state, step]
        assert move.refusal or move.reraises or move.state is State.HELD
    assert TRANSITIONS[State.IDLE, step] == Move(State.HELD)


OPERATIONS = ("start", "restart", "block", "empty", "whole", "write", "end")


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("status", ["200 OK", "204 No Content"])
@pytest.mark.parametrize("length", [None, 0, 2, 3])
def test_no_order_of_calls_makes_an_ill_formed_response(
    method: str, status: str, length: int | None
) -> None:
    """Whatever is called in whatever order: start first and once, nothing after
    the last body event, which comes only with all that Content-Length promised.
    """
    for operations in itertools.product(OPERATIONS, repeat=4):
        response, events = make(method)
        headers = [] if length is None else [("Content-Length", str(length))]
        for operation in operations:
            perform(response, operation, status, headers)
        check_well_formed(events, bodiless=method == "HEAD" or status[:3] == "204")


def perform(
    response: WsgiResponse, operation: str, status: str, headers: list[tuple[str, str]]
) -> None:
    try:
        if operation == "start":
            response.start(status, headers)
        elif operation == "restart":
            try:
                raise LookupError  # for its exc_info
            except LookupError:
                response.start(status, headers, sys.exc_info())
        elif operation == "end":
            response.end()
        elif operation == "empty":
            response.block(b"")
        else:
            getattr(response, operation)(b"ab")
    except (WsgiProtocolError, LookupError):
        pass


def check_well_formed(events: Events, *, bodiless: bool) -> None:
    if not events:
        return
    start, *rest = events
    assert start["type"] == "http.response.start"
    assert rest
    assert all(event["type"] == "http.response.body" for event in rest)
    assert all(event["more_body"] for event in rest[:-1])
    sent = sum(len(event["body"]) for event in rest)
    promised = dict(start["headers"]).get(b"content-length")
    if bodiless:
        assert sent == 0
    elif promised is not None:
        assert sent <= int(promised)
        if not rest[-1]["more_body"]:
            assert sent == int(promised)


def test_hello_world_is_two_events_with_a_length() -> None:
    """The only block of a list tells its length."""
    response, events = started(("Content-Type", "text/plain"))
    response.whole(b"hello")
    assert events == [
        {
            "type": "http.response.start",
            "status": 200,
            "headers": [(b"content-type", b"text/plain"), (b"content-length", b"5")],
        },
        {"type": "http.response.body", "body": b"hello", "more_body": False},
    ]


def test_headers_are_held_until_the_first_block_that_is_not_empty() -> None:
    """An empty block sends nothing, so that the response can be replaced."""
    response, events = started()
    assert not response.block(b"")
    assert events == []
    assert not response.block(b"x")
    assert [event["type"] for event in events] == [
        "http.response.start",
        "http.response.body",
    ]


def test_an_end_without_any_block_tells_length_zero() -> None:
    """A client need not wait for the connection to close."""
    response, events = started()
    response.end()
    assert events[0]["headers"] == [(b"content-length", b"0")]
    assert bodies(events) == [(b"", False)]


@pytest.mark.parametrize(
    ("method", "status"),
    [("HEAD", "200 OK"), ("GET", "204 No Content"), ("GET", "304 Not Modified")],
)
def test_a_response_without_a_body_ends_at_the_first_block(
    method: str, status: str
) -> None:
    """HEAD, 204 and 304: the body is neither sent nor asked for, nor counted."""
    response, events = started(("Content-Length", "9"), method=method, status=status)
    assert response.block(b"nine char")
    assert bodies(events) == [(b"", False)]
    assert events[0]["headers"] == [(b"content-length", b"9")]
    assert not response.write(b"ignored")
    response.end()
    assert len(events) == 2


def test_no_length_is_made_up_for_a_response_without_a_body() -> None:
    """To HEAD, "0" would be a lie."""
    for data in (b"x", b""):
        response, events = started(method="HEAD")
        response.whole(data)
        assert events[0]["headers"] == []


def test_a_block_that_reaches_the_length_is_the_last() -> None:
    """No further event is needed, and no further block wanted."""
    response, events = started(("Content-Length", "3"))
    assert not response.block(b"ab")
    assert response.content_length == 1
    assert response.block(b"c")
    assert bodies(events) == [(b"ab", True), (b"c", False)]
    response.end()
    assert len(events) == 3


def test_a_body_that_is_too_long_is_cut() -> None:
    """Bytes beyond Content-Length would be read as the next response."""
    response, events = started(("Content-Length", "3"))
    assert response.block(b"abcdef")
    assert response.overrun
    assert bodies(events) == [(b"abc", False)]
    with pytest.raises(WsgiProtocolError, match="past the end"):
        response.block(b"g")


def test_write_beyond_the_length_sends_what_fits_and_raises() -> None:
    """PEP 3333 asks for the error."""
    response, events = started(("Content-Length", "3"))
    assert response.write(b"ab")
    assert not response.write(b"")
    with pytest.raises(ContentLengthError, match="past the end"):
        response.write(b"cd")
    assert bodies(events) == [(b"ab", True), (b"c", False)]


def test_a_body_that_is_too_short_is_never_complete() -> None:
    """Neither before nor after the headers are sent is there a last event."""
    response, events = started(("Content-Length", "3"))
    with pytest.raises(ContentLengthError, match="3 bytes before its Content-Length"):
        response.end()
    assert events == []
    response.block(b"a")
    with pytest.raises(ContentLengthError, match="2 bytes before its Content-Length"):
        response.end()
    assert bodies(events) == [(b"a", True)]


@pytest.mark.parametrize("data", ["text", bytearray(b"x"), None, 5])
def test_only_bytes_are_sent(data: object) -> None:
    """A str, above all, is refused and not encoded somehow."""
    for take in ("block", "whole", "write"):
        response, events = started()
        with pytest.raises(WsgiBodyTypeError, match=type(data).__name__):
            getattr(response, take)(data)
        assert events == []


def test_a_response_that_was_never_started_is_refused() -> None:
    """Blocks, files and the end all need start_response() before them."""
    response, events = make()
    assert not response.takes_file
    for act in (lambda: response.block(b"x"), response.end):
        with pytest.raises(WsgiProtocolError, match="without calling start_response"):
            act()
    assert events == []


def test_a_second_start_needs_exc_info() -> None:
    """Without, it is a mistake; with, it replaces what is not sent yet."""
    response, events = started(("X-A", "1"))
    with pytest.raises(WsgiProtocolError, match="second time without exc_info"):
        response.start("200 OK", [])
    try:
        raise LookupError  # for its exc_info
    except LookupError:
        response.start("500 Oops", [("X-B", "2")], sys.exc_info())
    response.whole(b"sorry")
    assert events[0]["status"] == 500
    assert events[0]["headers"] == [(b"x-b", b"2"), (b"content-length", b"5")]


def test_exc_info_is_raised_once_the_headers_are_sent() -> None:
    """With its own traceback, and no reference cycle through it."""
    response, _ = started()
    response.block(b"x")
    error = LookupError("too late")
    try:
        raise error
    except LookupError:
        info = sys.exc_info()
    with pytest.raises(LookupError) as caught:
        response.start("500 Oops", [], info)
    assert caught.value is error
    with pytest.raises(WsgiProtocolError, match="without an exception"):
        response.start("500 Oops", [], (None, None, None))


def test_a_refused_replacement_leaves_the_first_in_place() -> None:
    """A bad header in the error page does not lose the response."""
    response, events = started(("X-A", "1"))
    with pytest.raises(WsgiHeaderError):
        response.start("500 Oops", [("X B", "2")], (None, None, None))
    response.whole(b"")
    assert events[0]["status"] == 200


@pytest.mark.parametrize(
    ("headers", "match"),
    [
        ([("Content-Length", "1"), ("content-length", "2")], "differ: 1 and 2"),
        ([("Content-Length", "-1")], "not a number"),
        ([("Content-Length", "1 ,1")], "not a number"),
    ],
)
def test_a_length_that_makes_no_sense_is_refused(
    headers: list[tuple[str, str]], match: str
) -> None:
    """Two readers of it might see two different responses."""
    response, _ = make()
    with pytest.raises(ContentLengthError, match=match):
        response.start("200 OK", headers)
    assert response.state is State.IDLE


def test_equal_lengths_are_one() -> None:
    """They say the same."""
    response, events = started(("Content-Length", "1"), ("Content-Length", "1"))
    response.block(b"x")
    assert bodies(events) == [(b"x", False)]


def test_a_file_stands_for_the_whole_body() -> None:
    """It is sent after the headers, and is the end."""
    response, events = started(("Content-Length", "3"))
    assert response.takes_file
    response.send_file({"type": "http.response.pathsend", "path": "/x"})
    assert [event["type"] for event in events] == [
        "http.response.start",
        "http.response.pathsend",
    ]
    response.end()
    assert len(events) == 2


def test_early_hints_come_before_the_response_only() -> None:
    """Of the headers only Link has a place in them."""
    response, events = make()
    response.early_hints([("X-A", "1"), ("Link", "</a.css>; rel=preload")])
    response.early_hints([("X-A", "1")])
    response.start("200 OK", [])
    response.early_hints([("link", "</b.css>")])
    response.block(b"x")
    response.early_hints([("link", "</c.css>")])
    assert [event["links"] for event in events if "links" in event] == [
        [b"</a.css>; rel=preload"],
        [b"</b.css>"],
    ]


@given(st.lists(st.binary(max_size=5), max_size=6), st.integers(0, 12))
def test_what_is_sent_is_what_was_produced(blocks: list[bytes], length: int) -> None:
    """Blocks arrive in order and unchanged, up to Content-Length."""
    response, events = started(("Content-Length", str(length)))
    for block in blocks:
        if response.block(block):
            break
    sent = b"".join(event["body"] for event in events[1:])
    assert sent == b"".join(blocks)[:length]
