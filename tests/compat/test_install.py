"""Standing in for asgiref, each time in a process of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytest_plugins = ("pytester",)

INSTALL = "from asgibridge.compat import install_as_asgiref\n"


def run(code: str, *arguments: str, ok: bool = True, **options: Any) -> str:
    """Return what a fresh Python prints that runs *code*, or *arguments*."""
    command = [sys.executable, *(arguments or ("-c", code))]
    done = subprocess.run(  # noqa: S603  # our own arguments
        command, capture_output=True, text=True, check=False, timeout=60, **options
    )
    assert (done.returncode == 0) is ok, done.stderr
    output: str = done.stdout if ok else done.stderr
    return output


def test_every_module_is_ours_and_no_file_is_asgirefs() -> None:
    output = run(
        INSTALL
        + """
install_as_asgiref()
install_as_asgiref()
import json, sys, importlib
import asgiref
names = ["sync", "local", "wsgi", "server", "testing", "typing", "compatibility",
         "timeout", "current_thread_executor"]
for name in names:
    module = importlib.import_module("asgiref." + name)
    assert module is importlib.import_module("asgibridge.compat." + name)
    assert module.__spec__.name == "asgibridge.compat." + name
    assert module.__name__ == "asgiref." + name
    assert getattr(asgiref, name) is module
import django.core.handlers.asgi, django.db, django.test, channels.db
files = [getattr(m, "__file__", "") or "" for m in list(sys.modules.values())]
print(json.dumps([asgiref.__version__, [f for f in files if "/asgiref/" in f]]))
"""
    )
    assert json.loads(output) == ["3.13.0", []]


def test_finders_that_were_there_before_are_asked_before() -> None:
    """Those of agents, which want to be told of imports."""
    run(
        "import sys\n"
        "class Finder:\n"
        "    asked = []\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        self.asked.append(name)\n"
        "sys.meta_path.insert(0, Finder())\n"
        + INSTALL
        + "install_as_asgiref()\n"
        + "import asgiref.sync\n"
        + "assert 'asgiref.sync' in Finder.asked\n"
        + "assert asgiref.sync.__spec__.name == 'asgibridge.compat.sync'\n"
    )


def test_modules_that_asgiref_does_not_have() -> None:
    code = INSTALL + "install_as_asgiref()\nimport asgiref._default"
    assert "ModuleNotFoundError" in run(code, ok=False)


def test_asgiref_need_not_be_installed(tmp_path: Path) -> None:
    (tmp_path / "asgiref.py").write_text("raise ImportError('the original')\n")
    code = INSTALL + "install_as_asgiref()\nimport asgiref.sync"
    run(code, env=os.environ | {"PYTHONPATH": str(tmp_path)})


def test_who_has_asgiref_already_is_named(tmp_path: Path) -> None:
    (tmp_path / "holder_one.py").write_text("from asgiref.sync import sync_to_async\n")
    (tmp_path / "holder_two.py").write_text("import asgiref.local as x\n")
    code = f"import holder_one, holder_two\n{INSTALL}install_as_asgiref()"
    error = run(code, ok=False, cwd=tmp_path)
    assert "AsgirefImportedError" in error
    assert "hold parts of it: holder_one, holder_two;" in error


def test_importing_it_and_keeping_nothing_is_an_error_too() -> None:
    code = f"import asgiref; del asgiref\n{INSTALL}install_as_asgiref()"
    assert "none by name" in run(code, ok=False)


def test_channels_runs_its_database_code_on_it() -> None:
    output = run(
        INSTALL
        + """
