"""The environ that a WSGI application gets."""

import io
import sys
import warnings
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any
from wsgiref.validate import check_environ  # type: ignore[attr-defined] # not in its stub

import pytest
from hypothesis import given, settings, strategies as st

from asgibridge.adapters import WsgiLimits
from asgibridge.adapters._environ import EnvironBuilder
from asgibridge.adapters._input import BodyInput
from asgibridge.adapters._request_headers import UnderscorePolicy
from asgibridge.errors import OptionValueError, RequestRefusedError

Headers = list[tuple[bytes, bytes]]


def http(**changes: Any) -> dict[str, Any]:
    scope: dict[str, Any] = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": "/",
        "raw_path": b"/",
        "query_string": b"",
        "root_path": "",
        "headers": [],
        "client": ("192.0.2.1", 1234),
        "server": ("198.51.100.1", 8000),
    }
    scope.update(changes)
    return {key: value for key, value in scope.items() if value is not ...}


def build(
    *,
    underscores: UnderscorePolicy = "drop",
    limits: WsgiLimits | None = None,
    **changes: Any,
) -> dict[str, Any]:
    builder = EnvironBuilder(limits=limits or WsgiLimits(), underscores=underscores)
    return builder.build(http(**changes))


def test_what_pep_3333_asks_for_is_there() -> None:
    """Checked by the standard library's validator, and by eye."""
    environ = build(
        method="POST",
        headers=[(b"Content-Type", b"text/plain"), (b"CONTENT-length", b"3")],
        query_string=b"a=%20",
    )
    assert type(environ) is dict
    environ["wsgi.input"] = BodyInput(lambda: b"", nullcontext())
    check_environ(environ)
    expected = {
        "REQUEST_METHOD": "POST",
        "SCRIPT_NAME": "",
        "PATH_INFO": "/",
        "QUERY_STRING": "a=%20",
        "REQUEST_URI": "/?a=%20",
        "RAW_URI": "/?a=%20",
        "CONTENT_TYPE": "text/plain",
        "CONTENT_LENGTH": "3",
        "SERVER_NAME": "198.51.100.1",
        "SERVER_PORT": "8000",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "192.0.2.1",
        "REMOTE_PORT": "1234",
        "wsgi.url_scheme": "http",
        "wsgi.version": (1, 0),
        "wsgi.input_terminated": True,
        "wsgi.run_once": False,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
    }
    assert {key: environ[key] for key in expected} == expected
    assert not [key for key in environ if key.startswith("HTTP_CONTENT")]


@pytest.mark.parametrize(
    ("changes", "name", "port"),
    [
        ({"server": None}, "localhost", "80"),
        ({"server": ...}, "localhost", "80"),
        ({"server": None, "scheme": "https"}, "localhost", "443"),
        ({"server": ("/run/app.sock", None)}, "localhost", "80"),
        ({"server": ("", 80)}, "localhost", "80"),
        ({"server": ["::1", 8000]}, "::1", "8000"),
        ({"server": ("127.0.0.1", "8000")}, "127.0.0.1", "8000"),
        ({"server": None, "headers": [(b"host", b"a.example:81")]}, "a.example", "81"),
        ({"server": None, "headers": [(b"host", b"a.example")]}, "a.example", "80"),
        ({"server": None, "headers": [(b"host", b"[::1]:81")]}, "::1", "81"),
        ({"server": None, "headers": [(b"host", b"[::1]")]}, "::1", "80"),
        ({"server": None, "headers": [(b"host", b"a:b")]}, "a", "80"),
        ({"server": None, "headers": [(b"host", b":81")]}, "localhost", "81"),
        ({"server": None, "headers": [(b"host", b"")]}, "localhost", "80"),
    ],
)
def test_the_server_always_has_a_name_and_a_port(
    changes: dict[str, Any], name: str, port: str
) -> None:
    """Also behind a unix socket; some servers give the port as text."""
    environ = build(**changes)
    assert (environ["SERVER_NAME"], environ["SERVER_PORT"]) == (name, port)


