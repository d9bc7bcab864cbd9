"""The scopes that tests are given."""

from asgibridge.testing import http_scope, lifespan_scope, websocket_scope


def test_http_scope() -> None:
    """What is given is in its place, encoded where ASGI wants it encoded."""
    state = {"db": object()}
    scope = http_scope(
        "/ä b",
        method="POST",
        query_string=b"a=1",
        headers=((b"host", b"x"),),
        state=state,
        extensions={"http.response.push": {}},
    )
    assert scope["path"] == "/ä b"
    assert scope.get("raw_path") == b"/%C3%A4%20b"
    assert scope["headers"] == [(b"host", b"x")]
    assert scope.get("state") is state
    assert scope.get("extensions") == {"http.response.push": {}}
    assert "state" not in http_scope()
    assert "extensions" not in http_scope()


def test_websocket_scope() -> None:
    """The same for WebSockets."""
    state = {"db": object()}
    scope = websocket_scope("/x", subprotocols=("a", "b"), state=state, extensions={})
    assert scope.get("subprotocols") == ["a", "b"]
    assert scope.get("state") is state
    assert scope.get("extensions") == {}
    assert "state" not in websocket_scope()
    assert "extensions" not in websocket_scope()


def test_lifespan_scope() -> None:
    """State is there if the server has it."""
    assert lifespan_scope(state={}).get("state") == {}
    assert "state" not in lifespan_scope()
