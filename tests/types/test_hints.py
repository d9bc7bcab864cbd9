"""`typing.get_type_hints` works on everything public, in every module."""

import importlib
import inspect
import pkgutil
import typing
from collections.abc import Iterator

import pytest

import asgibridge


def public_modules() -> list[str]:
    """Return the names of the modules that have no underscore, all extras included."""
    found = pkgutil.walk_packages(asgibridge.__path__, "asgibridge.")
    return ["asgibridge", *(module.name for module in found if "._" not in module.name)]


def annotated(name: str, one: object) -> Iterator[tuple[str, object]]:
    """Yield a class or function, and what a class has of its own, by their names."""
    function = inspect.unwrap(one) if callable(one) else one
    if isinstance(one, type) or inspect.isfunction(function):
        yield name, function
    for key, value in vars(one).items() if isinstance(one, type) else ():
        within = getattr(value, "__func__", getattr(value, "fget", value))
        if inspect.isfunction(within):
            yield f"{name}.{key}", within


@pytest.mark.parametrize("module", public_modules())
def test_type_hints_can_be_read(module: str) -> None:
    """No name is missing at run time, and none is less than it is to type checkers."""
    found = importlib.import_module(module)
    unreadable = {}
    for name in getattr(found, "__all__", ()):
        for place, one in annotated(name, getattr(found, name)):
            try:
                typing.get_type_hints(one)
            except Exception as exc:  # noqa: BLE001 - all of them are to be listed
                unreadable[place] = repr(exc)
    assert unreadable == {}


def test_there_is_something_to_read() -> None:
    """Modules and names are found."""
    modules = public_modules()
    assert {"asgibridge.types", "asgibridge.adapters", "asgibridge.testing"} < {
        *modules
    }
    types = importlib.import_module("asgibridge.types")
    assert sum(len(list(annotated(x, getattr(types, x)))) for x in types.__all__) > 80
