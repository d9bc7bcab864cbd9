"""A browser without a window, for tests of what people see and do.

Needs the programs chromium and chromedriver; tests skip, and say so, where they
are missing.  Set ASGIBRIDGE_SCREENSHOTS to a folder to keep pictures of what was
seen.
"""

import os
import shutil
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, final

import pytest
from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

from tests.staging import PATIENCE

__all__ = ("Browser", "needs_browser", "open_browser")

_CHROMIUM: Final = shutil.which("chromium") or shutil.which("google-chrome")
_DRIVER: Final = shutil.which("chromedriver")
# It is to open the pages of the tests, and to talk to nobody else.
_OPTIONS: Final = (
    "headless",
    "no-sandbox",
    "disable-gpu",
    "disable-quic",
    "no-first-run",
    "disable-background-networking",
    "disable-component-update",
    "disable-sync",
    "window-size=1280,860",
)

needs_browser: Final = pytest.mark.skipif(
    _CHROMIUM is None or _DRIVER is None,
    reason="NOT TESTED IN A BROWSER: install chromium and chromedriver",
)


@final
class Browser:
    """A page in a browser, and what tests do with it."""

    def __init__(self, driver: webdriver.Chrome) -> None:
        """Take the driver, which somebody else quits."""
        self.driver = driver

    def all(self, selector: str) -> list[WebElement]:
        """Return the elements there are now."""
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def one(self, selector: str) -> WebElement:
        """Return the first element."""
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def texts(self, selector: str) -> list[str]:
        """Return the texts of elements, which may be drawn anew at any time."""
        script = "return [...document.querySelectorAll(arguments[0])].map(e => e.textContent)"
        return list(self.driver.execute_script(script, selector))

    def places(self, selector: str) -> list[str]:
        """Return the texts of elements, and where they are from the left."""
        script = (
            "return [...document.querySelectorAll(arguments[0])]"
            ".map(e => `${e.textContent} at ${e.getAttribute('x')}`)"
        )
        return list(self.driver.execute_script(script, selector))

    def hover(self, selector: str) -> bool:
        """Move the pointer to an element; say whether it was still there."""
        try:
            ActionChains(self.driver).move_to_element(self.one(selector)).perform()
        except StaleElementReferenceException:
            return False
        return True

    def wait(self, condition: Callable[[], object]) -> None:
        """Wait until something is so; the page asks for news four times a second."""
        WebDriverWait(self.driver, PATIENCE, 0.05).until(lambda _: condition())

    def see(self, *, width: int = 1280, height: int = 860, dark: bool = False) -> None:
        """Be as wide as that, or of that colour; below 500 pixels it is a phone."""
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        size = {"width": width, "height": height, "deviceScaleFactor": 1}
        self.driver.execute_cdp_cmd(
            "Emulation.setEmulatedMedia", {"features": [scheme]}
        )
        self.driver.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride", {**size, "mobile": width < 500}
        )

    def page_width(self) -> int:
        """Return how wide the page is: more than is seen if something sticks out."""
        script = "return document.documentElement.scrollWidth"
        return int(self.driver.execute_script(script))

    def picture(self, name: str) -> None:
        """Keep a picture, if that is wanted."""
        if folder := os.environ.get("ASGIBRIDGE_SCREENSHOTS"):
            self.driver.save_screenshot(str(Path(folder) / f"{name}.png"))

    def renew(self) -> None:
        """Be as if it was new."""
        self.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
        self.driver.get("about:blank")
        self.errors()  # those of another test

    def errors(self) -> list[str]:
        """Return what the page complained about."""
        log = self.driver.get_log("browser")  # type: ignore[no-untyped-call] # selenium's
        return [str(entry["message"]) for entry in log]


@contextmanager
def open_browser() -> Generator[Browser]:
    """Start a browser, with a profile of its own, and end it."""
    options = webdriver.ChromeOptions()
    options.binary_location = _CHROMIUM or ""
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    with TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        for option in (*_OPTIONS, f"user-data-dir={profile}"):
            options.add_argument(f"--{option}")
        driver = webdriver.Chrome(options=options, service=Service(_DRIVER))
        try:
            yield Browser(driver)
        finally:
            driver.quit()
