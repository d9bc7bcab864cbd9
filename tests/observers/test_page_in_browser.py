"""The timeline in headless Chromium: what a person sees and does.

Skipped where there is no browser; see tests/browser.py.
"""

import asyncio
import hashlib
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from selenium.webdriver.common.action_chains import ActionChains

from asgibridge import Bridge
from asgibridge.observers import TimelineAction, TimelineObserver, TimelinePage
from tests.browser import Browser, needs_browser, open_browser
from tests.staging import PATIENCE

pytestmark = needs_browser

Loose = Any  # an application under test need not be typed


def work() -> None:
    """Have something to do, so that there is something to be seen: bars have a length.

    Nothing is decided by how long it takes; some milliseconds.
    """
    hashlib.scrypt(b"secret", salt=b"salt", n=2**11, r=8, p=1)


class Application:
    """One that crosses: a blocking, a streaming and a failing endpoint."""

    def __init__(self, bridge: Bridge) -> None:
        """Take the bridge that is observed."""
        self._bridge = bridge
        self._meeting = threading.Barrier(2)

    async def __call__(self, scope: Loose, receive: Loose, send: Loose) -> None:
        """Answer a request."""
        await receive()
        async with self._bridge.thread_sensitive_context():
            if scope["path"] == "/stream":
                await self.stream(send)
            elif scope["path"] == "/large":
                await self.large(send)
            else:
                await self.answer(scope["path"], send)

    async def answer(self, path: str, send: Loose) -> None:
        """Answer with what blocking code returns, or 404."""
        views = {"/sync": self.view, "/pair": self.pair, "/fail": self.fail}
        function = views[path]
        try:
            status, text = 200, await self._bridge.sync_to_async(function)()
        except LookupError as exc:
            status, text = 404, str(exc)
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": text.encode()})

    async def stream(self, send: Loose) -> None:
        """Send five parts, each loaded by blocking code."""
        await send({"type": "http.response.start", "status": 200, "headers": []})
        load = self._bridge.sync_to_async(self.load_user)
        for number in range(5):
            body = f"part {await load(number)} ".encode()
            event = {"type": "http.response.body", "body": body, "more_body": True}
            await send(event)
        await send({"type": "http.response.body", "body": b"end"})

    async def large(self, send: Loose) -> None:
        """Send more than anybody wants to read, in 256 parts."""
        load = self._bridge.sync_to_async(lambda: b"large \0" * 4096)
        headers = [(b"content-type", b"application/octet-stream")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        for _ in range(256):
            event = {"type": "http.response.body", "body": await load()}
            await send({**event, "more_body": True})
        await send({"type": "http.response.body"})

    def load_user(self, number: int) -> int:
        """Take a while."""
        work()
        return number

    async def fetch_prices(self) -> int:
        """Take a while, too, and leave the loop to others."""
        await asyncio.to_thread(work)
        return 3

    def view(self) -> str:
        """Block, and wait for a coroutine."""
        prices = self._bridge.async_to_sync(self.fetch_prices)
        return f"user {self.load_user(1)}, {prices()} prices"

    def pair(self) -> str:
        """Do so when another request is there, too, on a thread of its own."""
        self._meeting.wait(PATIENCE)
        return self.view()

    def fail(self) -> str:
        """Raise."""
        msg = "no such page"
        raise LookupError(msg)


ACTIONS = [
    TimelineAction("Sync view", "/sync", "blocks, and fetches asynchronously"),
    TimelineAction("Stream", "/stream", "five parts, each loaded by blocking code"),
    TimelineAction("Failure", "/fail", "raises in blocking code"),
    TimelineAction("Large", "/large", "seven megabytes"),
    TimelineAction("Pair", "/pair", "waits for another one"),
]


@pytest.fixture
def address() -> Iterator[str]:
    """Serve the live page."""
    timeline = TimelineObserver()
    with Bridge(observers=[timeline]) as bridge:
        app = TimelinePage(timeline, Application(bridge), actions=ACTIONS)
        config = uvicorn.Config(app, port=0, log_level="warning", lifespan="off")
        server = uvicorn.Server(config)
        socket = config.bind_socket()
        socket.listen()  # from here on the browser may come
        thread = threading.Thread(target=server.run, args=([socket],))
        thread.start()
        yield f"http://127.0.0.1:{socket.getsockname()[1]}/timeline/"
        server.should_exit = True
        thread.join()


@pytest.fixture(scope="module")
def one_browser() -> Iterator[Browser]:
    """Start a browser without a window."""
    with open_browser() as browser:
        yield browser


@pytest.fixture
def browser(one_browser: Browser) -> Browser:
    """Provide the browser as if it was new."""
    one_browser.renew()
    return one_browser


def test_clicks_make_bars_and_arrows(browser: Browser, address: str) -> None:
    """Each button fires a request, and its crossings appear while one watches."""
    browser.driver.get(address)
    assert browser.one("#empty").is_displayed()
    assert browser.all(".bar") == []
    buttons = [button.text for button in browser.all("#actions button.fire")]
    assert buttons == [action.label for action in ACTIONS]

    browser.one("[data-action='/sync']").click()
    browser.wait(lambda: "user 1, 3 prices" in browser.one("#actions output").text)
    browser.wait(lambda: len(browser.all(".bar.async_to_sync:not(.wait)")) == 1)
    # view on its thread, fetch_prices on the loop; each made and run: two bars
    assert len(browser.all(".bar")) == 4
    assert len(browser.all(".arrow:not(.back)")) == 2
    names = set(browser.texts(".lane-name"))
    assert len(names) == 2
    assert "loop 1" in names
    browser.picture("live-one")

    browser.one("[data-action='/stream']").click()
    output = browser.all("#actions output")[1]
    browser.wait(lambda: "part 4 end" in output.text)
    browser.one("[data-action='/fail']").click()
    browser.wait(lambda: browser.all(".bar.error:not(.wait)"))
    browser.one("#fit").click()
    browser.wait(lambda: "8 calls" in browser.one("#summary").text)
    assert "1 raised" in browser.one("#summary").text
    messages = [text for text in browser.errors() if "404" not in text]
    assert messages == []  # the 404 is what was asked for


def test_ten_at_once(browser: Browser, address: str) -> None:
    """Requests fired together are seen beside each other."""
    browser.driver.get(address)
    ten = [b for b in browser.all("#actions button") if "10" in b.text]
    ten[4].click()
    output = browser.all("#actions output")[4]
    browser.wait(lambda: "10 answers" in output.text)
    browser.wait(lambda: "20 calls" in browser.one("#summary").text)
    assert len(browser.all(".lane-name")) > 2  # two threads at once, and the loop
    browser.picture("live-ten")
    assert browser.errors() == []


def test_a_large_answer_is_counted_not_shown(browser: Browser, address: str) -> None:
    """The page stays alive while it comes, and shows its size."""
    browser.driver.get(address)
    browser.one("[data-action='/large']").click()
    output = browser.all("#actions output")[3]
    browser.wait(lambda: "7.0 MiB of application/octet-stream" in output.text)
    browser.wait(lambda: "256 calls" in browser.one("#summary").text)
    assert browser.errors() == []


def recording(path: Path) -> Path:
    """Write the page of a small recording."""
    timeline = TimelineObserver()
    with Bridge(observers=[timeline]) as bridge:

        def outer_view() -> None:
            bridge.async_to_sync(asyncio.to_thread)(work)

        def broken_view() -> None:
            msg = "<b>bold</b>"
            raise ValueError(msg)

        async def main() -> None:
            await bridge.sync_to_async(outer_view)()
            with pytest.raises(ValueError, match="bold"):
                await bridge.sync_to_async(broken_view, thread_sensitive=False)()

        asyncio.run(main())
    timeline.write_html(path)
    return path


def test_hover_zoom_and_pan(browser: Browser, tmp_path: Path) -> None:
    """A file without a server shows detail on hover, and zooms and pans."""
    browser.driver.get(recording(tmp_path / "t.html").as_uri())
    assert not browser.one("#actions").is_displayed()
    browser.wait(lambda: len(browser.all(".bar")) == 6)
    assert len(browser.all(".arrow:not(.back)")) == 3
    browser.wait(lambda: browser.hover(".bar.error:not(.wait) rect"))
    detail = browser.one("#detail")
    browser.wait(detail.is_displayed)
    assert "broken_view" in detail.text
    assert "ValueError: <b>bold</b>" in detail.text  # as text, not as markup
    assert "asgibridge-worker" in detail.text
    assert browser.all(".chosen .near.bar")
    browser.picture("hover")

    def ticks() -> list[str]:
        return browser.places(".tick text")

    before = ticks()
    browser.one("#in").click()
    browser.wait(lambda: ticks() != before)
    zoomed = ticks()
    chart = browser.one("#chart")
    chain = ActionChains(browser.driver).move_to_element(chart)
    chain.click_and_hold().move_by_offset(120, 0).release().perform()
    browser.wait(lambda: ticks() != zoomed)
    browser.one("#fit").click()
    browser.wait(lambda: ticks() == before)
    assert browser.errors() == []


def test_light_and_dark(browser: Browser, tmp_path: Path) -> None:
    """The page follows the system, and the button changes it."""
    browser.driver.get(recording(tmp_path / "t.html").as_uri())

    def paper() -> str:
        return browser.one("body").value_of_css_property("background-color")

    light = paper()
    browser.one("#theme").click()
    dark = paper()
    assert light != dark
    browser.picture("dark")
    browser.one("#theme").click()
    assert paper() == light
    browser.driver.refresh()
    browser.see(dark=True)
    assert paper() == dark


def test_narrow_screen(browser: Browser, tmp_path: Path) -> None:
    """On the width of a phone nothing sticks out."""
    browser.driver.get(recording(tmp_path / "t.html").as_uri())
    browser.see(width=390)
    browser.wait(lambda: browser.page_width() == 390)
    browser.wait(lambda: len(browser.all(".bar")) == 6)
    browser.picture("phone")
