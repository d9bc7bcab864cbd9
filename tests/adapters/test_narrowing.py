"""What type checkers cannot conclude."""

from typing import Any, cast

import pytest

from asgibridge.adapters import (
    is_bytes_message,
    is_text_message,
    message_data,
    offered_extension,
)
from asgibridge.errors import EventError
from asgibridge.types import Scope

from .validation.test_conversation import http


@pytest.mark.parametrize("kind", ["websocket.receive", "websocket.send"])
@pytest.mark.parametrize("content", ["", "text", b"", b"bytes"])
@pytest.mark.parametrize("with_none", [True, False])
def test_messages(kind: str, content: str | bytes, *, with_none: bool) -> None:
    """Empty messages are messages; None is as good as nothing."""
    is_text = isinstance(content, str)
    key, other = ("text", "bytes") if is_text else ("bytes", "text")
    event: Any = {"type": kind, key: content}
    if with_none:
        event[other] = None
    assert message_data(event) is content
    assert is_text_message(event) is is_text
    assert is_bytes_message(event) is not is_text


def test_message_with_neither_is_an_error() -> None:
    """The message says what is missing."""
    with pytest.raises(EventError, match=r"^'websocket\.send' has neither"):
        message_data(cast("Any", {"type": "websocket.send", "text": None}))


def test_extensions() -> None:
    """What is not offered is None, an empty offer is not."""
    scope = cast("Scope", http("http.response.push"))
    assert offered_extension(scope, "http.response.push") == {}
    assert offered_extension(scope, "tls") is None
    del cast("Any", scope)["extensions"]
    assert offered_extension(scope, "http.response.push") is None
