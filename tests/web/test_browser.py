"""The pages in a real browser: by keyboard alone, on a phone."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from flask import Flask
from selenium import webdriver
from selenium.common.exceptions import WebDriverException
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support import expected_conditions as expected
from selenium.webdriver.support.ui import WebDriverWait

from connector.domain.offer import OfferState
from tests.conftest import missing
from tests.serving import served
from tests.web.pictures import be
from tests.web.stage import Stage

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

PHONE = (360, 740)
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--lang=en-GB",
)
UNLABELLED = """
return [...document.querySelectorAll("input:not([type=hidden]), select, button, a[href]")]
  .filter(e => !(e.labels && e.labels.length) && !e.textContent.trim()).map(e => e.outerHTML)
"""
SMALL = """
return [...document.querySelectorAll("button, a.button, select, summary, label.choice, input:not(.choice input)")]
  .filter(e => e.getBoundingClientRect().height > 0 && e.getBoundingClientRect().height < 44).map(e => e.outerHTML)
"""
PALE = """
const rgb = text => text.match(/[\\d.]+/g).map(Number);
const light = c => { const [r, g, b] = c.slice(0, 3).map(v => v / 255).map(
  v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
const behind = e => {
  for (; e; e = e.parentElement) {
    const c = rgb(getComputedStyle(e).backgroundColor);
    if (c.length < 4 || c[3] > 0) return c;
  }
  return [255, 255, 255];
};
return [...document.querySelectorAll("main *")].filter(e => [...e.childNodes].some(
    n => n.nodeType === 3 && n.textContent.trim()) && e.getBoundingClientRect().width > 1 && !e.disabled)
  .filter(e => { const [a, b] = [light(rgb(getComputedStyle(e).color)), light(behind(e))];
    return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05) < 4.5; }).map(e => e.outerHTML)
"""

pytestmark = [pytest.mark.chromium, pytest.mark.slow]


class Door:
    """What the server serves: the installation of the test that runs."""

    app: Flask

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        return self.app(environ, start_response)


@pytest.fixture(scope="module")
def door() -> Iterator[tuple[Door, str]]:
    door = Door()
    with served(door, threads=4) as port:
        yield door, f"http://127.0.0.1:{port}"


@pytest.fixture(scope="module")
def chromium(door: tuple[Door, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    """A browser that ends before the server does, so that no connection is left open."""
    assert door
    browser, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not browser or not driver:
        missing("Chromium and its driver are not installed")
    options = webdriver.ChromeOptions()
    options.binary_location = browser
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('chromium')}"):
        options.add_argument(flag)
    opened = webdriver.Chrome(options=options, service=Service(driver))
    yield opened
    opened.quit()


@pytest.fixture
def page(chromium: webdriver.Chrome, door: tuple[Door, str], stage: Stage) -> Page:
    serving, address = door
    serving.app = stage.app
    chromium.get("about:blank")
    chromium.delete_all_cookies()
    page = Page(chromium, address)
    page.be(PHONE)
    return page


class Page:
    """What somebody sees and does who has only a keyboard."""

    def __init__(self, chromium: webdriver.Chrome, address: str) -> None:
        self.chromium = chromium
        self.taps = 0  # how often something was pressed or ticked
        self.typed = 0  # how many fields were typed into
        self.width = 0
        self._address = address
        self._size = PHONE

    def be(self, size: tuple[int, int], *, dark: bool = False) -> None:
        """Take the size of a device and the light it is used in."""
        self._size, self.width = size, size[0]
        be(self.chromium, size, theme="dark" if dark else "light", mobile=size[0] < 600)

    def open(self, path: str) -> None:
        self.chromium.get(self._address + path)

    @property
    def heading(self) -> str:
        (heading,) = self.chromium.find_elements(By.TAG_NAME, "h1")
        return heading.text

    @property
    def text(self) -> str:
        return self.chromium.find_element(By.TAG_NAME, "body").text

    def tab_to(self, name: str, *, nth: int = 1) -> WebElement:
        """Press Tab until the focus is on the nth thing of that name."""
        for _ in range(80):
            self.chromium.switch_to.active_element.send_keys(Keys.TAB)
            focused = self.chromium.switch_to.active_element
            if focused.accessible_name.startswith(name):
                nth -= 1
                if nth == 0:
                    ring = focused.value_of_css_property("outline-style")
                    assert ring != "none", f"the focus on {name} cannot be seen"
                    return focused
        raise AssertionError(f"the keyboard never reaches {name}")

    def pick(self, name: str, value: str) -> None:
        """Take a value from a picker: how it is typed depends on the browser's country."""
        field = self.chromium.find_element(By.NAME, name)
        self.chromium.execute_script("arguments[0].value = arguments[1]", field, value)

    @contextmanager
    def without_scripts(self) -> Iterator[None]:
        """Have pages run no script meanwhile."""
        self.chromium.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
        try:
            yield
        finally:
            self.chromium.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})

    def tick(self, name: str) -> None:
        """Go to a box by keyboard, and tick it."""
        self.taps += 1
        box = self.tab_to(name)
        box.send_keys(Keys.SPACE)
        assert box.is_selected()

    def take(self, first: str, *, down: int = 0, name: str | None = None) -> None:
        """Go to a group of which one is taken, by its first, and from there to another: Tab reaches one of a group."""
        self.taps += 1
        self.tab_to(first).send_keys(*[Keys.ARROW_DOWN] * down or [Keys.SPACE])
        taken = self.chromium.switch_to.active_element
        assert taken.is_selected()
        assert taken.accessible_name.startswith(name or first)

    def write(self, name: str, text: str) -> None:
        """Go to a field by keyboard, and type something in place of what stands in it."""
        self.typed += 1
        field = self.tab_to(name)
        field.send_keys(Keys.CONTROL, "a")
        field.send_keys(text)

    def enter(self, name: str, value: str) -> None:
        """Go to a picker by keyboard and type a date or a time, as browsers of one country or another take them.

        Args:
            value: As pages send it; nothing empties the picker.
        """
        self.typed += 1
        field = self.tab_to(name)
        for keys in _keys(value):
            ActionChains(self.chromium).send_keys(*[Keys.ARROW_LEFT] * 5, *keys).perform()
            if field.get_property("value") == value:
                return
        raise AssertionError(f"{value} cannot be typed into {name}")

    def press(self, name: str, *, nth: int = 1, to: str) -> None:
        """Go to something by keyboard, press Enter, and wait for the page with that heading."""
        self.taps += 1
        old = self.chromium.find_element(By.TAG_NAME, "html")
        self.tab_to(name, nth=nth).send_keys(Keys.ENTER)
        self._wait().until(expected.staleness_of(old))  # else the old page could pass for the new one
        self.wait_for(to)

    def wait_for(self, to: str) -> None:
        """Wait for the page with that heading."""
        wait = self._wait()
        wait.until(expected.text_to_be_present_in_element((By.TAG_NAME, "h1"), to))
        wait.until(lambda chromium: chromium.execute_script("return document.readyState") == "complete")

    def wait_for_text(self, text: str) -> None:
        """Wait until something is on the page that was not when it came."""
        self._wait().until(expected.text_to_be_present_in_element((By.TAG_NAME, "body"), text))

    def _wait(self) -> WebDriverWait[webdriver.Chrome]:
        # Between two pages there is nothing to ask: the driver fails in several ways then, each of them passing.
        return WebDriverWait(self.chromium, 60, ignored_exceptions=(WebDriverException,))

    def check(self) -> None:
        """Everybody can use it: named, labelled, large enough, readable in any light, no wider than the screen."""
        ask = self.chromium.execute_script
        assert self.heading
        assert ask("return document.documentElement.lang") in ("en", "de")
        assert self.chromium.title
        assert ask("return document.querySelectorAll('main').length") == 1
        assert ask(UNLABELLED) == []
        assert ask(SMALL) == []
        assert ask("return document.documentElement.scrollWidth <= document.documentElement.clientWidth")
        assert ask("return getComputedStyle(document.body).marginTop") == "0px", "the style sheet is not there"
        for dark in (False, True):
            self.be(self._size, dark=dark)
            assert ask(PALE) == []
        self.be(self._size)


