"""Every public name of asgiref is here, with asgiref's signature."""

import importlib
import inspect
from collections.abc import Iterator
from typing import Final

import asgiref
import pytest

from asgibridge import compat

MODULES: Final = (
    "compatibility",
    "current_thread_executor",
    "local",
    "server",
    "sync",
    "testing",
    "timeout",
    "typing",
    "wsgi",
)
# What is the same here, but may be left out: asgiref demands it.
OPTIONAL: Final = {("CurrentThreadExecutor", "old_executor")}

# Properties there, attributes of each instance here.
IN_INSTANCES: Final = {
    ("ApplicationCommunicator", "input_queue"),
    ("ApplicationCommunicator", "output_queue"),
}


def parameters(function: object) -> list[tuple[str, object, object]]:
    """Return names, kinds and defaults; none for what has no signature."""
    try:
        signature = inspect.signature(function)  # type: ignore[arg-type]  # any object
    except (TypeError, ValueError):
        return []
    return [
        (each.name, each.kind, each.default) for each in signature.parameters.values()
    ]


def public(name: str) -> Iterator[tuple[str, object]]:
    """List what a module of asgiref has for others."""
    module = importlib.import_module(f"asgiref.{name}")
    names: list[str] = getattr(module, "__all__", list(vars(module)))
    for each in names:
        value = vars(module)[each]
        # Also what it has from its neighbours.
        is_own = str(getattr(value, "__module__", "")).startswith("asgiref.")
        if not each.startswith("_") and (is_own or hasattr(module, "__all__")):
            yield each, value


def check_keys(own: object, theirs: object) -> None:
    """Every key is here; what is optional there is not required here."""
    if hasattr(theirs, "__required_keys__"):
        here, there = vars(own), vars(theirs)
        assert here["__annotations__"].keys() >= there["__annotations__"].keys()
        assert here["__required_keys__"] <= there["__required_keys__"]


@pytest.mark.skipif(
    not asgiref.__version__.startswith(compat.__version__.rpartition(".")[0] + "."),
    reason=f"asgiref is {asgiref.__version__}, compat stands for {compat.__version__}",
)
@pytest.mark.parametrize("name", MODULES)
def test_names_and_signatures(name: str) -> None:
    found = dict(public(name))
    assert found
    ours = importlib.import_module(f"asgibridge.compat.{name}")
    for each, theirs in found.items():
        own = getattr(ours, each)
        if name == "typing":
            check_keys(own, theirs)
            continue  # there are no signatures
        expected = [
            (parameter, kind, None if (each, parameter) in OPTIONAL else default)
            for parameter, kind, default in parameters(theirs)
        ]
        assert parameters(own) == expected, each
        if inspect.isclass(theirs):
            for member, value in inspect.getmembers_static(theirs):
                if not member.startswith("_") and (each, member) not in IN_INSTANCES:
                    static = inspect.getattr_static(own, member)
                    assert parameters(static) == parameters(value), (each, member)
