"""Writes "How fast" in README.md, and its plot: ``python docs/speed.py``.

Both say what is in `SOURCE`, which the benchmarks have written, and nothing
else; a test says when this has to be run again.
"""

import re
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Final

import attrs

DOCS: Final = Path(__file__).parent
SOURCE: Final = DOCS / "performance" / "asyncio-pin-3.11.md"
PLOT: Final = DOCS / "speed.svg"
README: Final = DOCS.parent / "README.md"

# Scenarios of the benchmarks, by name, and what to call them in few words.
_CHOSEN: Final[Mapping[str, str]] = {
    "a": "blocking code, one call at a time",
    "b": "blocking code, 100 calls at once, one thread",
    "c": "async code, from blocking code without a loop",
    "d": "async code, from blocking code below async code",
    "g": "a thread-sensitive context with one call",
    "r": "a request shaped like Django's",
}
_SECTION: Final = re.compile(r"^## ([\w-]+): .*\n((?:.*\n)*?)(?=## |\Z)", re.MULTILINE)
_ROW: Final = re.compile(r"^\| (?!---)(\S[^|]*) \| ([\d.,]+) \|", re.MULTILINE)
_BEGIN: Final = "<!-- Written by docs/speed.py. -->\n"
_END: Final = "<!-- Until here. -->\n"


@attrs.frozen
class Result:
    """One scenario, in microseconds for one operation."""

    title: str
    ours: float
    asgiref: float
    other: tuple[str, float] | None
    """The quickest of the others, if any took part, and its time."""


def read(page: str) -> Sequence[Result]:
    """Return the chosen scenarios of a page of measurements."""
    sections: Mapping[str, str] = dict(_SECTION.findall(page))
    return [_result(title, sections[name]) for name, title in _CHOSEN.items()]


def _result(title: str, section: str) -> Result:
    rows = {name: float(time.replace(",", "")) for name, time in _ROW.findall(section)}
    # A bare hand-off, without context or cancellation, is no competitor.
    no_other = ("asgibridge", "asgiref", "bare ", "floor")
    others = [row for row in rows.items() if not row[0].startswith(no_other)]
    other = min(others, key=lambda row: row[1], default=None)
    return Result(title, rows["asgibridge"], rows["asgiref"], other)


def machine(page: str) -> str:
    """Return what it was measured on, as the page says it."""
    hardware, software, *_ = re.findall(r"^- (.*)$", page, re.MULTILINE)
    return f"{hardware}; {software}"


def table(results: Sequence[Result]) -> str:
    """Return the table for people who do not see the plot, or want figures."""
    lines = [
        "| Calling | asgibridge | asgiref | the quickest other |",
        "|---|---:|---:|---:|",
    ]
    for result in results:
        other = "" if result.other is None else _other(*result.other)
        ours, theirs = _figure(result.ours), _figure(result.asgiref)
        lines.append(f"| {result.title} | {ours} | {theirs} | {other} |")
    return "\n".join(lines)


def _other(name: str, time: float) -> str:
    return f"{_figure(time)} ({name})"


def _figure(time: float) -> str:
    return f"{time:.3g} µs" if time < 1000 else f"{time:,.0f} µs"  # noqa: PLR2004 - digits


# The plot, by hand: what draws the others writes another file each time it is
# of another version.
_WIDTH: Final = 760
_LEFT: Final = 340
_ROOM: Final = _WIDTH - _LEFT - 60
_BAR: Final = 11
_STEP: Final = 46
_STYLE: Final = """
text { font: 13px system-ui, "Segoe UI", "DejaVu Sans", sans-serif; fill: #1f2328; }
.small { font-size: 11px; } .value { font-size: 11px; }
.ours { fill: #0d9488; } .asgiref { fill: #7f7fe0; } .other { fill: #b7a24a; }
@media (prefers-color-scheme: dark) { text { fill: #d5dbe3; } }
"""


def plot(results: Sequence[Result], caption: str) -> str:
    """Return the picture: how many times as long as asgibridge others take."""
    longest = max(result.asgiref / result.ours for result in results)
    longest = max(longest, *(it.other[1] / it.ours for it in results if it.other))
    height = 34 + _STEP * len(results) + 22
    title = "Time for one call, as a multiple of that of asgibridge"
    size = f'width="{_WIDTH}" height="{height}" viewBox="0 0 {_WIDTH} {height}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">',
        f"<title>{title}</title>",
        f"<style>{_STYLE}</style>",
        *_legend(),
    ]
    for number, result in enumerate(results):
        parts += _bars(result, 34 + _STEP * number, _ROOM / longest)
    parts.append(f'<text class="small" x="4" y="{height - 6}">{escape(caption)}</text>')
    return "\n".join([*parts, "</svg>", ""])


def _legend() -> list[str]:
    names = (
        ("ours", "asgibridge"),
        ("asgiref", "asgiref"),
        ("other", "quickest other"),
    )
    parts = ['<text x="4" y="17">times as long as asgibridge</text>']
    for place, (kind, name) in enumerate(names):
        x = _LEFT + 120 * place
        parts.append(
            f'<rect class="{kind}" x="{x}" y="8" width="{_BAR}" height="{_BAR}"/>'
        )
        parts.append(f'<text class="small" x="{x + 16}" y="17">{name}</text>')
    return parts


def _bars(result: Result, top: int, scale: float) -> list[str]:
    parts = [f'<text x="4" y="{top + 24}">{escape(result.title)}</text>']
    bars = [("ours", 1.0), ("asgiref", result.asgiref / result.ours)]
    if result.other is not None:
        bars.append(("other", result.other[1] / result.ours))
    for place, (kind, ratio) in enumerate(bars):
        y, width = top + 2 + (_BAR + 2) * place, ratio * scale
        parts.append(
            f'<rect class="{kind}" x="{_LEFT}" y="{y}" width="{width:.1f}"'
            f' height="{_BAR}" rx="2"/>'
        )
        x = _LEFT + width + 5
        parts.append(
            f'<text class="value" x="{x:.1f}" y="{y + 9.5}">{ratio:.2g}</text>'
        )
    return parts


def with_table(readme: str, results: Sequence[Result]) -> str:
    """Return the README with the table between its two comments."""
    before, _, rest = readme.partition(_BEGIN)
    _, found, after = rest.partition(_END)
    if not found:
        msg = f"README.md needs the lines {_BEGIN!r} and {_END!r}"
        raise ValueError(msg)
    return f"{before}{_BEGIN}\n{table(results)}\n\n{_END}{after}"


def main() -> None:
    """Write both."""
    page = SOURCE.read_text("utf-8")
    results = read(page)
    PLOT.write_text(plot(results, machine(page)), "utf-8")
    README.write_text(with_table(README.read_text("utf-8"), results), "utf-8")


if __name__ == "__main__":
    main()
