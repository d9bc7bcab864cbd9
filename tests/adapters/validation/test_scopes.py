"""What servers do wrong in scopes."""

import itertools
from typing import Any, Final, NoReturn

import pytest

from asgibridge.adapters import Profile, open_conversation
from asgibridge.adapters._validation import _opening

from .test_conversation import http, lifespan, websocket

TLS: Final[dict[str, Any]] = {
    "server_cert": None,
    "client_cert_chain": ["pem"],
    "client_cert_name": "CN=a",
    "client_cert_error": None,
    "tls_version": 0x0304,
    "cipher_suite": 0x1301,
}


def secure(**changes: object) -> dict[str, Any]:
    """Return a scope with the TLS extension."""
    entry: dict[str, Any] = {k: v for k, v in (TLS | changes).items() if v is not ...}
    return http(scheme="https", extensions={"tls": entry})


def rules(scope: object, profile: Profile = Profile.SPEC) -> list[str]:
    """Return the names of the rules that *scope* breaks."""
    _, wrong = open_conversation(scope, profile)
    assert all(violation.side == "server" for violation in wrong)
    return [violation.rule.name for violation in wrong]


RIGHT: Final[tuple[dict[str, Any], ...]] = (
    http(),
    http(extensions=...),
    http(extensions={}),
    http(
        asgi={"version": "3.0"},
        scheme=...,
        raw_path=...,
        root_path=...,
        client=...,
        server=...,
    ),
    http(http_version="3", method="M-SEARCH", query_string=b"a=%20"),
    http(headers=[[b"host", b"a"]], client=["::1", 1], server=["/run/x", None]),
    http(headers=((b"a", b"b") for _ in "a"), client=iter(("a", 1))),
    http(headers=[(b"1", b"no letters")], root_path="/a", path="/a/b", state={"a": 1}),
    http(headers={(b"a", b"b"): 1}.keys()),
    websocket(),
    websocket(query_string=None, http_version=..., subprotocols=...),
    lifespan(),
    lifespan(asgi={"version": "3.0", "spec_version": "1.0"}),
    secure(),
    secure(client_cert_chain=..., client_cert_name=..., client_cert_error=...),
    secure(client_cert_chain=[], client_cert_name=None),
    {"type": "mine", "asgi": {"version": "3.0", "spec_version": "7.1"}},
)


@pytest.mark.parametrize("scope", RIGHT, ids=range(len(RIGHT)))
@pytest.mark.parametrize("profile", Profile)
def test_right_scopes_pass(scope: dict[str, Any], profile: Profile) -> None:
    """No profile finds anything in what the specification allows."""
    assert rules(scope, profile) == []


