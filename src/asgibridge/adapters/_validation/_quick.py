"""Recognising, at little cost, what is certainly right.

Nearly everything in real traffic is plain: exact types and the common events.
These functions answer None or False for whatever else, which then is examined
rule by rule; so they need not be complete, only never accept what an examination
would not.
"""

from collections.abc import Callable, Iterable, Mapping
from types import GeneratorType
from typing import Any, Final, cast

from ._offers import Offer

__all__ = ("PLAIN_EVENTS", "is_plain_header", "plain_headers")

Plain = Callable[[dict[str, Any], Offer], str | None]

_START_KEYS: Final = frozenset({"type", "status", "headers", "trailers"})
_BODY_KEYS: Final = frozenset({"type", "body", "more_body"})
_MESSAGE_KEYS: Final = frozenset({"type", "text", "bytes"})
_TYPE_ONLY: Final = frozenset({"type"})
_COLON: Final = 58
_PAIR: Final = 2
_STATUSES: Final = range(100, 1000)
_SUBPROTOCOL: Final = b"sec-websocket-protocol"
_DICT: Final[dict[str, str]] = {}
_LIST: Final[list[str]] = []
_VIEWS: Final[frozenset[type]] = frozenset(
    {type(_DICT.items()), type(_DICT.keys()), type(_DICT.values())}
)
# What can be read only once nobody looks into.
_ONCE: Final[frozenset[type]] = frozenset({GeneratorType, map, type(iter(_LIST))})


def is_plain_header(header: object) -> bool:
    """Whether it is a header in whichever direction, and breaks no rule there."""
    if type(header) is not tuple:
        return False
    pair = cast("tuple[object, ...]", header)
    return (
        len(pair) == _PAIR
        and type(name := pair[0]) is bytes
        and type(pair[1]) is bytes
        # islower() also is False for names without letters: not plain, then.
        and name.islower()
        and name[0] != _COLON
        and name != _SUBPROTOCOL
    )


def plain_headers(headers: object, *, any_case: bool = False) -> bool:
    """Whether these are the headers of an HTTP request or response.

    Args:
        headers: What may be headers.
        any_case: Whether the names may have capital letters.
    """
    kind = type(headers)
    if kind is not list and kind is not tuple and kind not in _VIEWS:
        return kind in _ONCE
    for pair in cast("Iterable[Any]", headers):
        kind = cast("type[object]", type(pair))
        if (kind is not tuple and kind is not list) or len(pair) != _PAIR:
            return False
        name, value = pair
        if type(name) is not bytes or type(value) is not bytes:
            return False
        if name.islower():
            if name[0] == _COLON:
                return False
        # It has capital letters, or no letters at all.
        elif name.startswith(b":") or not (any_case or name == name.lower()):
            return False
    return True


def _plain_keys(event: dict[str, Any], known: frozenset[str]) -> bool:
    """Whether the keys are right; beyond those known, any str is."""
    return event.keys() <= known or all(type(key) is str for key in event)


def _body(type_: str) -> Plain:
    more_type = f"{type_}[more_body]"

    def plain(event: dict[str, Any], _offer: Offer) -> str | None:
        more = event.get("more_body", False)
        if type(event.get("body", b"")) is bytes and _plain_keys(event, _BODY_KEYS):
            if more is False:
                return type_
            if more is True:
                return more_type
        return None

    return plain


def _start(event: dict[str, Any], offer: Offer) -> str | None:
    status = event["status"]
    if (
        type(status) is int
        and status in _STATUSES
        and _plain_keys(event, _START_KEYS)
        and plain_headers(event.get("headers", ()))
    ):
        trailers = event.get("trailers", False)
        if trailers is False:
            return "http.response.start"
        if trailers is True and "http.response.trailers" in offer.extensions:
            return "http.response.start[trailers]"
    return None


def _message(type_: str) -> Plain:
    def plain(event: dict[str, Any], _offer: Offer) -> str | None:
        text, data = event.get("text"), event.get("bytes")
        if data is None:
            right = type(text) is str
        else:
            right = text is None and type(data) is bytes
        return type_ if right and _plain_keys(event, _MESSAGE_KEYS) else None

    return plain


def _bare(type_: str) -> Plain:
    def plain(event: dict[str, Any], _offer: Offer) -> str | None:
        return type_ if _plain_keys(event, _TYPE_ONLY) else None

    return plain


PLAIN_EVENTS: Final[Mapping[tuple[str, str], Mapping[str, Plain]]] = {
    ("http", "send"): {
        "http.response.start": _start,
        "http.response.body": _body("http.response.body"),
    },
    ("http", "receive"): {
        "http.request": _body("http.request"),
        "http.disconnect": _bare("http.disconnect"),
    },
    ("websocket", "send"): {"websocket.send": _message("websocket.send")},
    ("websocket", "receive"): {
        "websocket.receive": _message("websocket.receive"),
        "websocket.connect": _bare("websocket.connect"),
    },
}
"""Per protocol, direction and type: what makes an event's symbol if it is plain."""
