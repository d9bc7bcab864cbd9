"""Forks, signals and the end of the interpreter, each in a process of its own."""

import os
import subprocess
import sys
import textwrap

import pytest

PRELUDE = """
import asyncio, atexit, os, signal, sys, threading
from asgibridge import Bridge
from asgibridge.executors import *
bridge = Bridge()

def thread():
    return threading.get_ident()

async def back():
    return await bridge.sync_to_async(thread)()

async def both():
    one = await bridge.sync_to_async(lambda: bridge.async_to_sync(back)())()
    return one, await bridge.sync_to_async(thread, thread_sensitive=False)()
"""


def run_script(script: str, status: int = 0) -> str:
    """Run *script* in a new interpreter; return what it printed."""
    done = subprocess.run(  # noqa: S603  # our own interpreter, our own words
        [sys.executable, "-X", "dev", "-c", PRELUDE + textwrap.dedent(script)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == status, done.stderr
    if status == 0:
        assert done.stderr == ""
    return done.stdout


@pytest.mark.skipif(not hasattr(os, "fork"), reason="a system without fork")
def test_a_forked_child_starts_clean() -> None:
    """It crosses in both directions, after its parent did, and so does the parent."""
    script = """
        import warnings
        warnings.simplefilter("ignore")  # 3.12 warns of threads at every fork
        persistent = PersistentLoopRunner()
        other = Bridge(runner=persistent)
        async def where():
            return id(asyncio.get_running_loop()), threading.get_ident()
        async def scoped():
            async with bridge.thread_sensitive_context():
                return await both()
        def cross():
            asyncio.run(both())
            asyncio.run(scoped())
            bridge.async_to_sync(both)()
            other.async_to_sync(both)()
        cross()
        loop = other.async_to_sync(where)()
        assert other.async_to_sync(where)() == loop
        child = os.fork()
        if child == 0:
            cross()
            assert other.async_to_sync(where)()[0] != loop[0]
            bridge.close()
            persistent.close()
            print("child", flush=True)
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        cross()
        assert other.async_to_sync(where)() == loop
        bridge.close()
        persistent.close()
        print("parent")
    """
    assert run_script(script).split() == ["child", "parent"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="a system without fork")
def test_a_fork_within_a_crossing() -> None:
    """The child of a worker thread can cross too: places of the parent are gone."""
    script = """
        import warnings
        warnings.simplefilter("ignore")
        def work():
            child = os.fork()
            if child == 0:
                bridge.async_to_sync(both)()
                asyncio.run(both())
                os._exit(7)
            return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        async def main():
            return await bridge.sync_to_async(work)()
        print(asyncio.run(main()), bridge.async_to_sync(main)())
        bridge.close()
    """
    assert run_script(script).split() == ["7", "7"]


@pytest.mark.parametrize("close", [True, False])
def test_the_interpreter_can_always_exit(close: bool) -> None:  # noqa: FBT001  # a parameter
    """With threads idle and busy, closed or not; nothing is printed."""
    script = f"""
        asyncio.run(both())
        bridge.async_to_sync(both)()
        busy = threading.Event()
        if {close}:
            bridge.close()
        else:
            # A call that never ends, abandoned.
            workers = WorkerPool()
            workers.submit(lambda: (busy.set(), threading.Event().wait()))
            busy.wait()
        print("end")
    """
    assert run_script(script) == "end\n"


def test_crossing_at_exit() -> None:
    """Both directions work in atexit handlers."""
    script = """
        def at_exit():
            bridge.async_to_sync(both)()
            print("crossed")
        bridge.async_to_sync(both)()
        atexit.register(at_exit)
    """
    assert run_script(script) == "crossed\n"


@pytest.mark.skipif(sys.platform == "win32", reason="a signal is sent")
@pytest.mark.parametrize("below", [False, True])
def test_ctrl_c_ends_a_wait(below: bool) -> None:  # noqa: FBT001  # a parameter
    """On the main thread it cancels the coroutine, and goes on when that ended."""
    script = f"""
        async def wait():
            try:
                os.kill(os.getpid(), signal.SIGINT)
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                print("cancelled")
                raise
        async def nested():
            await bridge.sync_to_async(bridge.async_to_sync(wait))()
        try:
            bridge.async_to_sync(nested if {below} else wait)()
        except KeyboardInterrupt:
            print("interrupted")
        bridge.async_to_sync(both)()
        bridge.close()
    """
    assert run_script(script).split() == ["cancelled", "interrupted"]


@pytest.mark.skipif(sys.platform == "win32", reason="a signal is sent")
def test_ctrl_c_in_a_call_back() -> None:
    """Raised inside of a thread-sensitive call on the main thread."""
    script = """
        def interrupted():
            os.kill(os.getpid(), signal.SIGINT)
            threading.Event().wait(60)
        async def main():
            await bridge.sync_to_async(interrupted)()
        try:
            bridge.async_to_sync(main)()
        except KeyboardInterrupt:
            print("interrupted")
        bridge.async_to_sync(both)()
        bridge.close()
    """
    assert run_script(script) == "interrupted\n"
