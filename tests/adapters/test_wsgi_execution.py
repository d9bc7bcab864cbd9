"""WsgiToAsgi: threads, contexts, loops, lifespans."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication

import pytest
import uvloop

from asgibridge.adapters import WsgiLimits, WsgiToAsgi
from asgibridge.bridge import Bridge
from asgibridge.errors import (
    ExecutorClosedError,
    ExecutorDroppedCallError,
    UnsupportedScopeError,
)
from asgibridge.executors import WorkerPool
from asgibridge.observers._names import name_of
from asgibridge.testing import RecordingObserver

from .conftest import Server

Make = Callable[..., Server]
Environ = dict[str, Any]
TEXT = [("Content-Type", "text/plain")]


def hello(environ: Environ, start_response: StartResponse) -> list[bytes]:
    start_response("200 OK", TEXT)
    return [b"hello"]


class Barrier:
    """An application in which *parties* requests meet."""

    def __init__(self, parties: int) -> None:
        self.barrier = threading.Barrier(parties)
        self.threads: list[int] = []

    def __call__(self, environ: Environ, start_response: StartResponse) -> list[bytes]:
        self.threads.append(threading.get_ident())
        self.barrier.wait(timeout=60)
        return hello(environ, start_response)


async def serve_all(adapter: WsgiToAsgi, servers: list[Server]) -> None:
    await asyncio.gather(*(server.run(adapter) for server in servers))


def test_requests_run_at_once_up_to_the_cap(bridge: Bridge, server: Make) -> None:
    """32 by default; each on its own thread."""
    app = Barrier(32)
    servers = [server() for _ in range(32)]
    asyncio.run(serve_all(WsgiToAsgi(app, bridge=bridge), servers))
    assert len(set(app.threads)) == 32
    assert all(server.body == b"hello" for server in servers)


def test_no_more_than_the_cap_run_at_once(bridge: Bridge, server: Make) -> None:
    """The others wait for a thread, and get one."""
    running = most = 0
    lock = threading.Lock()

    def app(environ: Environ, start_response: StartResponse) -> list[bytes]:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        pair.wait(timeout=60)
        with lock:
            running -= 1
        return hello(environ, start_response)

    pair = threading.Barrier(2)
    servers = [server() for _ in range(20)]
    asyncio.run(serve_all(WsgiToAsgi(app, bridge=bridge, max_workers=2), servers))
    assert most == 2
    assert all(server.is_complete for server in servers)


def test_idle_streams_do_not_starve_others(bridge: Bridge, server: Make) -> None:
    """Below the cap, a request is served while streams wait."""
    go_on = threading.Event()

    def app(environ: Environ, start_response: StartResponse) -> Iterator[bytes]:
        start_response("200 OK", TEXT)
        yield b"a"
        if environ["PATH_INFO"] == "/stream":
            assert go_on.wait(timeout=60)

    async def main() -> None:
        adapter = WsgiToAsgi(app, bridge=bridge, max_workers=4)
        streams = [server(path="/stream") for _ in range(3)]
        tasks = [asyncio.ensure_future(stream.run(adapter)) for stream in streams]
        for stream in streams:
            await stream.until(lambda: stream.sent)  # noqa: B023 # awaited here
        other = server()
        await other.run(adapter)
        assert other.is_complete
        go_on.set()
        await asyncio.gather(*tasks)

    asyncio.run(main())


def test_too_many_waiting_requests_are_turned_away(
    bridge: Bridge, server: Make, caplog: pytest.LogCaptureFixture
) -> None:
    """With 503 and a time to come back; the others are served."""
    go_on = threading.Event()

    def app(environ: Environ, start_response: StartResponse) -> list[bytes]:
        assert go_on.wait(timeout=60)
        return hello(environ, start_response)

    async def main() -> list[Server]:
        limits = WsgiLimits(max_queued=3)
        adapter = WsgiToAsgi(app, bridge=bridge, max_workers=1, limits=limits)
        servers = [server() for _ in range(10)]
        tasks = [asyncio.ensure_future(each.run(adapter)) for each in servers]
        await servers[-1].until(lambda: servers[-1].is_complete)
        go_on.set()
        await asyncio.gather(*tasks)
        return servers

    servers = asyncio.run(main())
    statuses = [server.sent[0]["status"] for server in servers]
    assert 3 <= statuses.count(200) <= 4
    assert statuses.count(200) + statuses.count(503) == 10
    assert (b"retry-after", b"1") in servers[-1].sent[0]["headers"]
    assert "refused with 503" in caplog.text


VARIABLE: ContextVar[str] = ContextVar("VARIABLE", default="unset")


def test_context_variables_are_seen_and_isolated(bridge: Bridge, server: Make) -> None:
    """Each request sees those of its ASGI task, and changes only its own copy."""

    def app(environ: Environ, start_response: StartResponse) -> Iterator[bytes]:
        start_response("200 OK", TEXT)
        yield VARIABLE.get().encode()
        VARIABLE.set(VARIABLE.get() + "+")
        yield VARIABLE.get().encode()

    async def one(adapter: WsgiToAsgi, name: str) -> bytes:
        VARIABLE.set(name)
        asked = server()
        await asked.run(adapter)
        assert VARIABLE.get() == name
        return asked.body

    async def main() -> list[bytes]:
        adapter = WsgiToAsgi(app, bridge=bridge, max_workers=2)
        return await asyncio.gather(*(one(adapter, str(n)) for n in range(6)))

    assert asyncio.run(main()) == [b"%d%d+" % (n, n) for n in range(6)]
    assert VARIABLE.get() == "unset"


@pytest.mark.parametrize("thread_sensitive", [False, True])
def test_async_code_can_be_called_from_the_application(
    bridge: Bridge, server: Make, *, thread_sensitive: bool
) -> None:
    """Through the bridge, to any depth."""

    async def inner() -> bytes:
        await asyncio.sleep(0)
        return await bridge.sync_to_async(lambda: b"deep")()

    def app(environ: Environ, start_response: StartResponse) -> list[bytes]:
        data = bridge.async_to_sync(inner)()
        start_response("200 OK", TEXT)
        return [data]

    asked = server()
    adapter = WsgiToAsgi(app, bridge=bridge, thread_sensitive=thread_sensitive)
    asyncio.run(asked.run(adapter))
    assert asked.body == b"deep"


def test_thread_sensitive_requests_share_one_thread(
    bridge: Bridge, server: Make
) -> None:
    """That of the bridge; the environ says so."""
    threads: list[int] = []
    flags: list[bool] = []

    def app(environ: Environ, start_response: StartResponse) -> Iterator[bytes]:
        flags.append(environ["wsgi.multithread"])
        start_response("200 OK", TEXT)
        for _ in range(2):
            threads.append(threading.get_ident())
            yield b"x"

    async def main() -> None:
        adapter = WsgiToAsgi(app, bridge=bridge, thread_sensitive=True)
        await serve_all(adapter, [server() for _ in range(5)])
        threads.append(await bridge.sync_to_async(threading.get_ident)())

    asyncio.run(main())
    assert len(threads) == 11
    assert len(set(threads)) == 1
    assert set(flags) == {False}


def test_a_closed_bridge_fails_thread_sensitive_requests(server: Make) -> None:
    """With its own error, in the request's task."""
    bridge = Bridge()
    adapter = WsgiToAsgi(hello, bridge=bridge, thread_sensitive=True)
    bridge.close()
    with pytest.raises(RuntimeError, match="closed"):
        asyncio.run(server().run(adapter))


