"""Checks of single values.

A check takes a value and says what is wrong with it: pairs of a rule's name and
a description.  It reads only what can be read twice: a generator of headers is
left to the server.
"""

import os.path
from collections.abc import Callable, Iterator
from typing import Any, Final

from ._quick import is_plain_header
from ._reading import as_dict, keys_of, rereadable
from ._show import show

__all__ = (
    "Check",
    "Finding",
    "a_bool",
    "a_dict",
    "a_file",
    "a_str",
    "absolute_path",
    "accept_headers",
    "byte_strings",
    "bytestring",
    "integer",
    "keys",
    "pair",
    "request_headers",
    "response_headers",
    "status",
    "strings",
)

Finding = tuple[str, str]
"""The name of a rule, and what breaks it."""

Check = Callable[[object], Iterator[Finding]]
"""Says what is wrong with a value; nothing, if it is right."""

_INT64: Final = 1 << 63
_PAIR: Final = 2
_STATUSES: Final = range(100, 1000)


def _wrong(wanted: str, value: object) -> Finding:
    return "value.type", f"is {show(value)} instead of {wanted}"


def a_str(value: object) -> Iterator[Finding]:
    """Accept str."""
    if not isinstance(value, str):
        yield _wrong("str", value)


def bytestring(value: object) -> Iterator[Finding]:
    """Accept bytes."""
    if not isinstance(value, bytes):
        yield _wrong("bytes", value)


def a_bool(value: object) -> Iterator[Finding]:
    """Accept True and False, not what is merely true or false."""
    if not isinstance(value, bool):
        yield _wrong("bool", value)


def integer(value: object) -> Iterator[Finding]:
    """Accept signed 64-bit int; bool is another type in the specification."""
    if isinstance(value, bool) or not isinstance(value, int):
        yield _wrong("int", value)
    elif not -_INT64 <= int(value) < _INT64:
        yield "value.int_range", f"is {show(value)}"


def status(value: object) -> Iterator[Finding]:
    """Accept the status of a response."""
    wrong = list(integer(value))
    yield from wrong
    if not wrong and value not in _STATUSES:
        yield "status.digits", f"is {show(value)}"


def a_dict(value: object) -> Iterator[Finding]:
    """Accept dicts with str keys."""
    content = as_dict(value)
    if content is None:
        yield _wrong("dict", value)
    else:
        yield from keys(content)


def keys(value: dict[str, Any]) -> Iterator[Finding]:
    """Accept str as keys of a dict."""
    for key in keys_of(value):
        if not isinstance(key, str):
            yield "value.keys", f"has the key {show(key)}"


def a_file(value: object) -> Iterator[Finding]:
    """Accept files; whether there is a descriptor is found out when sending."""
    if not callable(getattr(value, "fileno", None)):
        yield _wrong("a file with fileno()", value)


def absolute_path(value: object) -> Iterator[Finding]:
    """Accept absolute paths."""
    if not isinstance(value, str):
        yield _wrong("str", value)
    elif not os.path.isabs(value):
        yield "pathsend.absolute", f"is {show(value)}"


def _is_iterable(value: object) -> bool:
    # Text and bytes can be iterated too, and never are what is meant.
    return hasattr(type(value), "__iter__") and not isinstance(value, str | bytes)


def _is_pair(value: object) -> bool:
    """Whether it may be a pair, whatever its items are."""
    return _is_iterable(value) and as_dict(value) is None


def _items_of(item: Check, wanted: str) -> Check:
    def check(value: object) -> Iterator[Finding]:
        if not _is_iterable(value):
            yield _wrong(wanted, value)
            return
        for number, content in enumerate(rereadable(value) or ()):
            for rule, found in item(content):
                yield rule, f"has an item {number} that {found}"

    return check


strings: Final = _items_of(a_str, "an iterable of str")
byte_strings: Final = _items_of(bytestring, "an iterable of bytes")


def pair(second_may_be_none: bool) -> Check:  # noqa: FBT001 - always given by name
    """Return a check for (host, port)."""

    def check(value: object) -> Iterator[Finding]:
        if not _is_pair(value):
            yield _wrong("a pair (host, port)", value)
            return
        items = rereadable(value)
        if items is None:
            return
        if len(items) != _PAIR or not isinstance(items[0], str):
            yield "pair.items", f"is {show(value)}"
        elif items[1] is None and second_may_be_none:
            return
        elif list(integer(items[1])):
            yield "pair.items", f"is {show(value)}"

    return check


def _field(name: object, value: object, number: int) -> Iterator[Finding]:
    for part, content in (("name", name), ("value", value)):
        if not isinstance(content, bytes):
            yield (
                "headers.bytes",
                f"has header {number} with the {part} {show(content)}",
            )


def _headers(each: Callable[[bytes], Iterator[Finding]]) -> Check:
    def check(value: object) -> Iterator[Finding]:
        if not _is_pair(value):
            yield "headers.pairs", f"is {show(value)}"
            return
        for number, header in enumerate(rereadable(value) or ()):
            if is_plain_header(header):
                continue
            items = rereadable(header) if _is_pair(header) else []
            if items is None:
                continue
            if len(items) != _PAIR:
                yield "headers.pairs", f"has header {number}: {show(header)}"
                continue
            name, content = items
            yield from _field(name, content, number)
            if isinstance(name, bytes):
                yield from each(name)

    return check


def _response_name(name: bytes) -> Iterator[Finding]:
    if name.startswith(b":"):
        yield "resp.headers.no_pseudo", f"has the header {show(name)}"
    if name != name.lower():
        yield "resp.headers.lowercase", f"has the header {show(name)}"


def _accept_name(name: bytes) -> Iterator[Finding]:
    yield from _response_name(name)
    if name.lower() == b"sec-websocket-protocol":
        yield "accept.no_subprotocol_header", f"has the header {show(name)}"


def _request_name(name: bytes) -> Iterator[Finding]:
    if name.startswith(b":"):
        yield "scope.headers.no_pseudo", f"has the header {show(name)}"
    if name != name.lower():
        yield "scope.headers.lowercase", f"has the header {show(name)}"


response_headers: Final = _headers(_response_name)
accept_headers: Final = _headers(_accept_name)
request_headers: Final = _headers(_request_name)