@pytest.mark.parametrize(
    ("client", "variables"),
    [
        (None, {}),
        (..., {}),
        (("", 0), {}),
        (("192.0.2.1", 0), {"REMOTE_ADDR": "192.0.2.1"}),
        (["::1", "5"], {"REMOTE_ADDR": "::1", "REMOTE_PORT": "5"}),
    ],
)
def test_what_is_not_known_of_the_client_is_left_out(
    client: object, variables: dict[str, str]
) -> None:
    """No variable is empty or made up."""
    environ = build(client=client)
    assert {key: environ[key] for key in environ if "REMOTE" in key} == variables


@pytest.mark.parametrize(
    ("given", "protocol"),
    [("1.0", "HTTP/1.0"), ("2", "HTTP/2"), ("3", "HTTP/3"), (..., "HTTP/1.1")],
)
def test_the_protocol_is_told(given: object, protocol: str) -> None:
    """As the server says it."""
    assert build(http_version=given)["SERVER_PROTOCOL"] == protocol


def test_a_missing_scheme_and_query_have_their_defaults() -> None:
    """As the specification has them."""
    environ = build(scheme=..., query_string=..., headers=..., raw_path=...)
    assert environ["wsgi.url_scheme"] == "http"
    assert environ["QUERY_STRING"] == ""
    assert environ["REQUEST_URI"] == "/"
    assert "HTTPS" not in environ
    assert build(scheme="https")["HTTPS"] == "on"


def test_a_query_keeps_its_bytes() -> None:
    """Each as one latin-1 character."""
    data = bytes(range(256))
    assert build(query_string=data)["QUERY_STRING"].encode("latin-1") == data


def test_errors_go_to_stderr_as_it_is_now(monkeypatch: pytest.MonkeyPatch) -> None:
    """Or where the caller says."""
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    assert build()["wsgi.errors"] is stream
    mine = io.StringIO()
    builder = EnvironBuilder(limits=WsgiLimits(), errors=mine)
    assert builder.build(http())["wsgi.errors"] is mine


def test_an_environ_is_its_request_s_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Changes stay with one request; the process's environment is not in it."""
    monkeypatch.setenv("ASGIBRIDGE_SECRET", "x")
    builder = EnvironBuilder(limits=WsgiLimits())
    scope = http(state={"pool": 1})
    first = builder.build(scope)
    first["wsgi.version"] = "changed"
    first["X"] = "y"
    second = builder.build(scope)
    assert second["wsgi.version"] == (1, 0)
    assert "X" not in second
    assert "ASGIBRIDGE_SECRET" not in second
    assert second["asgi.scope"] is scope
    assert second["asgi.state"] is scope["state"]
    assert "asgi.state" not in builder.build(http())


def test_tls_is_told_as_web_servers_tell_it() -> None:
    """Under the names of mod_ssl."""
    tls = {
        "server_cert": "S",
        "client_cert_chain": ["A", "B", "C"],
        "client_cert_name": "CN=a",
        "client_cert_error": None,
        "tls_version": 0x0304,
        "cipher_suite": 0x1301,
    }
    environ = build(extensions={"tls": tls})
    assert {k: v for k, v in environ.items() if "SSL" in k or k == "HTTPS"} == {
        "HTTPS": "on",
        "SSL_PROTOCOL": "TLSv1.3",
        "SSL_SERVER_CERT": "S",
        "SSL_CLIENT_CERT": "A",
        "SSL_CLIENT_CERT_CHAIN_0": "B",
        "SSL_CLIENT_CERT_CHAIN_1": "C",
        "SSL_CLIENT_S_DN": "CN=a",
        "SSL_CLIENT_VERIFY": "SUCCESS",
    }


