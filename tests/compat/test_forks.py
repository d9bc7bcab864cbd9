"""Forked children start clean, each time in a process of its own."""

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import httpx
import pytest

pytestmark = pytest.mark.skipif(
    not hasattr(os, "fork"), reason="this system has no fork"
)

SECONDS: Final = 60.0  # a safety net
PROJECT: Final = Path(__file__).parents[2] / "examples" / "django"

# What every child does: it crosses both ways, on threads of its own.
COMMON: Final = """
import asyncio, multiprocessing, os, sys, threading, warnings
warnings.simplefilter("ignore", DeprecationWarning)  # of forking with threads
from asgiref.sync import (AsyncSingleThreadContext, ThreadSensitiveContext,
                          async_to_sync, sync_to_async)
from asgiref.local import Local

local = Local()
ident = threading.get_ident
thread = sync_to_async(ident)

async def inner():
    await asyncio.sleep(0)
    return await thread()

def cross():
    here = ident()
    assert async_to_sync(inner)() == here
    async def main():
        shared = await thread()
        assert await thread() == shared != here
        async with ThreadSensitiveContext():
            own = await thread()
            assert own not in (shared, here)
            assert await sync_to_async(async_to_sync(inner))() == own
        assert await sync_to_async(ident, thread_sensitive=False)() != here
    asyncio.run(main())
    async def where():
        return ident()
    with AsyncSingleThreadContext():
        assert async_to_sync(where)() == async_to_sync(where)() != here

def child():
    assert threading.active_count() == 1, threading.enumerate()
    assert local.value == "parent"
    local.value = "child"
    cross()

def fork():
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            child()
            code = 0
        finally:
            sys.stderr.flush()
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert local.value == "parent"

local.value = "parent"
cross()
"""


def run(code: str) -> None:
    """Run *code* as a program on asgibridge."""
    process = subprocess.Popen(  # noqa: S603  # our own arguments
        [sys.executable, "-c", "from asgibridge.compat import *;" + INSTALL],
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        _, errors = process.communicate(COMMON + textwrap.dedent(code), timeout=SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)  # its children as well
        process.communicate()
        raise
    assert process.returncode == 0, errors
    assert "Error" not in errors


INSTALL: Final = "install_as_asgiref(); import sys; exec(sys.stdin.read())"


def test_a_child_crosses_on_threads_of_its_own() -> None:
    run("fork(); cross(); fork()")


def test_a_child_of_multiprocessing() -> None:
    run(
        """
        context = multiprocessing.get_context("fork")
        process = context.Process(target=child)
        process.start()
        process.join()
        assert process.exitcode == 0
        with context.Pool(2) as pool:
            pool.apply(cross)
        cross()
        """
    )


def test_a_child_made_within_a_request() -> None:
    """The blocks and threads of the parent's request are not around the child."""
    run(
        """
        async def request():
            async with ThreadSensitiveContext():
                own = await thread()
                await sync_to_async(fork)()
                assert await thread() == own
        asyncio.run(request())
        with AsyncSingleThreadContext():
            fork()
        """
    )


def test_a_child_made_while_another_thread_builds_the_bridge() -> None:
    run(
        """
        from asgibridge.compat import default_bridge
        from asgibridge.compat._default import DEFAULT
        entered, release = threading.Event(), threading.Event()
        def build():
            with DEFAULT._lock:
                entered.set()
                release.wait()
        builder = threading.Thread(target=build)
        builder.start()
        entered.wait()
        DEFAULT.current = None
        fork()
        release.set()
        builder.join()
        """
    )


GUNICORN: Final = """
import logging

bind = "127.0.0.1:0"
workers = 2
threads = 2
preload_app = True
control_socket_disable = True


def when_ready(server):
    # The parent process has threads of the default bridge when it forks.
    import threading
    from asgiref.sync import async_to_sync, sync_to_async

    async def cross():
        return await sync_to_async(threading.get_ident, thread_sensitive=False)()

    async_to_sync(cross)()
    assert threading.active_count() > 1
    server.log.info("crossed before the fork")
"""


@pytest.fixture
def prefork(tmp_path: Path) -> Iterator[str]:
    """Serve the example with gunicorn, which forks after a crossing; the address."""
    (tmp_path / "conf.py").write_text(GUNICORN)
    gunicorn = [sys.executable, "-m", "asgibridge.compat", "-m", "gunicorn"]
    server = subprocess.Popen(  # noqa: S603  # our own arguments
        [*gunicorn, "-c", str(tmp_path / "conf.py"), "shop.wsgi"],
        cwd=PROJECT,
        env=os.environ | {"ASGIBRIDGE_EXAMPLE_DATABASE": str(tmp_path / "db.sqlite3")},
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )
    assert server.stderr is not None
    address, seen = "", list[str]()
    try:
        for line in server.stderr:
            seen.append(line)
            if "Listening at: " in line:
                address = line.partition("Listening at: ")[2].split()[0]
            if "crossed before the fork" in line:
                break
        else:
            pytest.fail(f"gunicorn did not start: {''.join(seen)}")
        yield address
    finally:
        server.terminate()
        server.communicate(timeout=SECONDS)
    assert server.returncode in (0, -signal.SIGTERM)


def test_gunicorn_forks_after_a_crossing(prefork: str) -> None:
    """Async views and middleware cross in each worker."""
    with httpx.Client(base_url=prefork, timeout=SECONDS) as client:
        for path in ("/async/", "/sync/") * 10:
            response = client.get(path)
            assert response.status_code == 200, response.text
            assert response.headers["x-async-middleware"] == "seen"
