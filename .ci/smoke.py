"""Use the installed wheel: every package without extras, and calls both ways."""

import asyncio
import importlib
import subprocess
import sys
import threading
from importlib.metadata import requires, version
from importlib.resources import files
from pathlib import Path

from asgibridge import Bridge

PACKAGES = ("adapters", "bridge", "errors", "executors", "local", "observers")
CORE = ("attrs", "typing-extensions")


async def names(bridge: Bridge) -> tuple[str, str]:
    """Return the thread of a blocking call, and that of its caller."""
    there = await bridge.sync_to_async(threading.current_thread)()
    return there.name, threading.current_thread().name


def command_without_its_extra() -> str:
    """Return what the command says where click is not installed."""
    command = Path(sys.executable).with_name("asgibridge")
    done = subprocess.run(
        [command, "demo"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2, done
    return done.stderr


for name in (*PACKAGES, "loops", "servers", "types"):
    module = importlib.import_module(f"asgibridge.{name}")
    assert all(hasattr(module, public) for public in module.__all__), name
assert "site-packages" in str(files("asgibridge")), "not the installed one"
assert files("asgibridge").joinpath("py.typed").is_file()
needed = [line for line in requires("asgibridge") or () if "extra ==" not in line]
assert all(line.startswith(CORE) for line in needed), needed
with Bridge(name="smoke") as bridge:
    there, here = asyncio.run(names(bridge))
    assert there.startswith("smoke-sensitive"), there
    assert here == "MainThread", here
    # Blocking code waits for the coroutine, so the call comes back to its thread.
    there, here = bridge.async_to_sync(names)(bridge)
    assert there == "MainThread", there
assert "pip install 'asgibridge[demo]'" in command_without_its_extra()
assert threading.active_count() == 1
print(f"asgibridge {version('asgibridge')} works on Python {sys.version.split()[0]}")
