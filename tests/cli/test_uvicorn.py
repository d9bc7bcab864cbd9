"""Running uvicorn inside a command."""

import os
import signal
import socket
import threading

import httpx
import pytest

from asgibridge.cli._uvicorn import (
    background_server,
    listen,
    serve_until_signalled,
    sigterm_interrupts,
    url_of,
)
from asgibridge.errors import AddressError, BridgeError
from asgibridge.types import Receive, Scope, Send


async def hello(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer everything with the name of the thread; lifespan included."""
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
        return
    body = threading.current_thread().name.encode()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})


async def refuses_to_start(scope: Scope, receive: Receive, send: Send) -> None:
    """Fail at startup."""
    assert scope["type"] == "lifespan"
    await receive()
    await send({"type": "lifespan.startup.failed", "message": "no database"})


def test_listen_takes_a_free_port() -> None:
    """Port 0 is a free one, told by the URL."""
    with listen("127.0.0.1", 0) as first, listen("127.0.0.1", 0) as second:
        assert url_of(first) == f"http://127.0.0.1:{first.getsockname()[1]}"
        assert url_of(first) != url_of(second)


@pytest.mark.skipif(not socket.has_ipv6, reason="this Python has no IPv6")
def test_listen_ipv6() -> None:
    """An IPv6 address is put into brackets."""
    try:
        listener = listen("::1", 0)
    except AddressError as exc:  # the kernel may be without it
        pytest.skip(str(exc))
    with listener:
        assert url_of(listener) == f"http://[::1]:{listener.getsockname()[1]}"


def test_listen_on_a_port_in_use() -> None:
    """A port in use is named, with the host."""
    with listen("127.0.0.1", 0) as first:
        port = first.getsockname()[1]
        message = f"cannot listen on 127.0.0.1 port {port}: Address already in use"
        with pytest.raises(AddressError, match=message) as caught:
            listen("127.0.0.1", port)
    assert isinstance(caught.value, BridgeError)
    assert isinstance(caught.value, OSError)


@pytest.mark.parametrize("host", ["host.invalid", "192.0.2.1", "2001:db8::1"])
def test_listen_on_another_machines_address(host: str) -> None:
    """A host that is not this machine is named."""
    with pytest.raises(AddressError, match=f"cannot listen on {host} port 0: .") as e:
        listen(host, 0)
    assert "None" not in str(e.value)


def test_background_server_serves_on_its_own_thread() -> None:
    """The server answers within the block, on a thread named uvicorn, not after."""
    listener = listen("127.0.0.1", 0)
    url = url_of(listener)
    with background_server(hello, listener):
        assert httpx.get(url, trust_env=False).text == "uvicorn"
    assert "uvicorn" not in {thread.name for thread in threading.enumerate()}
    assert listener.fileno() == -1
    with pytest.raises(httpx.ConnectError):
        httpx.get(url, trust_env=False)


def test_background_server_does_not_start() -> None:
    """An application that fails at startup is an error, not an endless wait."""
    listener = listen("127.0.0.1", 0)
    with (
        pytest.raises(RuntimeError, match="the application did not start"),
        background_server(refuses_to_start, listener),
    ):
        pytest.fail("the block must not be entered")  # pragma: no cover
    assert listener.fileno() == -1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_serve_until_signalled(number: signal.Signals) -> None:
    """Either signal ends the server after its requests; then handlers are back."""
    before = {n: signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)}
    listener = listen("127.0.0.1", 0)
    url = url_of(listener)
    answers: list[str] = []

    def visit() -> None:
        answers.append(httpx.get(url, trust_env=False).text)
        os.kill(os.getpid(), number)

    client = threading.Thread(target=visit)
    client.start()
    assert serve_until_signalled(hello, listener, log_level="warning")
    client.join()
    assert answers == ["MainThread"]
    assert listener.fileno() == -1
    assert {n: signal.getsignal(n) for n in before} == before


def test_serve_until_signalled_reports_a_failed_startup(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A lifespan that fails is told by the result, and by uvicorn's log."""
    listener = listen("127.0.0.1", 0)
    assert not serve_until_signalled(refuses_to_start, listener, log_level="error")
    assert "no database" in capsys.readouterr().err
    assert listener.fileno() == -1


def test_sigterm_interrupts() -> None:
    """SIGTERM is a KeyboardInterrupt within the block, and what it was after it."""
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt), sigterm_interrupts():
        signal.raise_signal(signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) is before