@pytest.mark.parametrize(
    ("options", "flag"),
    [({}, True), ({"max_workers": 1}, False), ({"max_workers": 2}, True)],
)
def test_the_environ_is_true_to_the_executor(
    bridge: Bridge, server: Make, options: dict[str, Any], *, flag: bool
) -> None:
    """`wsgi.multithread` is whether requests may meet."""

    def app(environ: Environ, start_response: StartResponse) -> list[bytes]:
        assert environ["wsgi.multithread"] is flag
        assert environ["wsgi.multiprocess"] is False
        return hello(environ, start_response)

    adapter = WsgiToAsgi(app, bridge=bridge, multiprocess=False, **options)
    asyncio.run(server().run(adapter))


def test_any_executor_of_the_standard_library_runs_requests(
    bridge: Bridge, server: Make
) -> None:
    """It is not closed with the adapter."""
    names: list[str] = []

    def app(environ: Environ, start_response: StartResponse) -> list[bytes]:
        names.append(threading.current_thread().name)
        return hello(environ, start_response)

    asked = server()
    with ThreadPoolExecutor(thread_name_prefix="mine") as executor:
        with WsgiToAsgi(app, bridge=bridge, executor=executor) as adapter:
            asyncio.run(asked.run(adapter))
        assert executor.submit(int).result(timeout=60) == 0
    assert names[0].startswith("mine")
    assert asked.is_complete


