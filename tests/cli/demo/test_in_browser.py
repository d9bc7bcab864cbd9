"""``asgibridge demo --serve`` as a person has it: in a browser, clicking.

Skipped where there is no browser; see tests/browser.py.
"""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from asgibridge.cli._demo._command import _ACTIONS
from tests.browser import Browser, needs_browser, open_browser
from tests.staging import PATIENCE

pytestmark = needs_browser


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """Run the command until the module is done; yield what it prints at last."""
    script = Path(sys.executable).with_name("asgibridge")
    with subprocess.Popen(  # noqa: S603 - our own command
        [str(script), "demo", "--serve"],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    ) as demo:
        assert demo.stdout is not None
        try:
            for line in demo.stdout:
                if found := re.search(r"live, with requests to fire: (\S+)", line):
                    yield found[1]
                    break
            else:
                pytest.fail("the demonstration ended by itself")
        finally:
            demo.send_signal(signal.SIGINT)
            rest, _ = demo.communicate(timeout=PATIENCE)
    assert rest == "Stopping.\n"
    assert demo.returncode == 0


@pytest.fixture(scope="module")
def one_browser() -> Iterator[Browser]:
    """Start a browser without a window."""
    with open_browser() as browser:
        yield browser


@pytest.fixture
def browser(one_browser: Browser, address: str) -> Iterator[Browser]:
    """Open the page; after the test there must be no error on it."""
    one_browser.renew()
    one_browser.driver.get(address)
    # The requests that the demonstration itself has made are there.
    one_browser.wait(lambda: one_browser.all(".bar"))
    yield one_browser
    assert one_browser.errors() == []


def calls(browser: Browser) -> int:
    """Return how many calls the page says there are."""
    return int(browser.texts("#summary")[0].partition(" calls")[0])


@pytest.mark.parametrize(
    ("place", "made", "answer"),
    [
        (0, 1, "200 Hello, you!"),
        (1, 2, "200 42"),
        (2, 1, "200 8.0 MiB of application/octet-stream"),
        (3, 1, '200 ["Written by blocking code'),
        (4, 2, "kept"),
    ],
)
def test_each_button(browser: Browser, place: int, made: int, answer: str) -> None:
    """A click brings the answer, a bar for each call, and an arrow to it."""
    before = calls(browser)
    browser.all("#actions button.fire")[place].click()
    output = browser.all("#actions output")[place]
    browser.wait(lambda: answer in output.text and " ms)" in output.text)
    browser.wait(lambda: calls(browser) == before + made)
    newest = range(before, before + made)
    for number in newest:  # the page has gone to where they are
        assert browser.all(f".bar[data-call='{number}']:not(.wait)")
        assert browser.all(f".bar.wait[data-call='{number}']")
        assert browser.all(f".arrow[data-call='{number}']:not(.back)")
    browser.picture(f"demo-button-{place}")


def test_ten_at_once(browser: Browser) -> None:
    """As many calls, and lanes for the threads that they needed."""
    before = calls(browser)
    browser.all("#actions button:not(.fire)")[0].click()
    output = browser.one("#actions output")
    browser.wait(lambda: "10 answers" in output.text)
    browser.wait(lambda: calls(browser) == before + 10)
    lanes = browser.texts(".lane-name")
    assert {"loop 1", "asgibridge-sensitive", "asgibridge-wsgi-1"} <= set(lanes)
    browser.picture("demo-ten")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280], ids=["phone", "wide"])
def test_nothing_sticks_out(browser: Browser, width: int, dark: bool) -> None:  # noqa: FBT001 - a parameter of a test
    """On a phone and on a screen; what is on the buttons can be read whole."""
    browser.see(width=width, dark=dark)
    browser.wait(lambda: browser.page_width() == width)
    script = (
        "return [...document.querySelectorAll('button, .about')]"
        ".filter(e => e.scrollWidth > e.clientWidth + 1).map(e => e.textContent)"
    )
    assert browser.driver.execute_script(script) == []
    assert browser.texts("#actions .fire") == [action.label for action in _ACTIONS]
    browser.picture(f"demo-{width}-{'dark' if dark else 'light'}")


def test_index_leads_to_the_timeline(browser: Browser, address: str) -> None:
    """The page at the root fits a phone, and names this one."""
    browser.driver.get(address.removesuffix("timeline/"))
    browser.see(width=390)
    browser.wait(lambda: browser.page_width() == 390)
    browser.one("a[href='/timeline/']").click()
    browser.wait(lambda: browser.all(".bar"))
