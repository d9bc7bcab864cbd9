"""The package as a whole: what it offers, and what it costs to import."""

import importlib
import pkgutil
import subprocess
import sys

import pytest

import asgibridge

PACKAGES = ["asgibridge"] + [
    f"asgibridge.{module.name}"
    for module in pkgutil.iter_modules(asgibridge.__path__)
    if not module.name.startswith("_") and module.name != "cli"
]


@pytest.mark.parametrize("name", PACKAGES)
def test_facades_name_what_they_offer(name: str) -> None:
    """Every name in `__all__` is there, once."""
    module = importlib.import_module(name)
    names: tuple[str, ...] = module.__all__
    assert len(set(names)) == len(names)
    for public in names:
        assert getattr(module, public) is not None


def test_errors_are_what_callers_catch_already() -> None:
    """Each is a BridgeError, and one of the standard classes as well."""
    from asgibridge import errors  # noqa: PLC0415  # only here

    own = errors.BridgeError
    for name in set(errors.__all__) - {"BridgeError"}:
        cls = getattr(errors, name)
        assert issubclass(cls, own)
        standard = {base for base in cls.__mro__ if not issubclass(base, own)}
        assert standard - {Exception, BaseException, object}, name


def test_importing_starts_and_loads_nothing_needless() -> None:
    """No thread, and no library but the two that the core depends on."""
    script = (
        "import sys, threading; import asgibridge; "
        "assert threading.active_count() == 1; "
        "needless = {'anyio', 'uvicorn', 'httpx', 'flask', 'pytest', 'uvloop', "
        "'rich', 'click'} & set(sys.modules); "
        "assert not needless, needless"
    )
    done = subprocess.run(  # noqa: S603  # our own interpreter, our own words
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_the_package_is_typed() -> None:
    """Type checkers are told so."""
    from importlib.resources import files  # noqa: PLC0415  # only here

    assert files("asgibridge").joinpath("py.typed").is_file()