@pytest.mark.parametrize(
    ("tls", "verify"),
    [
        ({}, "NONE"),
        ({"tls_version": None, "server_cert": None}, "NONE"),
        ({"tls_version": 0x9999, "client_cert_name": "CN=a"}, "SUCCESS"),
        (
            {"client_cert_error": "expired", "client_cert_name": "CN=a"},
            "FAILED:expired",
        ),
    ],
)
def test_an_application_can_tell_a_verified_client(
    tls: dict[str, Any], verify: str
) -> None:
    """From one without a certificate, and from one with a bad one."""
    environ = build(extensions={"tls": tls})
    assert environ["SSL_CLIENT_VERIFY"] == verify
    assert "SSL_PROTOCOL" not in environ


@pytest.mark.parametrize(
    ("value", "match"),
    [
        (b"", "not a number"),
        (b"-1", "not a number"),
        (b"+1", "not a number"),
        (b"1_0", "not a number"),
        (b"1, 1", "not a number"),
        ("\uff12".encode(), "not a number"),  # a fullwidth digit
        (b"9" * 19, "not a number"),
    ],
)
def test_a_length_that_is_no_number_is_refused(value: bytes, match: str) -> None:
    """400, and it says what was wrong."""
    with pytest.raises(RequestRefusedError, match=match) as caught:
        build(headers=[(b"content-length", value)])
    assert caught.value.status == 400


def test_a_body_that_is_announced_too_long_is_refused() -> None:
    """413, before anything of it is read."""
    limits = WsgiLimits(max_body_bytes=10)
    assert build(limits=limits, headers=[(b"content-length", b"10")])
    with pytest.raises(RequestRefusedError, match="11 bytes; 10 are allowed") as caught:
        build(limits=limits, headers=[(b"content-length", b"11")])
    assert caught.value.status == 413


TOKEN = st.text(
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_!#$%&'*+.^`|~",
    min_size=1,
    max_size=12,
).map(str.encode)
PATH = st.text(max_size=12).map("/".__add__) | st.text(max_size=3)
HOST = st.text("abc.:0123456789", max_size=5)
ADDRESS = st.none() | st.tuples(HOST, st.integers(0, 65535))
SCOPES = st.fixed_dictionaries(
    {
        "method": st.sampled_from(["GET", "POST", "OPTIONS", "PUT"]),
        "path": PATH | st.text(st.characters(), max_size=5),
        "headers": st.lists(
            st.tuples(TOKEN | st.binary(max_size=6), st.binary(max_size=6))
        ),
        "query_string": st.binary(max_size=8),
    },
    optional={
        "root_path": PATH,
        "raw_path": st.none() | st.binary(max_size=8),
        "http_version": st.sampled_from(["1.0", "1.1", "2", "3"]),
        "scheme": st.sampled_from(["http", "https"]),
        "client": ADDRESS,
        "server": ADDRESS | st.tuples(st.text(), st.none()),
    },
)


@settings(max_examples=300)
@given(SCOPES)
def test_whatever_a_client_sends_makes_a_valid_environ_or_a_refusal(
    changes: dict[str, Any],
) -> None:
    """No crash, and no header that the client did not send."""
    try:
        environ = build(**changes)
    except RequestRefusedError:
        return
    environ["wsgi.input"] = BodyInput(lambda: b"", nullcontext())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        check_environ(environ)
    sent = {
        b"HTTP_" + name.upper().replace(b"-", b"_")
        for name, _ in changes["headers"]
        if b"_" not in name
    }
    for key, value in environ.items():
        if key.startswith("HTTP_"):
            assert key.encode("latin-1") in sent
        if not key.startswith(("wsgi.", "asgi.")):
            assert isinstance(value, str)
            value.encode("latin-1")
    for key in ("REQUEST_METHOD", "SERVER_NAME", "SERVER_PORT", "SERVER_PROTOCOL"):
        assert environ[key]


def refused(headers: Headers, match: str, **limits: int) -> None:
    with pytest.raises(RequestRefusedError, match=match) as caught:
        build(headers=headers, limits=WsgiLimits(**limits))
    assert caught.value.status == 400


