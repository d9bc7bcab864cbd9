"""The examples of the documentation do what they show."""

import doctest
from pathlib import Path
from types import ModuleType

import pytest

from asgibridge.local import _declared, _local

PAGE = Path(__file__).parents[2] / "docs" / "local.md"


@pytest.mark.parametrize("module", [_declared, _local])
def test_docstrings(module: ModuleType) -> None:
    """The examples in docstrings run."""
    failed, attempted = doctest.testmod(module, optionflags=doctest.ELLIPSIS)
    assert attempted > 0
    assert failed == 0


def test_page() -> None:
    """The examples of the page run, one after the other."""
    failed, attempted = doctest.testfile(str(PAGE), module_relative=False)
    assert attempted > 0
    assert failed == 0
