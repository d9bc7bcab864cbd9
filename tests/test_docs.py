"""Every Python example of the documentation runs, and prints what is shown.

The blocks of a page are one program, run in a process of its own.  What a page
does not show of it, or may not run, is said in comments that readers of the
built page do not see:

- ``<!-- before: CODE -->`` is run before the next block,
- ``<!-- not run: REASON -->`` leaves the next block out, but for its syntax,
- ``<!-- needs: redis-server -->``, once on a page: tests/servers/test_docs.py runs
  it,
- ``<!-- pytest -->``, once on a page: each block is a test module of its own.

A block that begins with ``# NAME.py`` is a file, which is imported.
"""

import ast
import hashlib
import json
import os
import pkgutil
import re
import subprocess
import sys
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import attrs
import pytest

import asgibridge
from tests.oracle._all import ALL as CLAUSES

_DOCS: Final = Path(__file__).parents[1] / "docs"
_PARTS: Final = re.compile(
    r"^<!-- (?P<word>before|not run):\s(?P<note>.*?)-->$"
    r"|^```(?P<language>\w+)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
_FILE_NAME: Final = re.compile(r"# (\w+\.py)\n")
# Runs the blocks one after the other and writes down what each has printed.
_RUNNER: Final = """\
import contextlib, importlib, io, json, pathlib, sys

blocks = json.loads(pathlib.Path("blocks.json").read_text("utf-8"))
names = {"__name__": "__main__"}
sys.path.insert(0, "")
for block in blocks:
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        if block["module"]:
            importlib.import_module(block["module"])
        else:
            place = "\\n" * (block["line"] - 1)
            exec(compile(place + block["source"], block["page"], "exec"), names)
    if block["output"] is not None and out.getvalue() != block["output"]:
        sys.exit(f"line {block['line']} printed {out.getvalue()!r}")
"""
# Tested where the tests of their subjects are: they are written in another form.
_ELSEWHERE: Final = {
    "testing.md": "tests/testing/test_docs.py",
    "local.md": "tests/local/test_documentation.py",
}


@attrs.frozen
class Block:
    """One block of Python, and the text after it if that is its output."""

    page: str
    line: int
    source: str
    output: str | None = None
    reason: str | None = None

    @property
    def module(self) -> str | None:
        """The module that the block is, if it is a file."""
        found = _FILE_NAME.match(self.source)
        return found[1].removesuffix(".py") if found else None

    @property
    def is_session(self) -> bool:
        """Whether it is written as in the interpreter, for doctest."""
        return self.source.startswith(">>>")


def blocks_of(page: Path) -> Sequence[Block]:
    """List the Python blocks of *page*, hidden ones included."""
    text = page.read_text("utf-8")
    found: list[Block] = []
    reason: str | None = None
    end = 0
    for part in _PARTS.finditer(text):
        line = text.count("\n", 0, part.start()) + 2
        follows = bool(found) and not text[end : part.start()].strip()
        if part["word"] == "not run":
            reason = part["note"].strip()
        elif part["word"] == "before":
            found.append(Block(page.name, line, part["note"]))
        elif part["language"] == "python":
            found.append(Block(page.name, line, part["text"], reason=reason))
            reason = None
        elif part["language"] == "text" and follows and end:
            found[-1] = attrs.evolve(found[-1], output=part["text"])
        end = part.end() if part["language"] == "python" else 0
    return found


PAGES: Final = {
    str(page.relative_to(_DOCS)): blocks
    for page in sorted(_DOCS.rglob("*.md"))
    if "_build" not in page.parts
    and str(page.relative_to(_DOCS)) not in _ELSEWHERE
    and (blocks := blocks_of(page))
}


def _pages_with(note: str) -> Sequence[str]:
    """List the pages that have the comment *note*."""
    comment = f"<!-- {note} -->\n"
    return [name for name in PAGES if comment in (_DOCS / name).read_text("utf-8")]


SUITES: Final = _pages_with("pytest")
NEED_REDIS: Final = _pages_with("needs: redis-server")
PROGRAMS: Final = [name for name in PAGES if name not in {*SUITES, *NEED_REDIS}]


def _run(folder: Path, *command: str, **environment: str) -> None:
    done = subprocess.run(  # noqa: S603  # our own interpreter and text
        [sys.executable, *command],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=folder,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1", **environment},
    )
    assert done.returncode == 0, done.stdout + done.stderr


def run_page(name: str, folder: Path, **environment: str) -> None:
    """Run the blocks of a page in *folder*, one after the other.

    Args:
        name: The page.
        folder: Gets the files that the page writes.
        environment: Variables of the process.
    """
    blocks = [
        block for block in PAGES[name] if not block.reason and not block.is_session
    ]
    for block in blocks:
        if block.module:
            (folder / f"{block.module}.py").write_text(block.source)
    data = [{**attrs.asdict(block), "module": block.module} for block in blocks]
    (folder / "blocks.json").write_text(json.dumps(data), "utf-8")
    (folder / "runner.py").write_text(_RUNNER)
    _run(folder, "-W", "error", "runner.py", **environment)


@pytest.mark.parametrize("name", PROGRAMS)
def test_page(name: str, tmp_path: Path) -> None:
    """Pasted one after the other, the blocks do what the page says."""
    run_page(name, tmp_path)


@pytest.mark.parametrize("name", SUITES)
def test_suite(name: str, tmp_path: Path) -> None:
    """Each block is a test module that passes."""
    for number, block in enumerate(PAGES[name]):
        if not block.reason:
            path = tmp_path / (f"{block.module or f'test_block_{number}'}.py")
            path.write_text(block.source)
    plugins = ("-p", "asgibridge_pytest", "-p", "no:cacheprovider")
    # Whatever else is installed.
    autoload = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    _run(tmp_path, "-m", "pytest", "-q", *plugins, "-W", "error", ".", **autoload)


@pytest.mark.parametrize("name", PAGES)
def test_what_is_left_out(name: str) -> None:
    """A block that is not run says why, and is Python all the same."""
    for block in PAGES[name]:
        if block.reason is not None:
            assert len(block.reason) > len("because")
            compile(block.source, name, "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)


def test_sessions_are_doctests_elsewhere() -> None:
    """Pages in the form of an interpreter session are those that have a doctest."""
    sessions = {
        name
        for name, blocks in PAGES.items()
        if any(block.is_session for block in blocks)
    }
    assert sessions == {"beyond-calls.md"}  # tests/bridge/test_beyond_documentation.py


def test_no_block_is_overlooked() -> None:
    """However a block of Python is fenced, it is found."""
    for name, blocks in PAGES.items():
        text = (_DOCS / name).read_text("utf-8")
        shown = len(
            re.findall(r"^\s*```\s*\{?(?:python|py|code)\b", text, re.MULTILINE)
        )
        hidden = text.count("<!-- before:")
        assert len(blocks) == shown + hidden, name


def _docstrings(source: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(source.read_text("utf-8"))):
        if isinstance(
            node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
        ):
            yield ast.get_docstring(node) or ""


def test_examples_of_the_reference_are_python() -> None:
    """What docstrings show is a part of a program, which can at least be read."""
    examples = [
        textwrap.dedent(block)
        for source in sorted(Path(asgibridge.__path__[0]).rglob("*.py"))
        for text in _docstrings(source)
        for block in re.findall(r"::\n\n((?:    .*\n?|\n)+)", text)
    ]
    for example in examples:
        compile(example, "docstring", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    assert len(examples) > 10


def _hash(diagram: str) -> str:
    return hashlib.sha256(diagram.strip().encode()).hexdigest()[:16]


def test_diagrams_have_their_pictures() -> None:
    """Each picture is of a diagram as it is now; docs/diagrams.py draws them."""
    texts = [
        diagram
        for page in _DOCS.rglob("*.md")
        for diagram in re.findall(
            r"^```mermaid\n(.*?)^```$",
            page.read_text("utf-8"),
            re.MULTILINE | re.DOTALL,
        )
    ]
    pictures = {picture.stem for picture in (_DOCS / "_diagrams").glob("*.svg")}
    assert pictures == {_hash(text) for text in texts}
    assert len(pictures) > 4


def test_reference_has_every_public_module() -> None:
    """A new public module gets into the reference.

    But for the command line, what is below the public layers, and asgiref's modules.
    """
    elsewhere = ("asgibridge.cli", "asgibridge.loops", "asgibridge.compat.")
    public = {
        name
        for _, name, _ in pkgutil.walk_packages(asgibridge.__path__, "asgibridge.")
        if "._" not in name and not name.startswith(elsewhere)
    }
    shown = {
        name
        for page in (_DOCS / "reference").glob("*.md")
        for name in re.findall(r"automodule:: (\S+)", page.read_text("utf-8"))
    }
    assert shown == public


def test_engine_page_names_what_there_is() -> None:
    """Classes, functions and modules that the page speaks of exist."""
    page = (_DOCS / "design" / "engine.md").read_text("utf-8")
    package = Path(asgibridge.__path__[0])
    sources = [*package.rglob("*.py")]
    text = "\n".join(source.read_text("utf-8") for source in sources)
    text += "\n".join(source.stem for source in sources)
    names = set(re.findall(r"`(_?[A-Za-z]\w*)`", page))
    assert {name for name in names if not re.search(rf"\b{name}\b", text)} == set()
    assert len(names) > 20


def _verdicts() -> dict[str, dict[str, tuple[str, str]]]:
    """Return promise and asgiref's verdict by group and clause, as they are published."""
    page = (_DOCS / "design" / "asgiref-differences.md").read_text("utf-8")
    row = r"^\| (.+) \| `(\w+)` \| kept \| (.+) \|$"
    return {
        section.partition("\n")[0]: {
            clause: (promise.replace("\\|", "|"), verdict)
            for promise, clause, verdict in re.findall(row, section, re.MULTILINE)
        }
        for section in re.split(r"^## ", page, flags=re.MULTILINE)[1:]
    }


def test_differences_have_every_clause() -> None:
    """A clause that is added, or says something else, gets into the table.

    ``python -m tests.oracle table`` writes it; asgiref's verdicts take minutes.
    """
    published = {
        (group, clause, promise)
        for group, clauses in _verdicts().items()
        for clause, (promise, _) in clauses.items()
    }
    assert published == {(it.group, it.name, it.promise) for it in CLAUSES}


def test_comparison_counts_what_the_differences_say() -> None:
    """As many promises, and as many kept by asgiref, in the same order."""
    page = (_DOCS / "comparison.md").read_text("utf-8")
    counts = re.findall(r"^\| ([A-Z][^|]*) \| (\d+) \| (\d+) \|$", page, re.MULTILINE)
    assert counts == [
        (group, str(len(found)), str(sum(it == "kept" for _, it in found.values())))
        for group, found in _verdicts().items()
    ]
    assert len(counts) > 4


def test_comparison_names_the_version_that_was_measured() -> None:
    """The same asgiref as in the table."""
    differences = (_DOCS / "design" / "asgiref-differences.md").read_text("utf-8")
    (version,) = re.findall(r"and asgiref ([\d.]+) on", differences)
    page = (_DOCS / "comparison.md").read_text("utf-8")
    assert f"asgiref {version}" in page
