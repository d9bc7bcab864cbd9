"""Type checkers accept what the fact table allows, and refuse what it forbids.

From each key of each scope and event, as the fact table has it, come literals
that are legal and literals that are not.  All of them are written to one file,
a literal per line, and each checker has to complain about exactly the lines
that are not legal.
"""

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest

from asgibridge import types

FACTS: Final[dict[str, Any]] = json.loads(
    (Path(__file__).parents[1] / "data" / "asgi_facts.json").read_text()
)
Keys = dict[str, str]
"""A literal: the source text of each value."""


class Line(NamedTuple):
    """One literal, and whether checkers have to accept it."""

    type_name: str
    keys: Keys
    is_legal: bool

    def text(self, number: int) -> str:
        """Return the line of source."""
        items = ", ".join(f'"{key}": {value}' for key, value in self.keys.items())
        return f"x{number}: t.{self.type_name} = {{{items}}}"


# Source text of values, per kind of the fact table: right ones, then wrong ones.
HEADERS: Final = (
    ('[(b"a", b"b")]', '[[b"a", b"b"]]', '((b"a", b"b"), (b"c", b"d"))', "[]", "()"),
    (
        '[("a", "b")]',
        '[(b"a", "b")]',
        '[(b"a",)]',
        '[(b"a", b"b", b"c")]',
        '[["a", "b"]]',
        '{b"a": b"b"}',
        'b"ab"',
        '"ab"',
        "1",
    ),
)
VALUES: Final[Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]]] = {
    "str": (('"x"', '""'), ('b"x"', "1", '["x"]')),
    "bytes": (('b"x"', 'b""'), ('"x"', "1", 'bytearray(b"x")', 'memoryview(b"x")')),
    "int": (("1", "0"), ('"1"', "1.5", 'b"1"')),
    "bool": (("True", "False"), ("1", '"yes"')),
    "headers": HEADERS,
    "file": (("FILE",), ('b"x"', "1", '"/x"')),
    "iterable str": (('["a"]', '("a",)', "[]"), ("[1]", '[b"a"]', 'b"a"', "1")),
    "iterable bytes": (('[b"a"]', '(b"a",)', "[]"), ("[1]", '["a"]', '"a"', "1")),
    "pair int": (
        ('("a", 1)', '["a", 1]'),
        ('("a",)', '("a", "1")', '"a"', '(b"a", 1)'),
    ),
    "pair int | None": (
        ('("a", 1)', '["a", 1]', '("/run/x", None)'),
        ('("a",)', '("a", "1")', '"a"', '("a", 1, 2)'),
    ),
    "dict dict": (
        ("{}", '{"tls": {}}', '{"x": {"y": 1}}'),
        ("[]", '{"a": 1}', "{1: {}}"),
    ),
    "dict Any": (("{}", '{"a": object()}'), ("[]", "{1: 2}", '"a"')),
}
LITERAL: Final = ('"other"', 'b"http"', "1")


