"""Every example of docs/testing.md is a test module that passes."""

import re
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

PAGE = Path(__file__).parents[2] / "docs" / "testing.md"
BLOCKS = re.findall(
    r"^```python\n(.*?)^```$", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL
)


@pytest.mark.parametrize("number", range(len(BLOCKS)))
def test_example(
    number: int, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The example passes, whatever else is installed."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    pytester.makepyfile(BLOCKS[number])
    result = pytester.runpytest_inprocess(
        "-p", "asgibridge_pytest", "-p", "no:cacheprovider", "-W", "error"
    )
    outcomes = result.parseoutcomes()
    outcomes.pop("skipped", None)  # promises that a suite's executor does not make
    assert set(outcomes) == {"passed"}


def test_there_are_examples() -> None:
    """The page has not changed its form unnoticed."""
    assert len(BLOCKS) == 6
