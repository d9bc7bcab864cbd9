"""An event loop in simulated time, for everything that waits; real brokers."""

import asyncio
import os
import selectors
import shutil
import socket
import subprocess
import tempfile
import warnings
from collections.abc import Callable, Coroutine, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.staging import PATIENCE

Simulate = Callable[[Coroutine[Any, Any, None]], float]


class SimulatedLoop(asyncio.SelectorEventLoop):
    """A loop on which waiting takes no time.

    Its clock stands still while code runs, and jumps to the next timer when
    nothing else is left to do.  If there is no timer either, it raises: what
    would hang for ever fails at once.
    """

    now = 0.0

    def __init__(self) -> None:
        super().__init__(JumpingSelector(self))

    def time(self) -> float:
        return self.now


class JumpingSelector(selectors.SelectSelector):
    """Waits by setting the loop's clock."""

    def __init__(self, loop: SimulatedLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(
        self, timeout: float | None = None
    ) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready:
            if timeout is None:
                msg = "nothing will ever happen any more"
                raise RuntimeError(msg)
            self._loop.now += timeout
        return ready


@pytest.fixture(scope="session")
def simulate() -> Simulate:
    """Run a coroutine in simulated time; return the seconds it took.

    Everything that the code under test reports to the loop's exception handler
    is an error, and so is a task that it leaves behind.
    """

    def run(main: Coroutine[Any, Any, None]) -> float:
        problems: list[Mapping[str, Any]] = []

        async def checked() -> None:
            loop = asyncio.get_running_loop()
            loop.set_exception_handler(lambda _, context: problems.append(context))
            await main
            left = asyncio.all_tasks() - {asyncio.current_task()}
            assert not left, f"left behind: {left}"

        with asyncio.Runner(loop_factory=SimulatedLoop) as runner:
            runner.run(checked())
            seconds = runner.get_loop().time()
        assert not problems, problems
        return seconds

    return run


# Real brokers, each in a directory of its own.


class RedisServer:
    """A redis-server of the test's own, on a unix socket.

    It writes each change to disk before it answers, so that a restart loses
    nothing.
    """

    def __init__(self, binary: str, directory: Path, *options: str) -> None:
        self._binary, self._directory, self._options = binary, directory, options
        self._process: subprocess.Popen[bytes] | None = None
        self.socket = directory / "redis.sock"
        self.url = f"unix://{self.socket}"

    def start(self) -> None:
        command = [self._binary, "--port", "0", "--unixsocket", str(self.socket)]
        command += ["--dir", str(self._directory), "--save", ""]
        command += ["--appendonly", "yes", "--appendfsync", "always", *self._options]
        # S603: the test's own server.
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE)  # noqa: S603
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if b"eady to accept connections" in line:
                break
        else:
            pytest.fail("redis-server did not start")
        assert self.ask("INFO server").count(f"process_id:{self._process.pid}\r\n") == 1

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.communicate(timeout=PATIENCE)
            self._process = None

    def ask(self, command: str) -> str:
        """Send a command in Redis's inline form; return the raw answer."""
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(60)
            client.connect(str(self.socket))
            client.sendall(command.encode() + b"\r\n")
            return client.recv(65536).decode()


def _binary(name: str, package: str) -> str:
    """Return the path of a broker's program, or skip the test, loudly."""
    # Debian has nats-server in a directory for administrators.
    path = shutil.which(name, path=os.environ["PATH"] + ":/usr/sbin:/usr/local/sbin")
    if path is None:
        message = f"NOT TESTED: there is no {name} here; apt-get install {package}"
        warnings.warn(message, pytest.PytestWarning, stacklevel=2)
        pytest.skip(message)
    return path


@pytest.fixture
def redis_server() -> Iterator[RedisServer]:
    """Start a Redis server for one test."""
    pytest.importorskip("redis")
    # A short path: those of unix sockets have at most 107 characters.
    with tempfile.TemporaryDirectory(prefix="redis") as directory:
        server = RedisServer(_binary("redis-server", "redis-server"), Path(directory))
        try:
            server.start()
            yield server
        finally:
            server.stop()


class NatsServer:
    """A nats-server of the test's own, with JetStream, on a free port."""

    def __init__(self, binary: str, directory: Path) -> None:
        self._binary, self._directory = binary, directory
        self._process: subprocess.Popen[str] | None = None
        self.port = -1  # a free one; the same one after a restart

    @property
    def url(self) -> str:
        return f"nats://127.0.0.1:{self.port}"

    def start(self, *options: str) -> None:
        directory = str(self._directory)
        command = [self._binary, "--addr", "127.0.0.1", "--port", str(self.port)]
        command += ["--jetstream", "--store_dir", directory]
        command += options
        # S603: the test's own server.
        self._process = subprocess.Popen(  # noqa: S603
            command, stderr=subprocess.PIPE, text=True
        )
        assert self._process.stderr is not None
        for line in self._process.stderr:
            # Each line of its log has the process's number: this is the one.
            assert line.startswith(f"[{self._process.pid}]")
            if "Listening for client connections on" in line:
                self.port = int(line.rpartition(":")[2])
            if "Server is ready" in line:
                return
        pytest.fail("nats-server did not start")

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.communicate(timeout=PATIENCE)
            self._process = None


@pytest.fixture
def nats_server() -> Iterator[NatsServer]:
    """Start a NATS server for one test."""
    pytest.importorskip("nats")
    with tempfile.TemporaryDirectory(prefix="nats") as directory:
        server = NatsServer(_binary("nats-server", "nats-server"), Path(directory))
        try:
            server.start()
            yield server
        finally:
            server.stop()
