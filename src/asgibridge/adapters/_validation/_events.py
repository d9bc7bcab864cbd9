"""What is wrong with one event, whenever it comes."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from ._kinds import Finding, keys
from ._offers import Offer
from ._reading import as_dict
from ._shapes import EVENTS, SCOPE_KEYS, Key, Shape
from ._show import show

__all__ = ("examine_event", "examine_keys", "examine_type")

Since = tuple[str, str, tuple[int, int]]

# An empty value asks nothing of the server that it does not do anyway, and
# frameworks always send one.
_SINCE: Final[tuple[Since, ...]] = (
    ("websocket.accept", "headers", (2, 1)),
    ("websocket.close", "reason", (2, 3)),
)
_LIFESPAN_FAILED: Final = ("lifespan.startup.failed", "lifespan.shutdown.failed")


def examine_keys(event: Mapping[str, Any], shape: tuple[Key, ...]) -> Iterator[Finding]:
    """Say which keys are missing and which values are not what they should be."""
    for key in shape:
        name = key.name
        if name not in event:
            if key.required:
                yield "value.missing", f"has no {name!r}"
            continue
        value = event[name]
        if value is None:
            if key.none != "yes":
                rule = "value.none" if key.none == "no" else "value.none_unstated"
                yield rule, f"has {name!r}: None"
            continue
        for rule, found in key.check(value):
            yield rule, f"has {name!r} that {found}"


def examine_type(event: object) -> Iterator[Finding]:
    """Say whether it is an event at all."""
    content = as_dict(event)
    if content is None:
        yield "event.is_dict", f"is {show(event)}"
        return
    if not isinstance(content.get("type"), str):
        yield "event.is_dict", f"has 'type' {show(content.get('type'))}"
    yield from keys(content)


def _custom(
    kind: str, direction: str, protocol: str, offer: Offer
) -> Iterator[Finding]:
    """Say whether an event of a type that is not in the specification is right."""
    offered = any(kind == x or kind.startswith(f"{x}.") for x in offer.extensions)
    if offered or protocol not in SCOPE_KEYS:
        return
    if direction == "send":
        yield "event.unknown_type", "is of a type that is not known"
    else:
        yield "event.custom_types", "is of a type of one's own"


def _placed(
    shape: Shape, direction: str, protocol: str, offer: Offer
) -> Iterator[Finding]:
    """Say whether an event of this shape may go this way in this protocol."""
    if protocol not in SCOPE_KEYS:
        yield "event.namespace", f"belongs to {shape.protocol} scopes"
    elif shape.protocol != protocol:
        yield "event.foreign", f"belongs to {shape.protocol} scopes"
    elif shape.direction != direction:
        yield "event.direction", f"is for {shape.direction}()"
    elif shape.extension is not None and shape.extension not in offer.extensions:
        yield "ext.gate", f"needs the extension {shape.extension!r}"


def _gated(kind: str, event: Mapping[str, Any], offer: Offer) -> Iterator[Finding]:
    for type_, key, since in _SINCE:
        if kind == type_ and offer.spec_version < since and event.get(key):
            what = f"has {key!r}, of {since[0]}.{since[1]}"
            yield "version.gate", f"{what}, for a server of {offer.version}"
    if kind in _LIFESPAN_FAILED and offer.spec_version < (2, 0):
        yield "version.gate", f"is of lifespan 2.0, for a server of {offer.version}"
    if event.get("trailers") is not True:
        return
    offered = "http.response.trailers" in offer.extensions
    if kind == "http.response.start" and not offered:
        yield "ext.gate", "needs the extension 'http.response.trailers'"
    if kind == "websocket.http.response.start":
        yield "denial.trailers", "has 'trailers': True"


def _one_of_two(kind: str, event: Mapping[str, Any]) -> Iterator[Finding]:
    if kind in ("websocket.send", "websocket.receive"):
        there = [x for x in ("text", "bytes") if event.get(x) is not None]
        if len(there) != 1:
            yield "ws.exactly_one", f"has {' and '.join(there) or 'neither'}"


def examine_event(
    event: Mapping[str, Any], direction: str, protocol: str, offer: Offer
) -> Iterator[Finding]:
    """Say what is wrong with an event that has a type.

    Its place in the conversation is not looked at.
    """
    kind = event["type"]
    shape = EVENTS.get(kind)
    if shape is None:
        yield from _custom(kind, direction, protocol, offer)
        return
    if misplaced := list(_placed(shape, direction, protocol, offer)):
        yield from misplaced
        if any(rule != "ext.gate" for rule, _ in misplaced):
            return
    yield from examine_keys(event, shape.keys)
    yield from _one_of_two(kind, event)
    yield from _gated(kind, event, offer)
