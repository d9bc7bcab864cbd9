"""The examples of docs/observers.md run, one after the other."""

import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "observers.md"
BLOCKS = re.findall(
    r"^```python\n(.*?)^```$", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL
)


def test_examples(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Together they are one program; its own assertions hold."""
    pytest.importorskip("opentelemetry", reason="needs the extra otel")
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    for number, block in enumerate(BLOCKS):
        code = compile(block, f"{PAGE.name}, example {number + 1}", "exec")
        exec(code, names)  # noqa: S102 - the documentation's own code
    assert "load_user" in (tmp_path / "timeline.html").read_text("utf-8")
    assert (tmp_path / "timeline.json").exists()
    assert len(BLOCKS) == 6
