"""The documentation as it is read: built, with its links, and in a browser.

Skipped without the extra ``docs``; the part in a browser also without that, see
tests/browser.py.
"""

import importlib
import importlib.util
import re
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, Final, final
from urllib.parse import unquote, urlsplit

import pytest

from tests.browser import Browser, needs_browser, open_browser

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        importlib.util.find_spec("furo") is None
        or importlib.util.find_spec("myst_parser") is None,
        reason="NOT TESTED: pip install -e '.[docs]'",
    ),
]

_DOCS: Final = Path(__file__).parents[1] / "docs"
_SECONDS: Final = 600  # of patience with a machine that is busy
# What sticks out of the window and cannot be scrolled to within its own box.
_STICKS_OUT: Final = """
const scrolls = (e) => {
  for (; e && e !== document.body; e = e.parentElement)
    if (getComputedStyle(e).overflowX !== "visible") return true;
  return false;
};
return [...document.querySelectorAll("article *")]
  .filter((e) => e.getBoundingClientRect().right > document.documentElement.clientWidth + 1 && !scrolls(e))
  .map((e) => `${e.tagName} ${e.textContent.slice(0, 60)}`);
"""
_WITHOUT_TEXT: Final = """
const bad = [...document.querySelectorAll("article img")]
  .filter((e) => !e.alt || !e.naturalWidth).map((e) => e.src);
const unnamed = [...document.querySelectorAll("article [role=img]")]
  .filter((e) => !e.getAttribute("aria-label")).map((e) => e.className);
return [...bad, ...unnamed];
"""
# Diagrams are drawn with letters of 16 pixels, and made as wide as there is room.
_TINY: Final = """
return [...document.querySelectorAll("article .diagram svg")]
  .map((e) => 16 * e.getBoundingClientRect().width / e.viewBox.baseVal.width)
  .filter((size) => size < 9.9);
"""
# Text that is hard to read: WCAG 2.1 asks for a contrast of 4.5, or 3 if large.
_PALE: Final = """
const parse = (text) => text.match(/[\\d.]+/g).map(Number);
const luminance = (rgb) => {
  const [r, g, b] = rgb.map((v) => (v /= 255) <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4);
  return .2126 * r + .7152 * g + .0722 * b;
};
const behind = (e) => {
  for (; e; e = e.parentElement) {
    const color = parse(getComputedStyle(e).backgroundColor);
    if (color.length === 3 || color[3] === 1) return color.slice(0, 3);
  }
  return [255, 255, 255];
};
const pale = new Set();
for (const e of document.querySelectorAll("article *")) {
  const text = [...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim());
  if (!text || e.closest("svg, .headerlink, .visually-hidden") || !e.checkVisibility()) continue;
  const style = getComputedStyle(e);
  const [one, two] = [luminance(parse(style.color).slice(0, 3)), luminance(behind(e))];
  const contrast = (Math.max(one, two) + .05) / (Math.min(one, two) + .05);
  if (contrast < (parseFloat(style.fontSize) >= 24 ? 3 : 4.5))
    pale.add(`${contrast.toFixed(2)} ${style.color} ${e.className} ${e.textContent.slice(0, 30)}`);
}
return [...pale];
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the pages; return where they are."""
    target = tmp_path_factory.mktemp("docs")
    command = [sys.executable, "-m", "sphinx", "-E", "-n", "-W", "-q"]
    done = subprocess.run(  # noqa: S603 - our own interpreter
        [*command, "-d", target / "trees", _DOCS, target / "html"],
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return target / "html"


def pages_of(built: Path) -> list[Path]:
    """List the pages that have been written by people."""
    pages = [
        path for path in sorted(built.rglob("*.html")) if "_static" not in path.parts
    ]
    assert len(pages) > 40
    return pages


@final
class _Links(HTMLParser):
    """Collects what a page leads to, and what can be led to in it."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.targets: set[str] = set()
        self.places: set[str] = {""}
        self.feed(page.read_text("utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name == "id" and value:
                self.places.add(value)
            if name in {"href", "src"} and value:
                self.targets.add(value)


def test_links_lead_somewhere(built: Path) -> None:
    """Each link within the documentation has a page, and a place on it."""
    pages = {path: _Links(path) for path in pages_of(built)}
    count = 0
    for page, links in pages.items():
        for target in links.targets:
            parts = urlsplit(target)
            if parts.scheme or parts.netloc:
                continue
            path = (page.parent / unquote(parts.path)).resolve() if parts.path else page
            assert path.exists(), f"{page.name}: {target}"
            if path in pages:
                places = pages[path].places
                assert unquote(parts.fragment) in places, f"{page.name}: {target}"
            count += 1
    assert count > 1000


def test_reference_has_every_public_name(built: Path) -> None:
    """Aliases and constants, too, which autodoc leaves out; with a text each."""
    file = pytest.importorskip("sphinx.util.inventory").InventoryFile
    inventory = file.loads((built / "objects.inv").read_bytes(), uri="")
    shown = {
        name
        for domain, entries in inventory.data.items()
        if domain.startswith("py:")
        for name in entries
    }
    modules = [
        module
        for page in (_DOCS / "reference").glob("*.md")
        for module in re.findall(r"automodule:: (\S+)", page.read_text("utf-8"))
    ]
    wanted = {
        f"{module}.{name}"
        for module in modules
        for name in getattr(importlib.import_module(module), "__all__", ())
    }
    assert wanted - shown == set()
    assert len(wanted) > 250


def test_pages_load_nothing_from_elsewhere(built: Path) -> None:
    """Who reads them offline sees the same, and nobody learns who reads them."""
    for page in pages_of(built):
        text = page.read_text("utf-8")
        for tag in ("<script", "<link", "<img", "<iframe"):
            for part in text.split(tag)[1:]:
                opening = part.partition(">")[0]
                assert 'src="http' not in opening, page
                assert tag != "<link" or 'href="http' not in opening, page


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Start a browser without a window."""
    with open_browser() as browser:
        yield browser


@needs_browser
@pytest.mark.parametrize("folder", ["", "how-to", "design", "performance", "reference"])
def test_pages_in_a_browser(built: Path, browser: Browser, folder: str) -> None:
    """On a phone and wide nothing sticks out; light and dark all can be read."""
    problems: dict[str, Any] = {}

    def look(page: Path, what: str, script: str) -> None:
        if found := browser.driver.execute_script(script):
            problems[f"{page.name}, {what}"] = found

    browser.renew()
    pages = [page for page in pages_of(built) if page.parent == built / folder]
    for page in pages:
        browser.see(width=390)
        browser.driver.get(page.as_uri())
        assert browser.page_width() <= 390, page
        look(page, "phone", _STICKS_OUT)
        look(page, "pictures", _WITHOUT_TEXT)
        look(page, "letters on a phone", _TINY)
        look(page, "light", _PALE)
        browser.see(width=390, dark=True)
        look(page, "dark", _PALE)
        browser.see(width=1280)
        assert browser.page_width() <= 1280, page
        look(page, "wide", _STICKS_OUT)
        look(page, "letters", _TINY)
        if errors := browser.errors():
            problems[f"{page.name}, errors"] = errors
    assert problems == {}
    assert pages


@needs_browser
def test_what_is_looked_for_is_found(browser: Browser, tmp_path: Path) -> None:
    """A page with every mistake: each is found, and what is right is not."""
    page = tmp_path / "page.html"
    page.write_text(
        """<!doctype html><meta name="viewport" content="width=device-width">
        <article style="background: white">
        <p style="color: #aaa">pale</p><p style="color: #333">dark</p>
        <h1 style="font-size: 30px; color: #888">pale but large</h1>
        <div style="width: 900px">wide</div>
        <div style="overflow-x: auto"><p style="width: 900px">scrolls</p></div>
        <img src="data:,"><div role="img" class="unnamed"></div>
        <div class="diagram"><svg width="100" viewBox="0 0 400 1"></svg></div>
        <div class="diagram"><svg width="100" viewBox="0 0 100 1"></svg></div>
        </article>"""
    )
    browser.renew()
    browser.see(width=390)
    browser.driver.get(page.as_uri())

    def found(script: str) -> list[Any]:
        return list(browser.driver.execute_script(script))

    assert found(_STICKS_OUT) == ["DIV wide"]
    assert found(_WITHOUT_TEXT) == ["data:,", "unnamed"]
    assert found(_TINY) == [4]
    (pale,) = found(_PALE)
    assert pale.startswith("2.3")
    assert pale.endswith("pale")