install_as_asgiref()
import asyncio, threading
import django
from django.conf import settings
settings.configure(DATABASES={"default": {
    "ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}})
django.setup()
import channels.db
from channels.consumer import SyncConsumer
from channels.db import DatabaseSyncToAsync, database_sync_to_async
from channels.testing import ApplicationCommunicator
closed = []
channels.db.close_old_connections = lambda: closed.append(threading.get_ident())

class Consumer(SyncConsumer):
    def test_ping(self, message):
        self.send({"type": "pong", "thread": threading.get_ident()})

async def main():
    thread = await database_sync_to_async(threading.get_ident)()
    assert closed == [thread, thread], closed
    talk = ApplicationCommunicator(Consumer.as_asgi(), {"type": "test"})
    await talk.send_input({"type": "test.ping"})
    pong = await talk.receive_output(10)
    assert pong["thread"] == closed[-1] != threading.get_ident()
    talk.stop()

asyncio.run(main())
print(DatabaseSyncToAsync.__mro__[1].__module__)
"""
    )
    assert output == "asgibridge.compat._sync_to_async\n"


SHOW = """
import json, sys
from asgiref.sync import SyncToAsync
import {side}
print(json.dumps([__name__, sys.argv[1:], SyncToAsync.__module__]))
"""


@pytest.fixture
def program(tmp_path: Path) -> Path:
    (tmp_path / "beside.py").write_text("")
    path = tmp_path / "program.py"
    path.write_text(SHOW.format(side="beside"))
    return path


@pytest.mark.parametrize("arguments", [["program.py"], ["-m", "program"]])
def test_running_a_program(program: Path, arguments: list[str]) -> None:
    arguments = ["-m", "asgibridge.compat", *arguments, "-x", "y"]
    found = json.loads(run("", *arguments, cwd=program.parent))
    assert found == ["__main__", ["-x", "y"], "asgibridge.compat._sync_to_async"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-m", "nowhere"], "no module 'nowhere'"),
        (["-m", "xml"], "no module 'xml'"),
        (["-m", "sys"], "no module 'sys'"),
        ([], "usage:"),
        (["-m"], "usage:"),
        (["--help"], "usage:"),
        (["nowhere.py"], "no file 'nowhere.py'"),
    ],
)
def test_nothing_to_run(arguments: list[str], message: str) -> None:
    error = run("", "-m", "asgibridge.compat", *arguments, ok=False)
    assert message in error
    assert "Traceback" not in error


@pytest.mark.parametrize("arguments", [["program.py"], ["-m", "program"]])
def test_a_program_that_starts_itself_again(
    program: Path, arguments: list[str]
) -> None:
    """As Django's runserver: from __main__.__spec__ and sys.argv."""
    program.write_text(
        "import subprocess, sys, __main__\n"
        "if len(sys.argv) == 2:\n"
        "    name = __main__.__spec__.name\n"
        "    again = [sys.executable, '-m', name, *sys.argv[1:], 'child']\n"
        "    sys.exit(subprocess.run(again).returncode)\n" + SHOW.format(side="beside")
    )
    found = run("", "-m", "asgibridge.compat", *arguments, "one", cwd=program.parent)
    assert json.loads(found)[1:] == [
        ["one", "child"],
        "asgibridge.compat._sync_to_async",
    ]


def test_running_a_package(program: Path) -> None:
    package = program.parent / "package"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "inner.py").write_text("value = 7\n")
    (package / "__main__.py").write_text("from .inner import value\nprint(value)\n")
    found = run("", "-m", "asgibridge.compat", "-m", "package", cwd=program.parent)
    assert found == "7\n"


def test_importing_main_does_nothing() -> None:
    assert run("import asgibridge.compat.__main__, sys; print(sys.argv)") == "['-c']\n"


def test_what_multiprocessing_imports_first_installs() -> None:
    code = (
        "from asgibridge.compat import _run\n"
        "_run.start('__mp_main__')\n"
        "from asgiref.sync import SyncToAsync\n"
        "print(SyncToAsync.__module__)"
    )
    assert run(code) == "asgibridge.compat._sync_to_async\n"


def test_children_of_multiprocessing(program: Path) -> None:
    program.write_text(
        "import multiprocessing, work\n"
        "if __name__ == '__main__':\n"
        "    context = multiprocessing.get_context('spawn')\n"
        "    process = context.Process(target=work.work)\n"
        "    process.start()\n"
        "    process.join()\n"
    )
    (program.parent / "work.py").write_text(
        "from asgiref.sync import SyncToAsync\n"
        "def work():\n    print(SyncToAsync.__module__)\n"
    )
    found = run("", "-m", "asgibridge.compat", "program.py", cwd=program.parent)
    assert found.split() == ["asgibridge.compat._sync_to_async"]


def test_pytest_option(pytester: pytest.Pytester) -> None:
    pytester.makeconftest("import asgiref.sync")
    pytester.makepyfile(
        "def test():\n"
        "    from asgiref.sync import SyncToAsync\n"
        "    assert SyncToAsync.__module__.startswith('asgibridge.')\n"
    )
    result = pytester.runpytest_subprocess("--asgibridge-as-asgiref")
    result.assert_outcomes(passed=1)
    result = pytester.runpytest_subprocess()
    result.assert_outcomes(failed=1)
