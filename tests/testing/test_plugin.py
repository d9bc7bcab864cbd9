"""The pytest plugin: fixtures, a marker, a leak check."""

import subprocess
import sys

import pytest

pytest_plugins = ["pytester"]


@pytest.fixture
def run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> "Run":
    """Run tests with the plugin alone, whatever else is installed."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    return Run(pytester)


class Run:
    """Runs the text of a test module in this process."""

    def __init__(self, pytester: pytest.Pytester) -> None:
        """Take pytest's own fixture."""
        self.pytester = pytester

    def __call__(self, source: str) -> pytest.RunResult:
        """Return the outcome."""
        self.pytester.makepyfile(source)
        return self.pytester.runpytest_inprocess(
            "-p", "asgibridge_pytest", "-p", "anyio", "--strict-markers",
            "-p", "no:cacheprovider",
        )  # fmt: skip


def test_bridge_is_closed(run: Run) -> None:
    """Each test has a bridge of its own, which is closed after it."""
    result = run(
        """
        import asyncio, threading

        import pytest
        from asgibridge.errors import BridgeClosedError

        bridges = []

        def test_first(bridge):
            bridges.append(bridge)
            inner = bridge.sync_to_async(threading.get_ident)
            assert asyncio.run(inner()) != threading.get_ident()

        def test_second(bridge):
            assert bridge is not bridges[0]
            with pytest.raises(BridgeClosedError):
                bridges[0].__enter__()
        """
    )
    result.assert_outcomes(passed=2)


def test_leaks_fail_the_test(run: Run) -> None:
    """A test that leaves a thread behind fails, and the thread is named."""
    result = run(
        """
        import threading

        import pytest

        release = threading.Event()

        def test_clean(bridge): pass

        @pytest.mark.usefixtures("leak_check")
        def test_leaks():
            threading.Thread(target=release.wait, name="left", daemon=True).start()

        def test_not_looked_at():
            release.set()
        """
    )
    result.assert_outcomes(passed=3, errors=1)
    result.stdout.fnmatch_lines(["*the test leaves behind: thread 'left'*"])


def test_own_thread_without_a_loop(run: Run) -> None:
    """Thread-sensitive code runs on the test's thread while the client waits."""
    result = run(
        """
        import threading

        import pytest

        def app_of(bridge):
            async def app(scope, receive, send):
                assert scope["type"] == "http"
                thread = await bridge.sync_to_async(threading.get_ident)()
                await receive()
                await send({"type": "http.response.start", "status": 200})
                body = str(thread).encode()
                await send({"type": "http.response.body", "body": body})
            return app

        @pytest.mark.own_thread
        def test_own(bridge, asgi_client):
            with asgi_client.blocking(app_of(bridge)) as client:
                assert int(client.get("/").text) == threading.get_ident()

        def test_other(bridge, asgi_client):
            client = asgi_client.blocking(app_of(bridge))
            assert int(client.get("/").text) != threading.get_ident()
        """
    )
    result.assert_outcomes(passed=2)


def test_own_thread_that_runs_a_loop_within_the_test(run: Run) -> None:
    """Thread-sensitive code runs on the test's thread, which does not wait for itself."""
    result = run(
        """
        import asyncio, threading

        import pytest

        def blocking():
            with pytest.raises(RuntimeError, match="no running event loop"):
                asyncio.get_running_loop()
            return threading.get_ident()

        @pytest.mark.own_thread
        def test_asyncio_run(bridge):
            call = asyncio.wait_for(bridge.sync_to_async(blocking)(), 60)
            assert asyncio.run(call) == threading.get_ident()

        @pytest.mark.own_thread
        def test_async_to_sync(bridge):
            call = bridge.async_to_sync(bridge.sync_to_async(blocking))
            assert call() == threading.get_ident()
        """
    )
    result.assert_outcomes(passed=2)


def test_own_thread_with_a_loop(run: Run) -> None:
    """Thread-sensitive code runs on the loop's thread, and sees no loop there."""
    result = run(
        """
        import asyncio, threading

        import pytest

        pytestmark = pytest.mark.anyio

        @pytest.fixture
        def anyio_backend():
            return "asyncio"

        def blocking():
            with pytest.raises(RuntimeError, match="no running event loop"):
                asyncio.get_running_loop()
            return threading.get_ident()

        def app_of(bridge):
            async def app(scope, receive, send):
                assert scope["type"] == "http"
                thread = await bridge.sync_to_async(blocking)()
                await receive()
                await send({"type": "http.response.start", "status": 200})
                body = str(thread).encode()
                await send({"type": "http.response.body", "body": body})
            return app

        @pytest.mark.own_thread
        async def test_own(bridge, asgi_client):
            async with asgi_client(app_of(bridge)) as client:
                assert int((await client.get("/")).text) == threading.get_ident()

        async def test_other(bridge, asgi_client):
            async with asgi_client(app_of(bridge)) as client:
                assert int((await client.get("/")).text) != threading.get_ident()
        """
    )
    result.assert_outcomes(passed=2)


def test_client_with_options(run: Run) -> None:
    """A transport with options of its own is taken as it is."""
    result = run(
        """
        from asgibridge.testing.transport import ASGITransport

        async def app(scope, receive, send):
            raise ZeroDivisionError

        def test_it(asgi_client):
            transport = ASGITransport(app, raise_app_exceptions=False)
            with asgi_client.blocking(transport, base_url="http://x") as client:
                assert client.get("/").status_code == 500
            other = asgi_client.blocking(transport)
            assert other.get("/").status_code == 500
        """
    )
    result.assert_outcomes(passed=1)


def test_adds_nothing_when_unused() -> None:
    """To load the plugin imports nothing of asgibridge."""
    code = (
        "import sys, asgibridge_pytest; "
        "print([name for name in sys.modules if name.startswith('asgibridge.')])"
    )
    ran = subprocess.run(  # noqa: S603 - this very interpreter
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert ran.stdout.strip() == "[]"
