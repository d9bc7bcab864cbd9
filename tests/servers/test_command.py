"""``asgibridge worker`` and the brokers it cannot work with, or not yet."""

import asyncio
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from asgibridge.servers.nats import NatsLayout
from asgibridge.servers.redis import RedisLayout
from tests.servers.brokers import Broker, NatsBroker, RedisBroker, operating, say
from tests.staging import PATIENCE

APP = """
async def app(scope, receive, send):
    while (event := await receive())["type"] == "message.receive":
        await send({"type": "message.send", "text": event["text"] * 2})
"""
NAME = "command"


@pytest.fixture(params=["redis", "nats"])
def broker(request: pytest.FixtureRequest) -> Broker:
    """Start a server of each kind for one test."""
    server = request.getfixturevalue(f"{request.param}_server")
    if request.param == "redis":
        return RedisBroker(server, RedisLayout(NAME, 4))
    return NatsBroker(server, NatsLayout(NAME, 4))


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """Return a directory with an application."""
    (tmp_path / "twice.py").write_text(APP)
    return tmp_path


def command(url: str, *more: str, before: str = "pass") -> list[str]:
    """Return the command line, and what Python does before."""
    start = f"{before}; from asgibridge.cli._worker import worker; worker()"
    options = ["twice:app", "--source", url, "--name", NAME, "--partitions", "4"]
    return [sys.executable, "-c", start, *options, *more]


def refused(here: Path, *line: str) -> str:
    """Run the command, which is to come to nothing; return what it says."""
    # S603: this package's own command.
    done = subprocess.run(  # noqa: S603
        line, capture_output=True, text=True, timeout=PATIENCE, check=False, cwd=here
    )
    assert done.returncode == 2
    assert not done.stdout
    assert "Traceback" not in done.stderr
    return done.stderr


def test_wrong_credentials(broker: Broker, here: Path) -> None:
    """One line says so, without the password, and where to look."""
    server: Any = broker.server  # of either kind
    if isinstance(broker, NatsBroker):
        server.stop()
        server.start("--user", "me", "--pass", "right")
    else:
        server.ask("CONFIG SET requirepass right")
    for user in ("", "me:wrong@"):
        said = refused(here, *command(server.url.replace("//", f"//{user}")))
        (line,) = [one for one in said.splitlines() if "credentials" in one]
        assert "refuses the credentials" in line
        assert "check the URL" in line
        assert "wrong@" not in said


def test_a_stream_that_is_missing(broker: Broker, here: Path) -> None:
    """Where none is to be made, one line says which."""
    said = refused(here, *command(broker.server.url, "--no-create"))
    assert re.search(f"there (is|are) no streams? .*'{NAME}", said)
    assert "check the name and the" in said


def test_a_server_that_is_too_old(broker: Broker, here: Path) -> None:
    """One line says which version it has, and which it needs."""
    kind = "nats" if isinstance(broker, NatsBroker) else "redis"
    change = (
        f"import asgibridge.servers.{kind}._connection as one;"
        " one.MINIMUM_VERSION = (99, 1)"
    )
    said = refused(here, *command(broker.server.url, before=change))
    assert re.search(r"has version .*\d.*; 99\.1 or later is needed", said)


def test_a_server_that_comes_later(broker: Broker, here: Path) -> None:
    """It is asked for again and again, the log says so, and then work begins."""
    broker.server.stop()
    # S603: this package's own command.
    process = subprocess.Popen(  # noqa: S603
        command(broker.server.url, "--health-seconds", "0"),
        stderr=subprocess.PIPE,
        text=True,
        cwd=here,
    )
    try:
        check_comes_later(broker, process)
    finally:
        process.kill()
        process.communicate()


def check_comes_later(broker: Broker, process: "subprocess.Popen[str]") -> None:
    """Start the server that a process asks for, and see that it works."""
    assert process.stderr is not None
    waits = 0
    while waits < 2:
        line = process.stderr.readline()
        assert line, "it has ended"
        waits += "is not reachable" in line
    broker.server.start()

    async def talk() -> None:
        async with operating(broker):
            await broker.publish(say("a", "x"))
            assert await broker.texts(1) == ["xx"]
            await broker.wait_settled()

    asyncio.run(talk())
    process.send_signal(signal.SIGTERM)
    rest = process.stderr.read()
    assert process.wait(timeout=PATIENCE) == 0
    assert "Traceback" not in rest