@pytest.mark.parametrize(
    "scope",
    [
        http(),
        http(extensions=...),
        http("http.response.trailers", scheme=..., root_path=..., raw_path=...),
        http(asgi={"version": "3.0"}, client=..., server=..., state={"a": 1}),
        http(headers=[(b"Host", b"a"), (b"1", b"no letters"), [b"a", b"b"]]),
        http(headers=((b"a", b"b") for _ in "a")),
        http(headers={b"a": b"b"}.items()),
        http(client=None, server=["/run/x", None], raw_path=None, root_path="/a"),
        http(client=["::1", 1], server=("/run/x", None), method="M-SEARCH"),
        http(asgi={}, http_version="3"),
        http(asgi={"version": "3.0", "spec_version": "2.9"}),
        secure(),
        secure(client_cert_chain=..., client_cert_name=..., client_cert_error=...),
        secure(client_cert_chain=(), client_cert_name=None, cipher_suite=None),
    ],
    ids=itertools.count(),
)
def test_right_scopes_cost_little(
    scope: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are recognised: none of them is examined rule by rule, which takes longer."""

    def examine(_scope: object) -> NoReturn:
        msg = "it was not recognised"
        raise AssertionError(msg)

    monkeypatch.setattr(_opening, "examine_scope", examine)
    assert rules(scope) == []


ODD_VERSIONS: Final[dict[Any, Any]] = {"version": "3.0", 1: 2}
ODD_SCOPE: Final[dict[Any, Any]] = dict(http())
ODD_SCOPE[1] = 2
WRONG: Final[tuple[tuple[object, list[str]], ...]] = (
    (None, ["scope.is_dict"]),
    ([("type", "http")], ["scope.is_dict"]),
    ({}, ["scope.is_dict"]),
    (http(type=b"http"), ["scope.is_dict"]),
    (http(asgi=...), ["scope.asgi"]),
    (http(asgi="3.0"), ["scope.asgi"]),
    (http(asgi={"version": 3}), ["value.type"]),
    (http(asgi=ODD_VERSIONS), ["value.keys"]),
    (http(asgi={"version": "3.0", "spec_version": "2"}), ["scope.spec_version"]),
    (http(http_version="1.2"), ["http_version.values"]),
    (http(http_version=1.1), ["value.type"]),
    (http(http_version=...), ["value.missing"]),
    (websocket(http_version="1.0"), ["http_version.values"]),
    (http(method="get"), ["method.upper"]),
    (http(method=...), ["value.missing"]),
    (http(scheme=""), ["scheme.nonempty"]),
    (http(path=b"/"), ["value.type"]),
    (http(path=None), ["value.none"]),
    (http(raw_path="/"), ["value.type"]),
    (http(query_string=""), ["value.type"]),
    (http(query_string=None), ["value.none"]),
    (http(headers=...), ["value.missing"]),
    (http(headers=[("host", "a")]), ["headers.bytes", "headers.bytes"]),
    (http(headers=[(b":path", b"/")]), ["scope.headers.no_pseudo"]),
    (http(headers=b"ab"), ["headers.pairs"]),
    (http(client=("a", "1")), ["pair.items"]),
    (http(client=("a", None)), ["pair.items"]),
    (http(client=("a", 1, 2)), ["pair.items"]),
    (http(client=(b"a", 1)), ["pair.items"]),
    (http(client="ab"), ["value.type"]),
    (http(server=("a", True)), ["pair.items"]),
    (http(state=[]), ["value.type"]),
    (http(state={1: 2}), ["value.keys"]),
    (http(extensions=["tls"]), ["value.type"]),
    (http(extensions={"tls": True}), ["ext.offer"]),
    (http(extensions={1: {}}), ["value.keys"]),
    (ODD_SCOPE, ["value.keys"]),
    (websocket(subprotocols="ab"), ["value.type"]),
    (websocket(subprotocols=[b"ab"]), ["value.type"]),
    (lifespan(state=None), ["value.none"]),
    (secure(server_cert=...), ["value.missing"]),
    (secure(client_cert_chain="pem"), ["value.type"]),
    (secure(client_cert_chain=[1]), ["value.type"]),
    (secure(client_cert_name=None), ["tls.name.needed"]),
    (secure(client_cert_error=""), ["tls.error.nonempty"]),
    (secure(cipher_suite=1 << 16), ["tls.cipher.encoding"]),
    (secure(tls_version=-1), ["tls.version.unsigned"]),
    (secure(tls_version="1.3"), ["value.type"]),
)


@pytest.mark.parametrize(("scope", "expected"), WRONG, ids=range(len(WRONG)))
def test_mistakes_are_found(scope: object, expected: list[str]) -> None:
    """Each mistake breaks its rule, and no other one."""
    assert rules(scope) == expected


STRICT: Final[tuple[tuple[dict[str, Any], str], ...]] = (
    (http(asgi={}), "scope.asgi_version"),
    (http(asgi={"version": "3.0", "spec_version": "2.6"}), "scope.spec_version_known"),
    (
        lifespan(asgi={"version": "3.0", "spec_version": "2.3"}),
        "scope.spec_version_known",
    ),
    (http(headers=[(b"Host", b"a")]), "scope.headers.lowercase"),
    (http(raw_path=None), "value.none_unstated"),
    (http(client=None), "value.none_unstated"),
    (http(root_path="/a"), "path.includes_root"),
    (http(server=("/run/x", None), asgi={"version": "3.0"}), "server.unix"),
    (http(extensions={"tls": TLS}), "tls.only_tls"),
)


@pytest.mark.parametrize(("scope", "expected"), STRICT, ids=[x for _, x in STRICT])
def test_strict_finds_more(scope: dict[str, Any], expected: str) -> None:
    """What the text only recommends is found by the strictest profile only."""
    assert rules(scope, Profile.STRICT) == [expected]
    assert rules(scope) == []


@pytest.mark.parametrize(
    "scope",
    [http(asgi=...), http(client=("a", "1")), http(http_version="1.2")],
)
def test_practice_tolerates_what_servers_do(scope: dict[str, Any]) -> None:
    """Test clients leave `asgi` out; a server has ports of str."""
    assert rules(scope)
    assert rules(scope, Profile.PRACTICE) == []


def test_protocol_of_a_scope_without_type_is_unknown() -> None:
    """Such a conversation is followed, too, but nothing is known about it."""
    conversation, _ = open_conversation({})
    assert conversation.protocol == "unknown"
    assert conversation.sent({"type": "x"}) == ()
    assert conversation.returned() == ()
    conversation.raised()
