"""The tables of the validator are those of the fact table."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import pytest

from asgibridge.adapters import RULES
from asgibridge.adapters._validation._machines import (
    HTTP_RECEIVE,
    HTTP_SEND,
    LIFESPAN,
    VARIANT_KEYS,
    WEBSOCKET,
    Machine,
)
from asgibridge.adapters._validation._profiles import Profile
from asgibridge.adapters._validation._shapes import (
    EVENTS,
    SCOPE_KEYS,
    TLS_KEYS,
    VERSION_KEYS,
    Key,
)

FACTS: Final[dict[str, Any]] = json.loads(
    (Path(__file__).parents[2] / "data" / "asgi_facts.json").read_text()
)
ONE_FACT_STATE: Final = {
    "DEBUGGED": "IDLE",
    "SENDING": "STARTED",
    "STARTED_T": "STARTED",
    "SENDING_T": "STARTED",
}
"""The states that the fact table tells apart by guards only."""


def _keys(keys: Iterable[Key]) -> dict[str, tuple[bool, str]]:
    return {key.name: (key.required, key.none) for key in keys}


def _fact_keys(
    keys: Iterable[dict[str, Any]], *but: str
) -> dict[str, tuple[bool, str]]:
    return {
        key["name"]: (key["required"], key["none_value"])
        for key in keys
        if key["name"] not in but
    }


def _fact_events() -> list[dict[str, Any]]:
    events = FACTS["events"]
    return list(events.values()) if isinstance(events, dict) else events


def test_every_event_is_there() -> None:
    """There is a shape for each of the 24 events, and for nothing else."""
    assert set(EVENTS) == {event["type"] for event in _fact_events()}
    assert len(EVENTS) == 24


@pytest.mark.parametrize("event", _fact_events(), ids=lambda event: event["type"])
def test_event_has_the_keys_of_the_facts(event: dict[str, Any]) -> None:
    """Keys, whether they are required, None, direction and extension agree."""
    shape = EVENTS[event["type"]]
    assert _keys(shape.keys) == _fact_keys(event["keys"], "type")
    assert shape.direction == event["direction"]
    assert shape.protocol == event["scope"]
    assert shape.extension == event.get("extension")


@pytest.mark.parametrize("protocol", ["http", "websocket", "lifespan"])
def test_scope_has_the_keys_of_the_facts(protocol: str) -> None:
    """Keys of scopes agree, too; `type` and `asgi` are checked by themselves."""
    facts = FACTS["scopes"][protocol]["keys"]
    assert _keys(SCOPE_KEYS[protocol]) == _fact_keys(facts, "type", "asgi")
    (versions,) = (key["keys"] for key in facts if key["name"] == "asgi")
    assert _keys(VERSION_KEYS) == _fact_keys(versions)


def test_tls_has_the_keys_of_the_facts() -> None:
    """So do those of the TLS extension."""
    (tls,) = (x for x in FACTS["extensions"] if x["name"] == "tls")
    assert _keys(TLS_KEYS) == _fact_keys(tls["scope_value_keys"])


def test_variants_are_the_booleans_that_machines_depend_on() -> None:
    """Every bool key of an event decides about a transition, but the last one."""
    booleans = {
        (event["type"], key["name"])
        for event in _fact_events()
        for key in event["keys"]
        if key["type"]["kind"] == "bool"
    }
    # The facts note that it has no meaning in denial responses.
    booleans.remove(("websocket.http.response.start", "trailers"))
    assert set(VARIANT_KEYS.items()) == booleans


def _ours(machine: Machine, *, all_profiles: bool) -> set[tuple[str, str, str]]:
    return {
        (
            ONE_FACT_STATE.get(row.source, row.source),
            row.event.partition("[")[0],
            ONE_FACT_STATE.get(row.target, row.target),
        )
        for row in machine.rows
        if all_profiles or row.profile is Profile.STRICT
    }


def _theirs(name: str) -> set[tuple[str, str, str]]:
    rename = {"any exception": "raise"}
    return {
        (source, rename.get(event, event), target)
        for source, _, event, _, target in FACTS["state_machines"][name]["transitions"]
    }


@pytest.mark.parametrize(
    ("machine", "name"),
    [
        (HTTP_SEND, "http.app_sends"),
        (LIFESPAN, "lifespan"),
    ],
)
def test_machine_is_that_of_the_facts(machine: Machine, name: str) -> None:
    """Without guards' states the transitions are the same, no more and no less."""
    assert _ours(machine, all_profiles=False) == _theirs(name)
    assert machine.start == FACTS["state_machines"][name]["start"]


