"""AsgiToWsgi in forked processes, as a WSGI server that preloads makes them."""

import os
import subprocess
import sys

import pytest

SCRIPT = """
import asyncio, faulthandler, io, os, warnings
from wsgiref.util import setup_testing_defaults
from asgibridge import Bridge
from asgibridge.adapters import AsgiToWsgi

warnings.simplefilter("ignore")  # 3.12 warns of threads at every fork

async def app(scope, receive, send):
    for _ in range(3):  # so that the caller goes to sleep
        await asyncio.sleep(0)
    await send({"type": "http.response.start", "status": 200})
    await send({"type": "http.response.body", "body": b"x"})

adapter = AsgiToWsgi(app, bridge=Bridge(), lifespan="off")

def ask():
    environ = {}
    setup_testing_defaults(environ)
    assert adapter(environ, lambda *_: None) == [b"x"]

ask()
children = []
for _ in range(3):
    child = os.fork()
    if not child:
        faulthandler.dump_traceback_later(40, exit=True)
        for _ in range(300):
            ask()
        adapter.close()
        os._exit(7)
    children.append(child)
for child in children:
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
ask()
adapter.close()
print("parent")
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="a system without fork")
def test_forked_children_do_not_wake_each_other() -> None:
    """Their parent has served a request before: it has descriptors that they inherit."""
    done = subprocess.run(  # noqa: S603  # our own interpreter, our own words
        [sys.executable, "-c", SCRIPT],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.stdout.split() == ["7", "7", "7", "parent"], done.stderr