def _keys(value: str) -> Iterator[list[str]]:
    """Yield what may have to be typed into a picker, each part going on to the next by itself."""
    if not value:
        yield [Keys.DELETE, Keys.ARROW_RIGHT] * 3
    elif ":" in value:
        hour, minute = map(int, value.split(":"))
        yield [f"{hour:02}{minute:02}"]
        yield [f"{(hour + 11) % 12 + 1:02}{minute:02}{'AP'[hour // 12]}"]
    else:
        year, month, day = value.split("-")
        yield [day, month, year]
        yield [month, day, year]


def test_a_client_accepts_the_second_of_three_by_keyboard_on_a_phone(page: Page, stage: Stage) -> None:
    offer = stage.offer()
    page.open(stage.link(offer))
    assert page.heading == "Please choose a time"
    page.check()
    page.press("Choose this time", nth=2, to="Move your session to this time?")
    page.check()
    assert stage.stored(offer).state is OfferState.OPEN
    page.press("Yes, take this time", to="Your new time is booked")
    page.check()
    assert "11:00" in page.text
    assert stage.stored_session().when == offer.alternatives[1].when
    page.chromium.refresh()
    assert page.heading == "Your new time is booked"


@pytest.mark.parametrize(
    ("way", "yes", "to"),
    [
        ("None of these times suits me", "Yes, none of these times suits", "None of the times suited you"),
        ("Cancel the booking", "Yes, cancel the booking", "The booking is cancelled"),
    ],
)
def test_a_client_can_think_again_before_saying_no(page: Page, stage: Stage, way: str, yes: str, to: str) -> None:
    offer = stage.offer()
    page.open(stage.link(offer))
    page.press(way, to="?")
    page.check()
    page.press("Back", to="Please choose a time")
    assert stage.stored(offer).state is OfferState.OPEN
    page.press(way, to="?")
    page.press(yes, to=to)
    page.check()


def test_every_page_of_the_practitioner_can_be_used_by_everybody(page: Page, stage: Stage, tmp_path: Path) -> None:
    offer = stage.offer()
    stage.draft(stage.at(12, 9))
    page.open(stage.sign_in_link(stage.ada))
    page.press("Sign in now", to="Your week")
    own = f"/sessions/{stage.session.id}"
    one = f"{own}/offer/{offer.alternatives[0].id}"
    for path in (
        own,
        f"{own}/time",
        f"{own}/location",
        f"{own}/cancel",
        f"{own}/offer",
        f"{own}/offer/review",
        f"{own}/offer/withdraw",
        f"{one}/withdraw",
        f"{one}/move",
        "/answer/forged",
    ):
        page.open(path)
        page.check()
    assert page.chromium.get_screenshot_as_file(str(tmp_path / "last.png"))