def test_http_receive_machine_is_that_of_the_facts() -> None:
    """The one row the facts call practice is accepted in practice only."""
    assert _ours(HTTP_RECEIVE, all_profiles=True) == _theirs("http.app_receives")
    only_practice = _theirs("http.app_receives") - _ours(
        HTTP_RECEIVE, all_profiles=False
    )
    assert only_practice == {("DISCONNECTED", "http.disconnect", "DISCONNECTED")}


def test_websocket_machine_has_all_rows_of_the_facts() -> None:
    """What the strictest profile accepts beyond them is about clients that left."""
    strict = _ours(WEBSOCKET, all_profiles=False)
    assert _theirs("websocket") <= strict
    beyond = strict - _theirs("websocket")
    assert {target for _, _, target in beyond} == {"DISCONNECTED"}
    assert all(row.note for row in WEBSOCKET.rows if row.profile is not Profile.STRICT)


@pytest.mark.parametrize(
    ("machine", "name"), [(HTTP_SEND, "http.app_sends"), (WEBSOCKET, "websocket")]
)
def test_ends_are_those_of_the_facts(machine: Machine, name: str) -> None:
    """An application may return in the same states."""
    ends = set(FACTS["state_machines"][name]["must_reach_before_return"])
    # For HTTP, that the client is gone is not a state of what is sent.
    assert machine.ends == ends - {"CLOSED"}


def _fact_rule_ids(node: Any) -> Iterable[str]:
    if isinstance(node, dict):
        for rule in node.get("rules", []):
            yield rule["id"]
        for value in node.values():
            yield from _fact_rule_ids(value)
    elif isinstance(node, list):
        for value in node:
            yield from _fact_rule_ids(value)


def test_rules_point_into_the_specification() -> None:
    """Every rule says in which file and lines it is written, or in which issue."""
    files = {*FACTS["meta"]["built_from"]["files_sha256"]}
    for rule in RULES.values():
        path, _, lines = rule.source.partition(":")
        assert path in files or rule.source == "asgiref#579", rule
        assert path not in files or lines.replace("-", "").isdigit(), rule


def test_fact_rules_that_can_be_seen_are_enforced() -> None:
    """These rules of the facts have a rule of the same name."""
    wanted = {
        "method.upper",
        "scheme.nonempty",
        "path.includes_root",
        "scope.headers.lowercase",
        "scope.headers.no_pseudo",
        "server.unix",
        "resp.headers.lowercase",
        "resp.headers.no_pseudo",
        "accept.no_subprotocol_header",
        "pathsend.absolute",
        "pathsend.no_mix",
        "push.window",
        "early_hint.window",
        "debug.once_before_start",
        "trailers.announce",
        "trailers.after_body",
        "denial.after_connect",
        "denial.exclusive",
        "connect.reply",
        "ws.exactly_one",
        "tls.name.needed",
        "tls.error.nonempty",
        "tls.cipher.encoding",
        "ext.offer",
        "ext.gate",
        "scope.is_dict",
        "scope.unknown_type",
        "event.is_dict",
        "event.custom_types",
        "send.after_close.www",
        "headers.bytes",
        "tls.only_tls",
    }
    assert wanted <= set(_fact_rule_ids(FACTS))
    assert wanted <= set(RULES)
