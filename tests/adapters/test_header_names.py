"""What may stand in the head of a response."""

import pytest
from hypothesis import given, strategies as st

from asgibridge.adapters._header_names import (
    ResponseHeaderNames,
    StatusCodes,
    header_value,
)
from asgibridge.errors import WsgiHeaderError


@pytest.mark.parametrize(
    ("status", "code"), [("200 OK", 200), ("200", 200), ("404 ", 404), ("599 é", 599)]
)
def test_a_status_is_three_digits_and_maybe_a_reason(status: str, code: int) -> None:
    """The reason may be missing."""
    codes = StatusCodes()
    assert codes[status] == code
    assert codes[status] == code  # remembered


@pytest.mark.parametrize(
    "status",
    [
        "",
        "OK",
        "20",
        "2000 OK",
        "100 Continue",
        "099 x",
        "200OK",
        "\uff12\uff10\uff10 OK",
        "200 a\rb",
    ],
)
def test_any_other_status_is_refused(status: str) -> None:
    """Interim responses are the server's; a line end would begin a header."""
    with pytest.raises(WsgiHeaderError, match="not of the form"):
        StatusCodes()[status]


def test_a_status_that_is_no_text_is_refused() -> None:
    """An int is a common mistake."""
    with pytest.raises(WsgiHeaderError, match="is int, not str"):
        StatusCodes()[200]  # type: ignore[index] # the mistake


def test_names_are_sent_in_lower_case() -> None:
    """As ASGI asks; each is checked once."""
    names = ResponseHeaderNames()
    assert names["X-Some_Name"] == b"x-some_name"
    assert dict(names) == {"X-Some_Name": b"x-some_name"}
    assert names["X-Some_Name"] == b"x-some_name"


@pytest.mark.parametrize("name", ["", "X A", "X:A", "X\rA", "X\nA", "X\0A", "é", "X(A"])
def test_names_that_are_no_tokens_are_refused(name: str) -> None:
    """They could end the header early, or begin another."""
    names = ResponseHeaderNames()
    with pytest.raises(WsgiHeaderError, match="not a token"):
        names[name]
    assert not names


@pytest.mark.parametrize("name", ["Connection", "transfer-encoding", "UPGRADE", "TE"])
def test_headers_of_the_connection_are_refused(name: str) -> None:
    """They are the server's."""
    with pytest.raises(WsgiHeaderError, match="belongs to the connection"):
        ResponseHeaderNames()[name]


def test_a_name_that_is_no_text_is_refused() -> None:
    """Bytes are a common mistake."""
    with pytest.raises(WsgiHeaderError, match="is bytes, not str"):
        ResponseHeaderNames()[b"X-A"]  # type: ignore[index] # the mistake


def test_the_memory_for_names_and_statuses_is_bounded() -> None:
    """An application that makes names up does not fill it."""
    names = ResponseHeaderNames()
    for number in range(2000):
        assert names[f"X-{number}"] == b"x-%d" % number
        assert names.status_codes[f"200 {number}"] == 200
    assert names["X-" + "a" * 100]
    assert len(names) == len(names.status_codes) == 1024
    assert names.status_codes["200 " + "a" * 100] == 200


@pytest.mark.parametrize("end", ["\r", "\n", "\0", "\r\nSet-Cookie: a=b"])
def test_values_that_end_the_line_are_refused(end: str) -> None:
    """Response splitting."""
    with pytest.raises(WsgiHeaderError, match="line end or NUL"):
        header_value("X-A", f"a{end}")


def test_values_that_cannot_be_sent_are_refused() -> None:
    """Only latin-1 has a place on the wire."""
    with pytest.raises(WsgiHeaderError, match="latin-1"):
        header_value("X-A", "€")
    with pytest.raises(WsgiHeaderError, match="is int, not str"):
        header_value("X-A", 5)


@given(st.text(st.characters(codec="latin-1", exclude_characters="\r\n\0")))
def test_any_other_latin_1_value_is_sent(value: str) -> None:
    """Without the blanks around it, which do not belong to it."""
    assert header_value("X-A", value).decode("latin-1") == value.strip(" \t")
