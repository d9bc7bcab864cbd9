"""Draws the diagrams of the documentation: ``python docs/diagrams.py mermaid.min.js``.

Pages keep their diagrams as Mermaid.  What draws those is three megabytes of
JavaScript, which the documentation would have to fetch; so the pictures are
drawn here and kept in ``docs/_diagrams``, by the hash of their text.  To be run
after a diagram was changed (a test says so), with the file of the npm package
``mermaid``, chromium and selenium.
"""

import hashlib
import re
import shutil
import sys
from pathlib import Path
from typing import Final

from selenium import webdriver
from selenium.webdriver.chrome.service import Service

DOCS: Final = Path(__file__).parent
FOLDER: Final = DOCS / "_diagrams"
_FENCE: Final = re.compile(r"^```mermaid\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# As a script of the page: what it declares has to be global.
_LOAD: Final = """
const script = document.createElement("script");
script.textContent = arguments[0];
document.head.append(script);
"""
_DRAW: Final = """
const [name, text, done] = arguments;
mermaid.render(name, text).then(drawn => done(drawn.svg), error => done("" + error));
"""
_SETTINGS: Final = """
mermaid.initialize({
  startOnLoad: false, theme: "neutral", htmlLabels: false, fontFamily: "sans-serif",
  flowchart: {htmlLabels: false, wrappingWidth: 320}, securityLevel: "strict",
  state: {nodeSpacing: 70},
});
"""


def diagrams() -> dict[str, str]:
    """Return the text of every diagram by the name of its picture."""
    found: dict[str, str] = {}
    for page in DOCS.rglob("*.md"):
        for text in _FENCE.findall(page.read_text("utf-8")):
            digest = hashlib.sha256(text.strip().encode()).hexdigest()[:16]
            found[f"{digest}.svg"] = text
    return found


def main(script: Path) -> None:
    """Draw what has no picture yet, and delete pictures that nobody shows."""
    options = webdriver.ChromeOptions()
    for option in ("--headless=new", "--no-sandbox"):
        options.add_argument(option)
    FOLDER.mkdir(exist_ok=True)
    wanted = diagrams()
    for picture in FOLDER.glob("*.svg"):
        if picture.name not in wanted:
            picture.unlink()
    # Named, since selenium would look for it, and for news, in the network.
    driver = Service(shutil.which("chromedriver"))
    with webdriver.Chrome(options=options, service=driver) as browser:
        browser.get("data:text/html,<body></body>")
        browser.execute_script(_LOAD, script.read_text("utf-8"))
        browser.execute_script(_SETTINGS)
        for name, text in wanted.items():
            if not (FOLDER / name).exists():
                drawn = str(browser.execute_async_script(_DRAW, f"d{name[:8]}", text))
                if not drawn.startswith("<svg"):
                    sys.exit(f"{drawn}\n{text}")
                (FOLDER / name).write_text(drawn + "\n", "utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
