"""Standing in for asgiref in the import system."""

import importlib
import sys
from collections.abc import Iterable, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import (
    BuiltinImporter,
    FrozenImporter,
    ModuleSpec,
    PathFinder,
)
from types import ModuleType
from typing import Final, cast, final

from ..errors import AsgirefImportedError

__all__ = ("install_as_asgiref",)

_ORIGINAL: Final = "asgiref"
_PACKAGE: Final = __name__.rpartition(".")[0]
_MODULES: Final = frozenset(
    {
        "compatibility",
        "current_thread_executor",
        "local",
        "server",
        "sync",
        "testing",
        "timeout",
        "typing",
        "wsgi",
    }
)
# The finders that Python begins with.
_PYTHONS: Final = (BuiltinImporter, FrozenImporter, PathFinder)


@final
class _Finder(MetaPathFinder, Loader):
    """Finds the modules of this package under asgiref's names.

    The module itself, and no second one: what is imported under either name is
    the same class.
    """

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,  # the signature is Python's
        target: ModuleType | None = None,  # see above
    ) -> ModuleSpec | None:
        """Find *fullname* if it is asgiref or of asgiref.

        Raises:
            ModuleNotFoundError: For a module that asgiref does not have: no
                file of the original may be loaded.
        """
        package, _, name = fullname.partition(".")
        if package != _ORIGINAL:
            return None
        if name and name not in _MODULES:
            msg = f"No module named {fullname!r}; asgibridge stands in for {_ORIGINAL}"
            raise ModuleNotFoundError(msg, name=fullname)
        return ModuleSpec(fullname, self, is_package=not name)

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """Return the module that stands in."""
        name = spec.name.replace(_ORIGINAL, _PACKAGE, 1)
        module = importlib.import_module(name)
        # Python is about to replace it.
        spec.loader_state = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        """Leave the module as it was, but for its name.

        Agents that wait for an import, such as New Relic's, know a module by the
        name that it has after this.
        """
        spec = cast("ModuleSpec", module.__spec__)  # that of find_spec
        module.__spec__ = spec.loader_state
        module.__name__ = spec.name


def install_as_asgiref() -> None:
    """Make ``import asgiref``, and each of its modules, mean asgibridge's.

    Call it first of all: in ``manage.py``, ``asgi.py`` or the settings.  Doing
    so twice does no harm.  asgiref itself need not be installed.

    Raises:
        AsgirefImportedError: If the original has been imported.  The message
            says which modules already hold it.
    """
    if any(isinstance(finder, _Finder) for finder in sys.meta_path):
        return
    present = sorted(name for name in sys.modules if _is_original(name))
    if present:
        holders = ", ".join(_holders()) or "none by name"
        msg = (
            f"asgiref has been imported already ({', '.join(present)}), and these "
            f"modules hold parts of it: {holders}; call install_as_asgiref() before "
            f"they are imported"
        )
        raise AsgirefImportedError(msg)
    # Before whatever would find the files of asgiref, and behind what agents have
    # put there to be told of imports.
    finders: list[object] = [*sys.meta_path]
    places = [finders.index(each) for each in _PYTHONS if each in finders]
    sys.meta_path.insert(min(places, default=0), _Finder())


def _is_original(name: object) -> bool:
    return isinstance(name, str) and name.partition(".")[0] == _ORIGINAL


def _holders() -> Iterable[str]:
    """List the modules that have something of asgiref in their namespace."""
    for name, module in sorted(sys.modules.items()):
        # Anything can be put in there, None as well.
        namespace: dict[str, object] = getattr(module, "__dict__", {})
        if not _is_original(name) and any(
            map(_is_of_original, list(namespace.values()))
        ):
            yield name


def _is_of_original(value: object) -> bool:
    if isinstance(value, ModuleType):
        return _is_original(value.__name__)
    # Of classes and functions alone: anything else may do anything when asked.
    return isinstance(value, (type, type(_is_original))) and _is_original(
        value.__module__
    )
