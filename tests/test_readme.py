"""Every Python example of README.md runs, and prints what README.md says."""

import os
import re
import runpy
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import attrs
import click
import httpx
import pytest

from asgibridge.cli._main import COMMANDS, cli
from bench.scenarios import ALL as SCENARIOS

_ROOT: Final = Path(__file__).parents[1]
_README: Final = _ROOT / "README.md"
_FENCE: Final = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_FILE_NAME: Final = re.compile(r"# (\w+\.py)\n")


@attrs.frozen
class Example:
    """A block of Python, and the block of text after it."""

    line: int
    source: str
    output: str

    @property
    def file_name(self) -> str | None:
        """The file that the first line says it is."""
        found = _FILE_NAME.match(self.source)
        return found[1] if found else None


def _examples() -> Sequence[Example]:
    text = _README.read_text(encoding="utf-8")
    blocks = list(_FENCE.finditer(text))
    found: list[Example] = []
    for number, block in enumerate(blocks):
        if block[1] != "python":
            continue
        line = text.count("\n", 0, block.start()) + 2
        following = blocks[number + 1] if number + 1 < len(blocks) else None
        is_output = (
            following is not None
            and following[1] == "text"
            and not text[block.end() : following.start()].strip()
        )
        output = following[2] if following is not None and is_output else ""
        found.append(Example(line, block[2], output))
    return found


EXAMPLES: Final = _examples()


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda e: f"line {e.line}")
def test_example(example: Example, tmp_path: Path) -> None:
    """A reader who pastes the block into a file sees what README.md says.

    In a process of its own: what it forgets to close shows, and so does an
    interpreter that cannot exit.
    """
    for other in EXAMPLES:
        if other.file_name is not None:
            (tmp_path / other.file_name).write_text(other.source)
    # Blank lines in front, so that line numbers in a traceback are README.md's.
    script = tmp_path / "README_md.py"
    script.write_text("\n" * (example.line - 1) + example.source)
    done = subprocess.run(  # noqa: S603 - our own interpreter and text
        [sys.executable, "-W", "error", str(script)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=tmp_path,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    )
    assert done.stderr == ""
    assert done.stdout == example.output
    assert done.returncode == 0


def test_serve_example(tmp_path: Path) -> None:
    """The shop is served by the command that README.md gives, but for the port."""
    (shop,) = [example for example in EXAMPLES if example.file_name == "shop.py"]
    (tmp_path / "shop.py").write_text(shop.source)
    text = _README.read_text(encoding="utf-8")
    (command,) = re.findall(
        r"^asgibridge (serve shop:app) --port \d+$", text, re.MULTILINE
    )
    script = Path(sys.executable).with_name("asgibridge")
    with subprocess.Popen(  # noqa: S603 - our own command
        [str(script), *command.split(), "--port", "0"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as server:
        assert server.stdout is not None
        try:
            (url,) = re.findall(r"http://\S+", server.stdout.readline())
            answer = httpx.get(url, trust_env=False).text
        finally:
            server.terminate()
    assert answer == "Open until six."
    assert server.returncode == 0


def test_all_examples_are_found() -> None:
    """No block of Python escapes, however it is fenced."""
    text = _README.read_text(encoding="utf-8")
    assert len(EXAMPLES) == len(re.findall(r"```\s*python|```py\b", text)) > 4


@pytest.mark.parametrize("job", ["main job", "tests"])
def test_commands_are_where_ci_reads_them(job: str) -> None:
    """.ci/run runs the command lines of these two list items."""
    text = _README.read_text(encoding="utf-8")
    (line,) = re.findall(rf"^- {job}: `(.+)`$", text, re.MULTILINE)
    assert line.startswith("pip install -e '.[")


def test_speed_is_what_was_measured() -> None:
    """Table and plot say what the page of measurements says; docs/speed.py does it."""
    names = runpy.run_path(str(_ROOT / "docs" / "speed.py"))
    page = names["SOURCE"].read_text("utf-8")
    results = names["read"](page)
    readme = _README.read_text("utf-8")
    assert readme == names["with_table"](readme, results)
    plot = names["plot"](results, names["machine"](page))
    assert names["PLOT"].read_text("utf-8") == plot
    # What only hands over is no competitor: see `Kind` of the benchmarks.
    floors = {it.name for scenario in SCENARIOS for it in scenario.contenders}
    floors -= {
        it.name
        for scenario in SCENARIOS
        for it in scenario.contenders
        if it.kind != "floor"
    }
    assert floors
    assert not {it.other[0] for it in results if it.other is not None} & floors
    # As text, not only as the same function computes it.
    for name in ("a", "b", "c", "d", "g", "r"):
        (section,) = re.findall(rf"^## {name}: [^#]*", page, re.MULTILINE)
        ours, asgiref = (
            re.findall(rf"^\| {who} \| ([\d.]+) ", section, re.MULTILINE)[0]
            for who in ("asgibridge", "asgiref")
        )
        assert f"| {float(ours):g} µs | {float(asgiref):g} µs |" in readme
        assert f">{float(asgiref) / float(ours):.2g}</text>" in plot


@pytest.mark.parametrize(
    "page", ["README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"]
)
def test_links(page: str) -> None:
    """What a page refers to is there; the pages below docs have a test of their own."""
    text = (_ROOT / page).read_text("utf-8")
    targets = re.findall(r"\]\(([^)\s]+)\)", text)
    inside = [target for target in targets if "://" not in target]
    for target in inside:
        assert (_ROOT / target.partition("#")[0]).exists(), target
    assert len(targets) >= (12 if page == "README.md" else 0)


def test_command_line_is_as_shown() -> None:
    """Every command is there, and each option exists; all of them if no "[...]"."""
    text = _README.read_text("utf-8")
    (block,) = re.findall(r"```text\n(asgibridge serve .*?)```", text, re.DOTALL)
    shown = dict(
        re.findall(r"^asgibridge (\w+)((?:.|\n(?! *asgibridge))*)", block, re.MULTILINE)
    )
    assert shown.keys() == COMMANDS.keys()
    for name, line in shown.items():
        command = cli.get_command(click.Context(cli), name)
        assert command is not None
        options = {
            option
            for parameter in command.params
            for option in (*parameter.opts, *parameter.secondary_opts)
            if option.startswith("--")
        }
        found = set(re.findall(r"--[\w-]+", line))
        assert found == options or (found < options and "[...]" in line), name