def test_repeated_headers_are_joined_in_order() -> None:
    """With commas; cookies, which HTTP/2 clients split, with semicolons."""
    environ = build(
        headers=[
            (b"x-a", b"1"),
            (b"cookie", b"a=1"),
            (b"X-A", b"2"),
            (b"Cookie", b"b=2"),
            (b"x-a", b"\xe9"),
        ]
    )
    assert environ["HTTP_X_A"] == "1,2,\xe9"
    assert environ["HTTP_COOKIE"] == "a=1; b=2"


@pytest.mark.parametrize("name", [b"content-length", b"host"])
def test_headers_that_must_be_single_are_refused_unless_equal(name: bytes) -> None:
    """Request smuggling."""
    assert build(headers=[(name, b"1"), (name.upper(), b"1")])
    refused([(name, b"1"), (name, b"1"), (name, b"2")], "with different values")


def test_names_with_underscores_cannot_pass_for_others() -> None:
    """A proxy that overwrites X-Real-Ip lets X_Real_Ip through."""
    headers = [(b"x_real_ip", b"spoofed"), (b"content_length", b"9")]
    assert not [key for key in build(headers=headers) if key.startswith("HTTP_")]
    assert "CONTENT_LENGTH" not in build(headers=headers)
    kept = build(headers=headers[:1], underscores="keep")
    assert kept["HTTP_X_REAL_IP"] == "spoofed"
    with pytest.raises(RequestRefusedError, match="'x_real_ip' has an underscore"):
        build(headers=headers, underscores="refuse")


def test_names_beyond_ascii_become_no_other_name() -> None:
    """str.upper() makes "SS" of "ß", and so another header's name."""
    environ = build(headers=[("x-wei\xdf".encode("latin-1"), b"1")])
    assert environ["HTTP_X_WEI\xdf"] == "1"


def test_there_may_be_only_so_many_headers() -> None:
    """In number, in bytes, and of one name."""
    refused(
        [(b"a", b""), (b"b", b""), (b"c", b"")], "more than 2 header", max_headers=2
    )
    refused([(b"a", b"12"), (b"b", b"3")], "more than 4 bytes", max_header_bytes=4)
    refused([(b"x-a", b"1")] * 3, "'X-A' is given 3 times; 2", max_header_repeats=2)
    assert build(headers=[(b"x-a", b"1")] * 200)["HTTP_X_A"].count("1") == 200


def test_fifty_thousand_headers_take_linear_time() -> None:
    """CVE-2025-14550: joining one by one takes the square.  Counted, not timed."""
    count, joined = 50_000, 0

    class Value(bytes):
        def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
            nonlocal joined
            joined += 1
            return super().decode(encoding, errors)

    limits = WsgiLimits(
        max_headers=count, max_header_bytes=10**7, max_header_repeats=count
    )
    environ = build(headers=[(b"x-a", Value(b"1234567890"))] * count, limits=limits)
    assert len(environ["HTTP_X_A"]) == count * 11 - 1
    assert joined == count


def test_no_client_can_fill_the_memory_with_header_names() -> None:
    """The names that are kept are few, short, and the common ones first."""
    builder = EnvironBuilder(limits=WsgiLimits(max_headers=5000))
    headers = [(b"x-%d" % i, b"") for i in range(3000)] + [(b"y" * 100, b"")]
    assert len(builder.build(http(headers=headers))) > 3000
    keys = builder._headers._keys
    assert len(keys) == 1024
    assert keys[b"accept"] == "HTTP_ACCEPT"
    assert b"y" * 100 not in keys


