"""The TypedDicts have the keys of the fact table, at run time too."""

import json
import typing
from pathlib import Path
from typing import Any, Final

import pytest
import typing_extensions

from asgibridge import types

FACTS: Final[dict[str, Any]] = json.loads(
    (Path(__file__).parents[1] / "data" / "asgi_facts.json").read_text()
)
SHAPES: Final[dict[str, list[dict[str, Any]]]] = {
    event["type"]: event["keys"]
    for event in (
        FACTS["events"].values()
        if isinstance(FACTS["events"], dict)
        else FACTS["events"]
    )
} | {name: scope["keys"] for name, scope in FACTS["scopes"].items()}


def typed_dicts() -> dict[str, list[Any]]:
    """Return the TypedDicts of `asgibridge.types`, by the literal of their type."""
    found: dict[str, list[Any]] = {}
    for name in types.__all__:
        one = getattr(types, name)
        if typing_extensions.is_typeddict(one):
            hints = typing_extensions.get_type_hints(one)
            for literal in typing.get_args(hints.get("type")) or (name,):
                found.setdefault(literal, []).append(one)
    return found


def test_there_is_one_for_each_event_and_scope() -> None:
    """Two for those with text or bytes; besides, versions and TLS."""
    found = typed_dicts()
    assert set(found) == {*SHAPES, "ASGIVersions", "TLSExtension"}
    twice = {name for name, dicts in found.items() if len(dicts) == 2}
    assert twice == {"websocket.receive", "websocket.send"}


@pytest.mark.parametrize("name", SHAPES)
def test_keys_are_those_of_the_facts(name: str) -> None:
    """The same keys, and the same ones required."""
    keys = {key["name"] for key in SHAPES[name]}
    required = {key["name"] for key in SHAPES[name] if key["required"]}
    for one in typed_dicts()[name]:
        data = (
            {"text", "bytes"}
            if name in ("websocket.receive", "websocket.send")
            else {""}
        )
        assert set(one.__annotations__) == keys
        assert one.__required_keys__ - data == required
        assert len(one.__required_keys__ & data) == (data != {""})


def test_nested_keys_are_those_of_the_facts() -> None:
    """So are those of `asgi` and of the TLS extension."""
    (asgi,) = (x for x in FACTS["scopes"]["http"]["keys"] if x["name"] == "asgi")
    (tls,) = (x for x in FACTS["extensions"] if x["name"] == "tls")
    for one, keys in (
        (types.ASGIVersions, asgi["keys"]),
        (types.TLSExtension, tls["scope_value_keys"]),
    ):
        found: Any = one
        assert set(found.__annotations__) == {key["name"] for key in keys}
        required = {key["name"] for key in keys if key["required"]}
        assert found.__required_keys__ == required


def _documented() -> dict[str, dict[str, Any]]:
    events = FACTS["events"]
    every = list(events.values()) if isinstance(events, dict) else events
    (tls,) = (x for x in FACTS["extensions"] if x["name"] == "tls")
    scopes: dict[str, dict[str, Any]] = FACTS["scopes"]
    entry = {**tls, "keys": tls["scope_value_keys"]}
    return {x["type"]: x for x in every} | scopes | {"TLSExtension": entry}


@pytest.mark.parametrize("name", _documented())
def test_docstrings_say_where_it_is_written_and_since_when(name: str) -> None:
    """Each names its place in the specification, and what later versions brought."""
    fact = _documented()[name]
    later = {
        fact.get("since_spec", ""),
        *(x.get("since_spec", "") for x in fact["keys"]),
    }
    versions = {version.rpartition(" ")[2] for version in later} - {""}
    for one in typed_dicts()[name]:
        assert f"Source: {fact['src']}" in one.__doc__
        for version in versions:
            assert f"({version})" in one.__doc__


def test_what_applications_read_is_read_only() -> None:
    """Scopes and events from the server are ReadOnly, key by key; others are not."""
    events = FACTS["events"]
    every = list(events.values()) if isinstance(events, dict) else events
    received = {event["type"] for event in every if event["direction"] == "receive"}
    readers = {*received, *FACTS["scopes"], "ASGIVersions", "TLSExtension"}
    for name, dicts in typed_dicts().items():
        for one in dicts:
            expected = set(one.__annotations__) if name in readers else set()
            assert one.__readonly_keys__ == expected, name


@pytest.mark.parametrize("name", types.__all__)
def test_type_hints_can_be_read(name: str) -> None:
    """`typing.get_type_hints` works on everything public, and on its methods."""
    one = getattr(types, name)
    if not isinstance(one, type):
        return
    assert isinstance(typing.get_type_hints(one), dict)
    for attribute in vars(one).values():
        if callable(attribute) and hasattr(attribute, "__annotations__"):
            assert isinstance(typing.get_type_hints(attribute), dict)
