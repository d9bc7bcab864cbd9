"""The scope that an ASGI application gets under a WSGI server."""

from typing import Any
from wsgiref.util import setup_testing_defaults

import pytest
from hypothesis import given, strategies as st

from asgibridge.adapters import WsgiLimits
from asgibridge.adapters._environ import EnvironBuilder
from asgibridge.adapters._scope import (
    HeaderVariables,
    body_length,
    http_scope as build_scope,
)


def environ_with(**changes: Any) -> dict[str, Any]:
    environ: dict[str, Any] = {}
    setup_testing_defaults(environ)
    environ.update(changes)
    return environ


def http_scope(environ: dict[str, Any], state: dict[str, Any] | None) -> Any:
    return build_scope(environ, state, HeaderVariables())


def test_every_key_of_the_specification_is_there() -> None:
    """With the types that it names."""
    environ = environ_with(
        REQUEST_METHOD="post",
        SCRIPT_NAME="/app",
        PATH_INFO="/\xc3\xa9",
        QUERY_STRING="a=%20\xe9",
        SERVER_PROTOCOL="HTTP/2.0",
        SERVER_NAME="a.example",
        SERVER_PORT="8000",
        REMOTE_ADDR="192.0.2.1",
        REMOTE_PORT="99",
        CONTENT_TYPE="text/plain",
        CONTENT_LENGTH="3",
        HTTP_X_SOME_NAME="\xe9",
        HTTP_HOST="a.example",
    )
    scope = http_scope(environ, {"pool": 1})
    assert scope == {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.5"},
        "http_version": "2",
        "method": "POST",
        "scheme": "http",
        "path": "/app/é",
        "raw_path": b"/app/%C3%A9",
        "query_string": b"a=%20\xe9",
        "root_path": "/app",
        "headers": scope["headers"],
        "client": ("192.0.2.1", 99),
        "server": ("a.example", 8000),
        "state": {"pool": 1},
        "wsgi.environ": environ,
    }
    assert sorted(scope["headers"]) == [
        (b"content-length", b"3"),
        (b"content-type", b"text/plain"),
        (b"host", b"a.example"),
        (b"x-some-name", b"\xe9"),
    ]


def test_what_is_not_known_is_left_out() -> None:
    """Empty headers that servers put in as a matter of form, above all."""
    environ = environ_with(CONTENT_TYPE="", CONTENT_LENGTH="", REMOTE_ADDR="")
    scope = http_scope(environ, None)
    assert scope["client"] is None
    assert "state" not in scope
    assert "extensions" not in scope
    assert [name for name, _ in scope["headers"]] == [b"host"]
    del environ["REMOTE_ADDR"]
    assert http_scope(environ, None)["client"] is None
    environ["REMOTE_ADDR"] = "192.0.2.1"
    assert http_scope(environ, None)["client"] == ("192.0.2.1", 0)


def test_the_state_is_copied_for_each_request() -> None:
    """What one request puts there no other sees."""
    state = {"pool": 1}
    http_scope(environ_with(), state)["state"]["mine"] = 2
    assert state == {"pool": 1}


@pytest.mark.parametrize(
    ("variables", "raw"),
    [
        ({"RAW_URI": "/%E9?x=1"}, b"/%E9"),
        ({"REQUEST_URI": "/%E9"}, b"/%E9"),
        ({"REQUEST_URI": "http://a.example/x"}, b"/\xe9"),
        ({}, b"/\xe9"),
    ],
)
def test_the_path_as_sent_is_told_if_the_server_tells(
    variables: dict[str, str], raw: bytes
) -> None:
    """Under either of the names that servers use."""
    scope = http_scope(environ_with(PATH_INFO="/\xe9", **variables), None)
    assert scope["raw_path"] == raw.replace(b"\xe9", b"%E9")
    assert scope["path"] == "/\N{REPLACEMENT CHARACTER}"