PATHS: list[tuple[dict[str, Any], str, str]] = [
    ({"path": "/a/b"}, "", "/a/b"),
    ({"path": ""}, "", "/"),
    ({"path": "*"}, "", "/*"),
    ({"path": "/é"}, "", "/\xc3\xa9"),
    ({"path": "/\udce9"}, "", "/\xe9"),
    ({"path": "/\ud800"}, "", "/\xed\xa0\x80"),
    ({"path": "/\N{REPLACEMENT CHARACTER}", "raw_path": b"/%E9"}, "", "/\xe9"),
    ({"path": "/\N{REPLACEMENT CHARACTER}", "raw_path": b"/%E9?q"}, "", "/\xe9"),
    ({"path": "/\N{REPLACEMENT CHARACTER}", "raw_path": b"/b"}, "", "/\xef\xbf\xbd"),
    ({"path": "/\N{REPLACEMENT CHARACTER}", "raw_path": ...}, "", "/\xef\xbf\xbd"),
    ({"path": "/app/x", "root_path": "/app"}, "/app", "/x"),
    ({"path": "/app/x", "root_path": "/app/"}, "/app", "/x"),
    ({"path": "/app/", "root_path": "/app"}, "/app", "/"),
    ({"path": "/app", "root_path": "/app"}, "/app", ""),
    ({"path": "/x", "root_path": "/app"}, "/app", "/x"),
    ({"path": "", "root_path": "/app"}, "/app", ""),
    ({"path": "/application", "root_path": "/app"}, "/app", "/application"),
    ({"path": "/x", "root_path": "/"}, "", "/x"),
    ({"path": "/app/x", "root_path": "app"}, "/app", "/x"),
    ({"path": "/é/x", "root_path": "/é"}, "/\xc3\xa9", "/x"),
    (
        {
            "path": "/a/\N{REPLACEMENT CHARACTER}",
            "root_path": "/a",
            "raw_path": b"/a/%E9",
        },
        "/a",
        "/\xe9",
    ),
    (
        {
            "path": "/\N{REPLACEMENT CHARACTER}",
            "root_path": "/a/",
            "raw_path": b"/a/%E9",
        },
        "/a",
        "/\xe9",
    ),
]


@pytest.mark.parametrize(("changes", "script", "info"), PATHS)
def test_paths_are_split_at_the_mount_point(
    changes: dict[str, Any], script: str, info: str
) -> None:
    """At a segment border, in UTF-8 bytes, whatever the server makes of them."""
    environ = build(**changes)
    assert (environ["SCRIPT_NAME"], environ["PATH_INFO"]) == (script, info)


@pytest.mark.parametrize(
    ("changes", "uri"),
    [
        ({"path": "/a b", "raw_path": b"/a%20b", "query_string": b"x"}, "/a%20b?x"),
        ({"path": "/a b", "raw_path": b"/a%20b?y", "query_string": b""}, "/a%20b"),
        ({"path": "/é b?", "raw_path": None}, "/%C3%A9%20b%3F"),
        ({"path": "*", "raw_path": b"*"}, "*"),
    ],
)
def test_the_target_is_told_as_the_client_sent_it(
    changes: dict[str, Any], uri: str
) -> None:
    """As far as the server tells; else as it would have to be sent."""
    environ = build(**changes)
    assert environ["REQUEST_URI"] == environ["RAW_URI"] == uri


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: WsgiLimits(read_ahead_bytes=0), "read_ahead_bytes .* at least 1, g"),
        (lambda: WsgiLimits(read_ahead_bytes=1024 * 1024 + 1), "at most 1048576, got"),
        (lambda: WsgiLimits(max_headers=0), "max_headers of WsgiLimits is at least 1"),
        (lambda: WsgiLimits(max_queued=0), "max_queued of WsgiLimits is at least 1"),
        (lambda: WsgiLimits(max_body_bytes=-1), "max_body_bytes .* at least 0, got -1"),
    ],
)
def test_limits_without_meaning_are_refused(
    make: Callable[[], object], message: str
) -> None:
    """Above all more than 1 MiB of read-ahead."""
    with pytest.raises(OptionValueError, match=message):
        make()
