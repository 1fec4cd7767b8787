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
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support import expected_conditions as expected
from selenium.webdriver.support.ui import WebDriverWait

from connector.domain.offer import OfferState
from connector.services.views.sessions import session_page
from tests.conftest import missing
from tests.serving import served
from tests.web.pictures import keep_picture
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
        self.width = 0
        self._address = address
        self._size = PHONE

    def be(self, size: tuple[int, int], *, dark: bool = False) -> None:
        """Take the size of a device and the light it is used in."""
        self._size, self.width = size, size[0]
        metrics = {"width": size[0], "height": size[1], "deviceScaleFactor": 1, "mobile": size[0] < 600}
        self.chromium.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.chromium.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})

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


def offer_three(page: Page, stage: Stage) -> None:
    """Offer three of the suggested times from the session's page, and count how often something is pressed for it."""
    page.press("Offer alternatives", to="Offer alternatives")
    page.check()
    keep_picture(page.chromium, f"offering-{page.width}")
    for day in ("Tuesday, 10 March", "Wednesday, 11 March", "Thursday, 12 March"):
        page.tick(day)
    page.press("Continue", to="Check your draft")
    page.check()
    assert "Nothing has been sent, and no time is held." in page.text
    page.press("Send to Kim Noor", to="Session with Kim Noor")
    page.check()
    assert "The offer is sent." in page.text
    with stage.runtime.database.read() as db:
        session_page_ = session_page(db, stage.runtime.policy, stage.ada.id, stage.session.id, now=stage.now)
    assert session_page_.open is not None
    sent = [a.alternative.when for a in session_page_.open.alternatives]
    assert sent == [stage.at(8, 15), stage.at(9, 15), stage.at(10, 15)]


def test_a_practitioner_signs_in_and_offers_three_free_times_with_six_taps(page: Page, stage: Stage) -> None:
    page.open("/signin")
    page.check()
    page.open(stage.sign_in_link(stage.ada))
    page.press("Sign in now", to="")
    page.open(f"/sessions/{stage.session.id}")
    page.check()
    page.taps = 0
    offer_three(page, stage)
    print(f"{page.taps} taps from the session's page until three times are offered")
    assert page.taps <= 6


@pytest.mark.long
@pytest.mark.parametrize("size", [PHONE, (1280, 900)], ids=["phone", "desk"])
def test_three_free_times_are_offered_without_a_script(page: Page, stage: Stage, size: tuple[int, int]) -> None:
    page.be(size)
    page.open(stage.sign_in_link(stage.ada))
    page.press("Sign in now", to="")
    page.open(f"/sessions/{stage.session.id}")
    page.taps = 0
    with page.without_scripts():
        offer_three(page, stage)
    assert page.taps <= 6


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