def test_a_header_with_an_underscore_is_no_content_length() -> None:
    """Servers that let it through make this variable of it; type and length have none."""
    environ = environ_with(
        CONTENT_LENGTH="3", HTTP_CONTENT_LENGTH="9", HTTP_CONTENT_TYPE="text/html"
    )
    headers = http_scope(environ, None)["headers"]
    assert [value for name, value in headers if name.startswith(b"content")] == [b"3"]


def test_names_are_made_once_and_no_client_can_fill_the_memory() -> None:
    """Neither with many names nor with long ones; all get through."""
    names = HeaderVariables()
    environ = environ_with(HTTP_X_A="1", **{"HTTP_" + "Y" * 100: "2"})
    first = build_scope(environ, None, names)["headers"]
    assert names["HTTP_X_A"] == b"x-a"
    assert build_scope(environ, None, names)["headers"] == first
    assert (b"y" * 100, b"2") in first
    assert "HTTP_" + "Y" * 100 not in names
    many = environ_with(**{f"HTTP_X_{number}": "" for number in range(2000)})
    assert (b"x-1999", b"") in build_scope(many, None, names)["headers"]
    assert len(names) == 1024


@pytest.mark.parametrize("port", ["", "x", "\u00b2", None])
def test_a_port_that_is_no_number_is_unknown(port: str | None) -> None:
    """A path of a unix socket has none, either."""
    environ = environ_with(REMOTE_ADDR="192.0.2.1", REMOTE_PORT=port)
    assert http_scope(environ, None)["client"] == ("192.0.2.1", 0)


@pytest.mark.parametrize(
    ("protocol", "version"),
    [("HTTP/1.0", "1.0"), ("HTTP/1.1", "1.1"), ("HTTP/2", "2"), ("HTTP/3.0", "3")],
)
def test_the_version_is_told_in_the_form_of_asgi(protocol: str, version: str) -> None:
    """Which leaves the zero away."""
    scope = http_scope(environ_with(SERVER_PROTOCOL=protocol), None)
    assert scope["http_version"] == version


def test_early_hints_are_offered_where_the_server_has_them() -> None:
    """As the ASGI extension."""
    scope = http_scope(environ_with(**{"wsgi.early_hints": print}), None)
    assert scope["extensions"] == {"http.response.early_hint": {}}


@pytest.mark.parametrize(
    ("variables", "length"),
    [
        ({"CONTENT_LENGTH": "12"}, 12),
        ({"CONTENT_LENGTH": ""}, 0),
        ({}, 0),
        ({"CONTENT_LENGTH": "x"}, 0),
        ({"wsgi.input_terminated": True}, None),
        ({"CONTENT_LENGTH": "12", "wsgi.input_terminated": True}, 12),
    ],
)
def test_no_more_of_the_body_is_read_than_may_be(
    variables: dict[str, Any], length: int | None
) -> None:
    """Reading on would block for ever under some servers."""
    assert body_length(variables) == length


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
VALUES = st.text(st.characters(codec="latin-1"), max_size=6).map(str.encode)


@given(
    path=TEXT.map("/".__add__),
    query=st.binary(max_size=8),
    headers=st.dictionaries(
        st.from_regex(rb"x-[a-z]{1,6}", fullmatch=True), st.binary(max_size=6)
    ),
    root=st.sampled_from(["", "/app", "/é"]),
)
def test_a_scope_survives_the_way_to_wsgi_and_back(
    path: str, query: bytes, headers: dict[bytes, bytes], root: str
) -> None:
    """What both interfaces can say arrives unchanged."""
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.5"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "https",
        "path": root + path,
        "raw_path": b"/x",
        "query_string": query,
        "root_path": root,
        "headers": sorted(headers.items()),
        "client": ("192.0.2.1", 99),
        "server": ("a.example", 8000),
    }
    environ = EnvironBuilder(limits=WsgiLimits()).build(dict(scope))
    back = dict(http_scope(environ, None))
    del back["wsgi.environ"]
    back["headers"].sort()
    assert back == scope
