"""Running somebody's program with asgibridge in the place of asgiref."""

import os
import sys
from importlib.abc import InspectLoader
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from pathlib import Path
from types import CodeType
from typing import Final, NoReturn, final

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
        _fail("nothing to run")


def run_again(arguments: list[str]) -> None:
    """Run what the parent process ran, with *arguments*."""
    kind, _, name = os.environ.get(_VARIABLE, "").partition(":")
    main([*(["-m"] if kind == "module" else []), *([name] if name else []), *arguments])


@final
class _Spec(ModuleSpec):
    """Names this module, whatever package the program is of."""

    def __init__(self, package: str) -> None:
        super().__init__(__name__, None)
        self._package = package

    @property
    def parent(self) -> str:
        return self._package


def _run_module(name: str, arguments: list[str]) -> None:
    sys.path.insert(0, str(Path.cwd()))
    spec = find_spec(name)
    if spec is not None and spec.submodule_search_locations is not None:
        spec = find_spec(f"{name}.__main__")
    if spec is None or not isinstance(spec.loader, InspectLoader):
        _fail(f"there is no module {name!r} that could be run")
    # None where it was compiled by something else than Python.
    code = spec.loader.get_code(spec.name) or ""
    path = spec.origin or name
    _run_code(code, f"module:{name}", path, [path, *arguments], spec.parent or "")


def _run_file(name: str, arguments: list[str]) -> None:
    path = Path(name)
    if not path.is_file():
        _fail(f"there is no file {name!r} to run")
    sys.path.insert(0, str(path.resolve().parent))
    code = compile(path.read_bytes(), str(path), "exec")
    _run_code(code, f"file:{path.resolve()}", name, [name, *arguments], "")


def _run_code(
    code: CodeType | str, what: str, path: str, argv: list[str], package: str
) -> None:
    os.environ[_VARIABLE] = what
    sys.argv[:] = argv
    namespace = sys.modules["__main__"].__dict__
    namespace.update(__file__=path, __package__=package, __spec__=_Spec(package))
    exec(code, namespace)  # noqa: S102  # it is what the user asked for


def _fail(message: str) -> NoReturn:
    sys.stderr.write(f"{message}\n{USAGE}\n")
    raise SystemExit(2)


def start(name: str) -> None:
    """Do what is to be done when this module is executed as *name*."""
    if name == "__main__":
        run_again(sys.argv[1:])
    elif name == "__mp_main__":
        # A child of multiprocessing's "spawn", on its way to the user's code.
        install_as_asgiref()


start(__name__)