def test_a_pool_runs_requests_without_futures(bridge: Bridge, server: Make) -> None:
    """One pool may serve several adapters."""
    asked = server()
    with WorkerPool(max_workers=1, name="shared") as pool:
        adapter = WsgiToAsgi(hello, bridge=bridge, executor=pool)
        asyncio.run(asked.run(adapter))
    assert asked.is_complete
    with pytest.raises(ExecutorClosedError):
        asyncio.run(server().run(adapter))


def test_a_request_that_its_executor_drops_fails(bridge: Bridge, server: Make) -> None:
    """It does not wait for ever."""

    class Dropping:
        def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
            future: Future[Any] = Future()
            future.cancel()
            return future

    adapter = WsgiToAsgi(hello, bridge=bridge, executor=Dropping())
    with pytest.raises(ExecutorDroppedCallError, match="cancelled hello"):
        asyncio.run(server().run(adapter))


@pytest.mark.parametrize("sensitive", [True, False])
@pytest.mark.parametrize(("app", "name"), [(hello, "hello"), (Barrier(1), "Barrier")])
def test_observers_see_a_request_under_the_name_of_the_application(
    app: WSGIApplication, name: str, server: Make, *, sensitive: bool
) -> None:
    """That of the adapter's own function would say nothing."""
    observer = RecordingObserver()
    with Bridge(observers=[observer]) as bridge:
        adapter = WsgiToAsgi(app, bridge=bridge, thread_sensitive=sensitive)
        asyncio.run(server().run(adapter))
    (crossing,) = observer.crossings
    assert name_of(crossing.function) == name


