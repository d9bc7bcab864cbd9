"""The adapters under real servers, over real sockets, with real clients."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import httpx
import pytest

HERE = Path(__file__).parent
GIB = 1024**3
# What a process may grow by while a gigabyte passes through it.
FLAT_KIB = 16 * 1024

COMMANDS: dict[str, list[str]] = {
    "uvicorn": [
        "uvicorn",
        "--port={port}",
        "--log-level=critical",
        "interop_apps:asgi",
    ],
    "uvicorn-h11": [
        *["uvicorn", "--port={port}", "--log-level=critical", "--http=h11"],
        *["--loop=asyncio", "interop_apps:asgi"],
    ],
    "hypercorn": [
        *["hypercorn", "--bind=127.0.0.1:{port}", "--log-level=CRITICAL"],
        "interop_apps:asgi",
    ],
    "daphne": ["daphne", "--port={port}", "--verbosity=0", "interop_apps:asgi"],
    "granian": [
        *["granian", "--interface=asgi", "--port={port}", "--no-log"],
        "interop_apps:asgi",
    ],
    "waitress": ["waitress", "--listen=127.0.0.1:{port}", "interop_apps:wsgi"],
    "gunicorn": [
        *["gunicorn", "--bind=127.0.0.1:{port}", "--threads=8", "--log-level=critical"],
        *["--worker-tmp-dir=/dev/shm", "interop_apps:wsgi"],  # a heartbeat
    ],
}


@attrs.frozen
class Running:
    """A server process."""

    name: str
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def get(self, path: str, **options: Any) -> httpx.Response:
        return httpx.get(f"{self.url}{path}", timeout=60, **options)

    def post(self, path: str, data: Any, **options: Any) -> httpx.Response:
        return httpx.post(f"{self.url}{path}", content=data, timeout=60, **options)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


def wait_until_it_listens(process: subprocess.Popen[bytes], port: int) -> None:
    for _ in range(300):
        with (
            contextlib.suppress(OSError),
            socket.create_connection(("127.0.0.1", port)),
        ):
            return
        with contextlib.suppress(subprocess.TimeoutExpired):
            pytest.fail(f"the server ended: {process.wait(timeout=0.1)}")
    pytest.fail("the server does not listen")


@contextlib.contextmanager
def started(name: str) -> Iterator[Running]:
    port = free_port()
    module, *arguments = (part.format(port=port) for part in COMMANDS[name])
    process = subprocess.Popen(  # noqa: S603 # from the table above
        [sys.executable, "-m", module, *arguments],
        cwd=HERE,
        env={**os.environ, "PYTHONPATH": str(HERE)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_until_it_listens(process, port)
        yield Running(name, port)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise


@pytest.fixture(
    scope="module", params=["uvicorn", "uvicorn-h11", "hypercorn", "daphne", "granian"]
)
def asgi_server(request: pytest.FixtureRequest) -> Iterator[Running]:
    with started(request.param) as server:
        yield server


@pytest.fixture(scope="module", params=["waitress", "gunicorn"])
def wsgi_server(request: pytest.FixtureRequest) -> Iterator[Running]:
    with started(request.param) as server:
        yield server


@pytest.mark.parametrize("app", ["flask", "django", "bottle"])
def test_wsgi_frameworks_under_asgi_servers(asgi_server: Running, app: str) -> None:
    """Queries, mounts, bodies, streams, HEAD, errors."""
    answer = asgi_server.get(f"/{app}/hello?name=%C3%A9")
    assert answer.text == f"{app} é at /{app}"
    assert answer.status_code == 200
    data = os.urandom(1_000_000)
    assert asgi_server.post(f"/{app}/echo", data).content == data
    assert asgi_server.get(f"/{app}/stream").text == "0\n1\n2\n"
    head = httpx.head(f"{asgi_server.url}/{app}/stream", timeout=60)
    assert (head.status_code, head.content) == (200, b"")
    assert asgi_server.get(f"/{app}/nothing").status_code == 404
    assert asgi_server.get(f"/{app}/fail").status_code == 500


def test_a_body_without_a_length_arrives(asgi_server: Running) -> None:
    """With frameworks that heed `wsgi.input_terminated`: of the three, Flask."""
    for path, answer in (
        ("/flask/echo", b"a" + b"b" * 100_000),
        ("/plain/count", b"100001"),
    ):
        chunked = asgi_server.post(path, iter([b"a", b"b" * 100_000]))
        assert chunked.content == answer


def test_what_servers_tell_arrives_in_the_environ(asgi_server: Running) -> None:
    """Each has ways of its own."""
    answer = asgi_server.get(
        "/plain/environ?a=%20b",
        headers=[("X-A", "1"), ("X-A", "2"), ("X_Real_Ip", "spoofed")],
    )
    environ = json.loads(answer.content)
    assert environ["QUERY_STRING"] == "a=%20b"
    assert environ["REQUEST_URI"] == "/plain/environ?a=%20b"
    assert environ["HTTP_X_A"] == "1,2"
    assert "HTTP_X_REAL_IP" not in environ
    assert environ["REMOTE_ADDR"] == "127.0.0.1"
    assert int(environ["REMOTE_PORT"])
    assert environ["SERVER_NAME"]
    assert environ["SERVER_PORT"] == str(asgi_server.port)
    assert environ["SERVER_PROTOCOL"] == "HTTP/1.1"
    assert environ["wsgi.url_scheme"] == "http"


def test_a_file_arrives(asgi_server: Running) -> None:
    """Granian sends it by itself, by its path; under the others it is read."""
    answer = asgi_server.get("/plain/file")
    assert answer.content == (HERE / "interop_apps.py").read_bytes()
    extensions = asgi_server.get("/plain/extensions").text.split()
    assert ("http.response.pathsend" in extensions) == (asgi_server.name == "granian")


def leave_in_the_middle(server: Running, path: str) -> None:
    with socket.create_connection(("127.0.0.1", server.port)) as client:
        client.sendall(b"GET %s HTTP/1.1\r\nHost: x\r\n\r\n" % path.encode())
        assert client.recv(1000).startswith(b"HTTP/1.1 200")
        # Without lingering a close is a reset: as abrupt as it gets.
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")


def test_an_abrupt_disconnect_stops_a_wsgi_application(asgi_server: Running) -> None:
    """Its result is closed, and the server goes on."""
    leave_in_the_middle(asgi_server, "/plain/endless")
    assert asgi_server.get("/plain/closed").content == b"1"


def test_an_abrupt_disconnect_stops_an_asgi_application(wsgi_server: Running) -> None:
    """Its generator is closed, and the server goes on."""
    leave_in_the_middle(wsgi_server, "/endless")
    assert wsgi_server.get("/closed").json() is True


def test_asgi_frameworks_under_wsgi_servers(wsgi_server: Running) -> None:
    """Queries, bodies, streams, HEAD, errors, threads."""
    assert wsgi_server.get("/hello?name=%C3%A9").json() == "fastapi é"
    data = os.urandom(1_000_000)
    assert wsgi_server.post("/echo", data).content == data
    chunked = wsgi_server.post("/echo", iter([b"a", b"b" * 100_000]))
    assert chunked.content == b"a" + b"b" * 100_000
    assert wsgi_server.get("/stream").text == "0\n1\n2\n"
    assert wsgi_server.get("/sync").status_code == 200
    assert wsgi_server.get("/nothing").status_code == 404
    assert wsgi_server.get("/fail").status_code == 500


def curl(*arguments: str, stdin: Any = None) -> bytes:
    done = subprocess.run(  # noqa: S603 # a fixed program
        ["curl", "--silent", "--show-error", "--fail", "--max-time", "60", *arguments],  # noqa: S607 # wherever it is
        stdin=stdin,
        capture_output=True,
        check=True,
    )
    return done.stdout


def test_curl_waits_for_100_continue(asgi_server: Running) -> None:
    """And uploads when the application reads."""
    data = "x" * 2_000_000
    answer = subprocess.run(  # noqa: S603 # a fixed program
        [  # wherever it is
            *["curl", "--silent", "--fail", "--max-time", "60", "--data-binary", "@-"],
            *["--header", "Expect: 100-continue", f"{asgi_server.url}/plain/count"],
        ],
        input=data.encode(),
        capture_output=True,
        check=True,
    )
    assert answer.stdout == b"2000000"


def upload(url: str, size: int) -> bytes:
    """Send *size* zeros with curl."""
    with subprocess.Popen(  # noqa: S603 # fixed programs
        ["head", "-c", str(size), "/dev/zero"],  # noqa: S607 # wherever it is
        stdout=subprocess.PIPE,
    ) as zeros:
        return curl(
            "--header",
            "Expect:",
            "--upload-file",
            "-",
            "-X",
            "POST",
            url,
            stdin=zeros.stdout,
        )


def download(url: str) -> int:
    """Read with curl; return how many bytes came."""
    return int(curl("--output", os.devnull, "--write-out", "%{size_download}", url))


@pytest.mark.slow
def test_a_gibibyte_passes_through_wsgi_with_flat_memory() -> None:
    """Up and down, under uvicorn."""
    with started("uvicorn") as server:
        upload(f"{server.url}/plain/count", GIB // 64)
        download(f"{server.url}/plain/large?{GIB // 64}")
        before = int(server.get("/plain/peak").content)
        assert upload(f"{server.url}/plain/count", GIB) == b"%d" % GIB
        assert download(f"{server.url}/plain/large?{GIB}") == GIB
        assert int(server.get("/plain/peak").content) - before < FLAT_KIB


@pytest.mark.slow
def test_a_gibibyte_passes_through_asgi_with_flat_memory() -> None:
    """Up and down, under gunicorn's threads."""
    with started("gunicorn") as server:
        upload(f"{server.url}/count", GIB // 64)
        download(f"{server.url}/large/{GIB // 64}")
        before = int(server.get("/peak").content)
        assert int(upload(f"{server.url}/count", GIB)) == GIB
        assert download(f"{server.url}/large/{GIB}") == GIB
        assert int(server.get("/peak").content) - before < FLAT_KIB
