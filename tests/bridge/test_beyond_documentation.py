"""The examples of docs/beyond-calls.md do what they show."""

import doctest
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "beyond-calls.md"


def test_page() -> None:
    """The examples of the page run, one after the other."""
    failed, attempted = doctest.testfile(str(PAGE), module_relative=False)
    assert attempted > 0
    assert failed == 0
