"""Daphne serving Django and Channels, all three on asgibridge, through sockets."""

import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import httpx
import pytest
from wsproto import ConnectionType, WSConnection
from wsproto.events import (
    AcceptConnection,
    CloseConnection,
    Event,
    Request,
    TextMessage,
)

SECONDS: Final = 60.0  # a safety net


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Have Daphne serve `channels_site.py`; yield its port."""
    database = tmp_path_factory.mktemp("channels") / "db.sqlite3"
    command = [sys.executable, "-u", "-m", "asgibridge.compat", "-m", "daphne"]
    server = subprocess.Popen(  # noqa: S603  # our own arguments
        [*command, "-e", "tcp:0:interface=127.0.0.1", "channels_site:application"],
        cwd=Path(__file__).parent,
        env=os.environ
        | {
            "CHANNELS_SITE_DATABASE": str(database),
            "DJANGO_SETTINGS_MODULE": "channels_settings",
        },
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )
    assert server.stderr is not None
    seen: list[str] = []
    try:
        for line in server.stderr:
            seen.append(line)
            if found := re.search(r"Listening on TCP address 127\.0\.0\.1:(\d+)", line):
                break
        else:
            pytest.fail(f"Daphne did not start: {''.join(seen)}")
        yield int(found.group(1))
    finally:
        server.terminate()
        server.communicate(timeout=SECONDS)
    assert server.returncode in (0, -15)


class WebSocket:
    """A client of one WebSocket."""

    def __init__(self, port: int, path: str) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=SECONDS)
        self._protocol = WSConnection(ConnectionType.CLIENT)
        self._send(Request(host=f"127.0.0.1:{port}", target=path))
        assert isinstance(self._receive(), AcceptConnection)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with self._socket:
            if exc_type is None:
                self._send(CloseConnection(code=1000))
                assert isinstance(self._receive(), CloseConnection)

    def say(self, text: str) -> None:
        """Send *text*."""
        self._send(TextMessage(data=text))

    def hear(self) -> dict[str, Any]:
        """Return the next message, which is JSON."""
        event = self._receive()
        assert isinstance(event, TextMessage), event
        assert event.message_finished
        message: dict[str, Any] = json.loads(event.data)
        return message

    def _send(self, event: Event) -> None:
        self._socket.sendall(self._protocol.send(event))

    def _receive(self) -> Event:
        while True:
            for event in self._protocol.events():
                return event
            data = self._socket.recv(65536)
            self._protocol.receive_data(data or None)


def get(port: int, path: str) -> Any:
    response = httpx.get(f"http://127.0.0.1:{port}{path}", timeout=SECONDS)
    assert response.status_code == 200, response.text
    return response.json()


def test_http(port: int) -> None:
    blocking = get(port, "/blocking/")
    assert blocking["implementation"] == "asgibridge.compat._sync_to_async"
    assert blocking["thread"].startswith("asgibridge-sensitive")
    answer = get(port, "/async/")
    assert answer["view"] == "MainThread"
    assert answer["thread"].startswith("asgibridge-sensitive")
    assert answer["count"] == blocking["count"] + 1


def test_consumers_of_both_kinds_in_one_room(port: int) -> None:
    with WebSocket(port, "/blocking/") as blocking, WebSocket(port, "/async/") as other:
        blocking.say("hello")
        first, copy = blocking.hear(), other.hear()
        assert first["said"] == copy["said"] == "hello"
        # What a blocking consumer does is done on threads; what an async one
        # does, on the loop, but for the database.
        assert first["thread"].startswith("asgibridge-sensitive")
        assert first["told_on"].startswith("asgibridge-sensitive")
        assert copy["told_on"] == "MainThread"
        other.say("good bye")
        second = other.hear()
        assert blocking.hear()["said"] == second["said"] == "good bye"
        assert second["thread"].startswith("asgibridge-sensitive")
        assert second["count"] == first["count"] + 1


def test_many_sockets_at_once(port: int) -> None:
    sockets = [WebSocket(port, "/blocking/") for _ in range(10)]
    sockets += [WebSocket(port, "/async/") for _ in range(10)]
    for number, talker in enumerate(sockets):
        talker.say(str(number))
    for listener in sockets:
        heard = {listener.hear()["said"] for _ in sockets}
        assert heard == {str(number) for number in range(len(sockets))}
        listener.__exit__(None, None, None)
