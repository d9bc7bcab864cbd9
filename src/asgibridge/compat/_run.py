"""Running somebody's program with asgibridge in the place of asgiref."""

import os
import runpy
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Final

from ._install import install_as_asgiref

__all__ = ("main",)

USAGE: Final = "usage: python -m asgibridge.compat [-m MODULE | FILE] [ARGUMENT ...]"

# A program that starts itself again, as Django's runserver does, starts what
# __main__.__spec__ names, with the arguments that it has seen itself.  The name
# is this module's, and what to run is in the environment: it cannot be told
# from the arguments.
_VARIABLE: Final = "ASGIBRIDGE_COMPAT_RUNS"


def main(arguments: list[str]) -> None:
    """Install as asgiref, then run what *arguments* name as the main program.

    Args:
        arguments: ``FILE ...`` or ``-m MODULE ...``, as Python takes them.

    Raises:
        SystemExit: With 2, if they name nothing.
    """
    install_as_asgiref()
    if arguments[:1] == ["-m"] and len(arguments) > 1:
        _run_module(arguments[1], arguments[2:])
    elif arguments and not arguments[0].startswith("-"):
        _run_file(arguments[0], arguments[1:])
    else:
        sys.stderr.write(f"{USAGE}\n")
        raise SystemExit(2)


def run_again(arguments: list[str]) -> None:
    """Run what the parent process ran, with *arguments*."""
    kind, _, name = os.environ.get(_VARIABLE, "").partition(":")
    main([*(["-m"] if kind == "module" else []), *([name] if name else []), *arguments])


def _run_module(name: str, arguments: list[str]) -> None:
    os.environ[_VARIABLE] = f"module:{name}"
    sys.argv[:] = [name, *arguments]
    sys.path.insert(0, str(Path.cwd()))
    runpy.run_module(name, run_name="__main__", alter_sys=True)


def _run_file(name: str, arguments: list[str]) -> None:
    path = Path(name)
    if not path.is_file():
        sys.stderr.write(f"there is no file {name!r} to run\n{USAGE}\n")
        raise SystemExit(2)
    os.environ[_VARIABLE] = f"file:{path.resolve()}"
    sys.argv[:] = [name, *arguments]
    sys.path.insert(0, str(path.resolve().parent))
    code = compile(path.read_bytes(), str(path), "exec")
    namespace = sys.modules["__main__"].__dict__
    namespace["__file__"] = str(path)
    namespace["__spec__"] = ModuleSpec(__name__, None)
    exec(code, namespace)  # noqa: S102  # it is what the user asked for


if __name__ == "__main__":
    run_again(sys.argv[1:])
elif __name__ == "__mp_main__":
    # A child of multiprocessing's "spawn", on its way to the user's code.
    install_as_asgiref()