def _values(key: dict[str, Any]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return legal and illegal values of a key."""
    kind = key["type"]["kind"]
    if "literal" in key:
        return (json.dumps(key["literal"]),), LITERAL
    if "keys" in key:
        return _nested(key["keys"])
    if kind == "str" and "values" in key["type"]:
        # The one change after the snapshot that is certain: HTTP/3.
        later = ["3"] if "#589 adds" in key.get("after_snapshot", "") else []
        return tuple(json.dumps(x) for x in [*key["type"]["values"], *later]), LITERAL
    detail = {
        "dict": lambda: key["type"]["values"],
        "pair": lambda: key["type"]["items"][1],
        "iterable": lambda: key["type"]["items"],
    }
    return VALUES[f"{kind} {detail[kind]()}" if kind in detail else kind]


def _nested(keys: list[dict[str, Any]]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    one = {key["name"]: _values(key) for key in keys}
    right = ["{}", "{" + ", ".join(f'"{k}": {v[0][0]}' for k, v in one.items()) + "}"]
    wrong = [f'{{"{k}": {x}}}' for k, v in one.items() for x in v[1]]
    return tuple(right), (*wrong, '"3.0"', '{"other": "x"}')


def _of_key(name: str, base: Keys, key: dict[str, Any]) -> Iterator[Line]:
    """Return the lines in which only *key* differs from *base*."""
    right, wrong = _values(key)
    may_be_none = key["none_value"] in ("yes", "unstated")
    right, wrong = (
        ((*right, "None"), wrong) if may_be_none else (right, (*wrong, "None"))
    )
    for is_legal, values in ((True, right), (False, wrong)):
        for value in values:
            yield Line(name, base | {key["name"]: value}, is_legal)
    without = {k: v for k, v in base.items() if k != key["name"]}
    yield Line(name, without, not key["required"])


def _base(keys: Iterable[dict[str, Any]], *, full: bool = False) -> Keys:
    """Return a literal with the required keys, or with all."""
    wanted = [key for key in keys if full or key["required"]]
    return {key["name"]: _values(key)[0][0] for key in wanted}


def _of_shape(name: str, keys: list[dict[str, Any]]) -> Iterator[Line]:
    base = _base(keys)
    yield Line(name, base, is_legal=True)
    yield Line(name, _base(keys, full=True), is_legal=True)
    yield Line(name, base | {"misspelt": "1"}, is_legal=False)
    for key in keys:
        yield from _of_key(name, base, key)


def _of_message(name: str, type_: str) -> Iterator[Line]:
    """Return the lines about exactly one of text and bytes."""
    kind = {"type": json.dumps(type_)}
    for key, other, right, wrong in (
        ("text", "bytes", '"x"', 'b"x"'),
        ("bytes", "text", 'b"x"', '"x"'),
    ):
        yield Line(name, kind | {key: right}, is_legal=True)
        yield Line(name, kind | {key: right, other: "None"}, is_legal=True)
        yield Line(name, kind | {key: right, other: wrong}, is_legal=False)
        yield Line(name, kind | {key: wrong}, is_legal=False)
        yield Line(name, kind | {key: "None"}, is_legal=False)
        yield Line(name, {key: right}, is_legal=False)
    yield Line(name, kind, is_legal=False)
    yield Line(name, kind | {"text": "None", "bytes": "None"}, is_legal=False)
    yield Line(name, kind | {"text": '"x"', "bytes": 'b"x"'}, is_legal=False)


MESSAGES: Final = {
    "websocket.receive": "WebSocketReceiveMessageEvent",
    "websocket.send": "WebSocketSendMessageEvent",
}


def names_by_event() -> dict[str, str]:
    """Return the names of the types of events, by the events' types."""
    found = {}
    for name in types.__all__:
        hints = getattr(getattr(types, name), "__annotations__", {})
        literal = re.search(r"Literal\['([a-z_.]+)'\]", str(hints.get("type", "")))
        if literal and name.endswith("Event"):
            found[literal[1]] = name
    return found | MESSAGES


def _events() -> list[dict[str, Any]]:
    events = FACTS["events"]
    return list(events.values()) if isinstance(events, dict) else events


UNIONS: Final = {
    ("http", "receive"): "HTTPReceiveEvent",
    ("http", "send"): "HTTPSendEvent",
    ("websocket", "receive"): "WebSocketReceiveEvent",
    ("websocket", "send"): "WebSocketSendEvent",
    ("lifespan", "receive"): "LifespanReceiveEvent",
    ("lifespan", "send"): "LifespanSendEvent",
}


def _of_unions(event: dict[str, Any]) -> Iterator[Line]:
    """Each union has the events of its protocol and direction, and no others."""
    base = _base(event["keys"])
    if event["type"] in MESSAGES:
        base |= {"text": '"x"'}
    for place, name in UNIONS.items():
        yield Line(name, base, place == (event["scope"], event["direction"]))
    for name, direction in (("ReceiveEvent", "receive"), ("SendEvent", "send")):
        yield Line(name, base, direction == event["direction"])


def lines() -> list[Line]:
    """Return the whole matrix."""
    matrix: list[Line] = []
    names = names_by_event()
    for event in _events():
        name = names[event["type"]]
        if event["type"] in MESSAGES:
            matrix += _of_message(name, event["type"])
        else:
            matrix += _of_shape(name, event["keys"])
        matrix += _of_unions(event)
    for protocol, name in (
        ("http", "HTTPScope"),
        ("websocket", "WebSocketScope"),
        ("lifespan", "LifespanScope"),
    ):
        keys = FACTS["scopes"][protocol]["keys"]
        matrix += _of_shape(name, keys)
        matrix.append(Line("Scope", _base(keys), is_legal=True))
    (tls,) = (x for x in FACTS["extensions"] if x["name"] == "tls")
    matrix += _of_shape("TLSExtension", tls["scope_value_keys"])
    return matrix


HEAD: Final = """from asgibridge import types as t
class File:
    def fileno(self) -> int: ...
FILE = File()
"""
OFFSET: Final = HEAD.count("\n") + 1


def _run(*command: str, cwd: Path) -> str:
    done = subprocess.run(  # noqa: S603 - the commands are below
        command, cwd=cwd, capture_output=True, text=True, timeout=300, check=False
    )
    # Checkers exit with 1 if they have found something, as they have to.
    assert done.returncode == 1, done.stdout + done.stderr
    return done.stdout


def _mypy(file: Path) -> set[int]:
    command = (sys.executable, "-m", "mypy", "--strict", "--config-file=", "-O", "json")
    output = _run(*command, file.name, cwd=file.parent)
    found = [json.loads(line) for line in output.splitlines()]
    return {x["line"] for x in found if x["severity"] == "error"}


def _pyright(file: Path) -> set[int]:
    (file.parent / "pyrightconfig.json").write_text('{"typeCheckingMode": "strict"}')
    command = (sys.executable, "-m", "pyright", "--outputjson")
    output = _run(*command, "--pythonpath", sys.executable, file.name, cwd=file.parent)
    found = json.loads(output)["generalDiagnostics"]
    return {x["range"]["start"]["line"] + 1 for x in found if x["severity"] == "error"}


def _ty(file: Path) -> set[int]:
    command = (sys.executable, "-m", "ty", "check", "--output-format", "concise")
    output = _run(*command, "--python", sys.prefix, file.name, cwd=file.parent)
    return {
        int(x)
        for x in re.findall(r"^matrix\.py:(\d+):\d+: error", output, re.MULTILINE)
    }


def _pyrefly(file: Path) -> set[int]:
    (file.parent / "pyrefly.toml").write_text('preset = "strict"')
    command = (sys.executable, "-m", "pyrefly", "check", "--output-format", "json")
    output = _run(
        *command,
        "--python-interpreter-path",
        sys.executable,
        file.name,
        cwd=file.parent,
    )
    return {x["line"] for x in json.loads(output)["errors"]}


CHECKERS: Final[dict[str, Callable[[Path], set[int]]]] = {
    "mypy": _mypy,
    "pyright": _pyright,
    "ty": _ty,
    "pyrefly": _pyrefly,
}


@pytest.mark.parametrize("checker", CHECKERS)
def test_matrix(checker: str, tmp_path: Path) -> None:
    """The lines that a checker complains about are those that are not legal."""
    matrix = lines()
    texts = [line.text(number) for number, line in enumerate(matrix)]
    file = tmp_path / "matrix.py"
    file.write_text(HEAD + "\n".join(texts) + "\n")
    complaints = {number - OFFSET for number in CHECKERS[checker](file)}
    refused = [x for n, x in enumerate(texts) if matrix[n].is_legal and n in complaints]
    accepted = [
        x for n, x in enumerate(texts) if not matrix[n].is_legal and n not in complaints
    ]
    assert (refused, accepted) == ([], [])


def test_matrix_is_complete() -> None:
    """Every event, scope and key is in it, with legal and illegal literals."""
    matrix = lines()
    assert set(names_by_event()) == {event["type"] for event in _events()}
    legal = sum(line.is_legal for line in matrix)
    assert legal > 250
    assert len(matrix) - legal > 400
