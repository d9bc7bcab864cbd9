"""From ``module:attribute`` to the object it names."""

import difflib
import importlib
import sys
import traceback
from pathlib import Path
from types import ModuleType

from ..errors import ApplicationLoadError

__all__ = ("load_application",)


def load_application(target: str, *, directory: Path) -> object:
    """Import the module that *target* names and return the attribute.

    Args:
        target: ``module:attribute``; both may have dots.
        directory: Put in front of ``sys.path``, and left there: the application
            may import more later.

    Raises:
        ApplicationLoadError: If there is no such module or attribute, or the
            module raises while it is imported.
    """
    module_name, _, attribute = target.partition(":")
    if not (_is_dotted_name(module_name) and _is_dotted_name(attribute)):
        msg = (
            f"{target!r} is not of the form module:attribute{_hint(module_name)}; "
            "an example: mysite.wsgi:application"
        )
        raise ApplicationLoadError(msg)
    if str(directory) not in sys.path:
        sys.path.insert(0, str(directory))
    return _follow(_import(module_name), attribute, target)


def _is_dotted_name(text: str) -> bool:
    return all(part.isidentifier() for part in text.split("."))


def _hint(module_name: str) -> str:
    """Return what to say to those who name the file instead of the module."""
    if "/" in module_name or "\\" in module_name:
        return " (a module's name has dots, no slashes)"
    return ""


def _import(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as exc:
        if exc.name is None or not f"{name}.".startswith(f"{exc.name}."):
            raise _import_failed(name, exc) from exc
        msg = f"no module named {exc.name!r}, neither here nor among those installed"
        if name.endswith(".py"):
            msg += f"; did you mean {name.removesuffix('.py')!r}?"
        raise ApplicationLoadError(msg) from exc
    # Foreign code may raise anything; SystemExit if it is a script.
    except (Exception, SystemExit) as exc:
        raise _import_failed(name, exc) from exc


def _import_failed(name: str, exc: BaseException) -> ApplicationLoadError:
    """Say what went wrong, and where in the user's code."""
    frame = traceback.extract_tb(exc.__traceback__)[-1]
    what = type(exc).__name__ + (f": {exc}" if str(exc) else "")
    where = f"{frame.filename}, line {frame.lineno}"
    if isinstance(exc, SyntaxError):
        where = f"{exc.filename}, line {exc.lineno}"
        what = f"SyntaxError: {exc.msg}"
    msg = f"importing {name!r} failed with {what} ({where})"
    return ApplicationLoadError(" ".join(msg.split()))


def _follow(module: ModuleType, attribute: str, target: str) -> object:
    found: object = module
    for name in attribute.split("."):
        try:
            found = getattr(found, name)
        except AttributeError as exc:
            close = difflib.get_close_matches(name, dir(found), n=1)
            did_you_mean = f"; did you mean {close[0]!r}?" if close else ""
            msg = f"no attribute {name!r} for {target!r} in {_name(found)}"
            raise ApplicationLoadError(msg + did_you_mean) from exc
    return found


def _name(owner: object) -> str:
    if isinstance(owner, ModuleType):
        return f"module {owner.__name__!r} ({owner.__file__})"
    return repr(owner)