def test_one_adapter_serves_several_loops(bridge: Bridge, server: Make) -> None:
    """One after the other, and at once in several threads."""
    adapter = WsgiToAsgi(hello, bridge=bridge)
    for _ in range(3):
        asked = server()
        asyncio.run(asked.run(adapter))
        assert asked.is_complete
    together = WsgiToAsgi(Barrier(3), bridge=bridge)
    servers = [server() for _ in range(3)]
    threads = [
        threading.Thread(target=asyncio.run, args=(each.run(together),))
        for each in servers
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert all(each.is_complete for each in servers)


@pytest.mark.parametrize("debug", [False, True])
@pytest.mark.parametrize("factory", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_every_loop_will_do(
    bridge: Bridge, server: Make, factory: Any, *, debug: bool
) -> None:
    """asyncio's, also in debug mode, and uvloop's."""

    def app(environ: Environ, start_response: StartResponse) -> Iterator[bytes]:
        start_response("200 OK", TEXT)
        yield from environ["wsgi.input"]

    async def main() -> None:
        servers = [server(b"a\n", b"b\n") for _ in range(20)]
        await serve_all(WsgiToAsgi(app, bridge=bridge), servers)
        assert all(each.body == b"a\nb\n" for each in servers)

    with asyncio.Runner(loop_factory=factory, debug=debug) as runner:
        runner.run(main())


def test_websockets_are_refused(bridge: Bridge, server: Make) -> None:
    """After the connect event, as ASGI wants it."""
    asked = server(incoming=[{"type": "websocket.connect"}], type="websocket")
    asyncio.run(asked.run(WsgiToAsgi(hello, bridge=bridge)))
    assert asked.received == 1
    assert [event["type"] for event in asked.sent] == ["websocket.close"]


def test_a_websocket_that_has_gone_is_not_refused(bridge: Bridge, server: Make) -> None:
    """Nothing may be sent after the disconnect event."""
    asked = server(incoming=[{"type": "websocket.disconnect"}], type="websocket")
    asyncio.run(asked.run(WsgiToAsgi(hello, bridge=bridge)))
    assert asked.sent == []


def test_unknown_scopes_raise(bridge: Bridge, server: Make) -> None:
    """A server that asks for more must not wait for answers."""
    with pytest.raises(UnsupportedScopeError, match="'mqtt'"):
        asyncio.run(server(type="mqtt").run(WsgiToAsgi(hello, bridge=bridge)))


STARTUP, SHUTDOWN = {"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}


def test_the_lifespan_is_answered_and_ends_the_threads(
    bridge: Bridge, server: Make
) -> None:
    """And the adapter can begin another."""
    adapter = WsgiToAsgi(hello, bridge=bridge)

    async def main() -> list[Any]:
        life = server(incoming=[STARTUP], type="lifespan")
        task = asyncio.ensure_future(life.run(adapter))
        await life.until(lambda: life.sent)
        await server().run(adapter)
        life.feed(SHUTDOWN)
        await task
        return life.sent

    for _ in range(2):
        with no_new_threads():
            assert [event["type"] for event in asyncio.run(main())] == [
                "lifespan.startup.complete",
                "lifespan.shutdown.complete",
            ]


@contextmanager
def no_new_threads() -> Iterator[None]:
    """Wait, at the end, for the threads that were started; they must end soon."""
    before = set(threading.enumerate())
    yield
    for thread in set(threading.enumerate()) - before:
        thread.join(timeout=60)  # half of what an idle thread is kept
        assert not thread.is_alive()


def test_the_shutdown_waits_for_requests_in_flight(
    bridge: Bridge, server: Make, caplog: pytest.LogCaptureFixture
) -> None:
    """Those whose task was cancelled, too; but not for ever."""
    begun, go_on = threading.Event(), threading.Event()

    def app(environ: Environ, start_response: StartResponse) -> list[bytes]:
        begun.set()
        assert go_on.wait(timeout=60)
        return hello(environ, start_response)

    async def main(seconds: float) -> None:
        adapter = WsgiToAsgi(app, bridge=bridge, drain_timeout=seconds)
        life = server(incoming=[STARTUP], type="lifespan")
        living = asyncio.ensure_future(life.run(adapter))
        asked = server()
        serving = asyncio.ensure_future(asked.run(adapter))
        await life.until(lambda: life.sent)
        assert await asyncio.to_thread(begun.wait, 60)
        serving.cancel()
        life.feed(SHUTDOWN)
        await life.until(lambda: life.received == 2)
        await asyncio.sleep(0)
        if seconds:
            assert len(life.sent) == 1
            go_on.set()
        await living
        assert len(life.sent) == 2

    asyncio.run(main(10))
    assert not caplog.records
    begun.clear()
    go_on.clear()
    asyncio.run(main(0))
    assert "1 requests were still running 0 seconds" in caplog.text
    go_on.set()


def test_an_adapter_ends_with_its_bridge(server: Make) -> None:
    """Unless it is gone already."""
    bridge = Bridge()
    forgotten = WsgiToAsgi(hello, bridge=bridge)
    adapter = WsgiToAsgi(hello, bridge=bridge)
    with no_new_threads():
        asyncio.run(server().run(adapter))
        del forgotten
        bridge.close()


def test_a_failed_dispatch_leaves_nothing_behind(bridge: Bridge, server: Make) -> None:
    """The request counts as neither waiting nor in flight."""

    class Refusing:
        def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
            msg = "full"
            raise RuntimeError(msg)

    limits = WsgiLimits(max_queued=1)
    adapter = WsgiToAsgi(hello, bridge=bridge, executor=Refusing(), limits=limits)
    for _ in range(3):  # a second one would be 503 if the first still counted
        with pytest.raises(RuntimeError, match="full"):
            asyncio.run(server().run(adapter))


def test_a_loop_that_is_closed_does_not_stop_a_thread(
    bridge: Bridge, server: Make
) -> None:
    """Who rings there is not answered, and goes on."""
    began, go_on, ended = threading.Event(), threading.Event(), threading.Event()

    def app(environ: Environ, start_response: StartResponse) -> list[bytes]:
        began.set()
        assert go_on.wait(timeout=60)
        try:
            return hello(environ, start_response)
        finally:
            ended.set()

    async def main() -> None:
        task = asyncio.ensure_future(server().run(WsgiToAsgi(app, bridge=bridge)))
        assert await asyncio.to_thread(began.wait, 10)
        task.cancel()

    asyncio.run(main())
    go_on.set()
    assert ended.wait(timeout=60)
