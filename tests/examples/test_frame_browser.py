"""Our pages in the frame of a host, in a real browser, on a phone and on a desk."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from test_lindenhof import PASSWORD, Visitor

from connector import paths
from connector.cli.demo.evidence import link_in, links_in
from connector.cli.demo.stage import Mailbox
from tests.examples.shapes import Shape, mounted
from tests.web.pictures import keep_picture
from tests.web.test_browser import PHONE, Door, Page, chromium, door

__all__ = ["Door", "chromium", "door"]  # fixtures, and what they are made of

pytestmark = [pytest.mark.chromium, pytest.mark.slow]

DESK = (1280, 800)


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    mailbox = Mailbox()
    yield mailbox
    mailbox.stop()


@pytest.fixture
def shape(sqlite_url: str, tmp_path: Path, mailbox: Mailbox) -> Iterator[Shape]:
    with mounted(sqlite_url, tmp_path, mail_url=mailbox.url) as shape:
        alex = Visitor(shape.platform)
        alex.sign_in("Alex")
        alex.post(alex.free()[-1])
        yield shape


def look(page: Page, name: str) -> None:
    """Keep pictures at both sizes, and hold the page against what everybody needs."""
    for width in (DESK, PHONE):
        page.be(width)
        keep_picture(page.chromium, f"frame-{name}-{width[0]}")
        (brand,) = page.chromium.find_elements(By.CSS_SELECTOR, ".top .name")
        assert brand.value_of_css_property("font-family").startswith("Georgia"), "the frame is no longer the host's"
    page.check()


def test_a_practitioner_offers_times_within_the_platforms_own_frame(
    chromium: webdriver.Chrome, shape: Shape, mailbox: Mailbox
) -> None:
    page = Page(chromium, shape.url)
    page.be(PHONE)
    page.open("/sign-in?next=/rearrange/sessions")
    page.tab_to("E-mail address").send_keys("kim@lindenhof.example")
    page.tab_to("Password").send_keys(PASSWORD)
    page.press("Sign in", to="Your sessions")
    look(page, "1-sessions")
    page.press("Bookings", to="Bookings")
    page.press("Rearrange", to="Session with Alex Beispiel")
    look(page, "2-session")
    page.press("Offer alternatives", to="Offer alternatives")
    look(page, "3-draft")
    (note,) = page.chromium.find_elements(By.CSS_SELECTOR, ".pencilled .note")  # a class of the platform's, too
    assert note.value_of_css_property("color") == page.chromium.find_element(By.TAG_NAME, "body").value_of_css_property(
        "color"
    )
    for n in range(2):
        page.pick(f"date-{n}", f"{date.today() + timedelta(days=20 + n)}")  # noqa: DTZ011 - a day on the wall
        page.pick(f"time-{n}", "10:00")
    page.press("Continue", to="Check your draft")
    look(page, "4-review")
    page.press("Send to Alex Beispiel", to="Session with Alex Beispiel")
    look(page, "5-sent")
    page.press("Take the whole offer back", to="Take")
    look(page, "6-withdraw")
    page.press("Calendars", to="Your calendars")
    look(page, "7-calendars")
    page.press("Connect a CalDAV", to="Connect a calendar")
    look(page, "8-connect")
    page.open("/rearrange/account")
    look(page, "9-account")
    page.open("/rearrange/sessions/nothing")
    look(page, "10-nothing")
    (letter,) = [mail for mail in mailbox.wait_for(2) if links_in(mail, paths.answer(""))]
    chromium.get(link_in(letter, paths.answer("")))
    assert page.heading == "Please choose a time"
    assert page.chromium.find_elements(By.CSS_SELECTOR, ".top .name") == [], "whatever the frame loads could read it"
    page.check()


def test_the_staff_helps_a_client_within_the_frame(chromium: webdriver.Chrome, shape: Shape) -> None:
    page = Page(chromium, shape.url)
    page.be(PHONE)
    chromium.get(shape.url)
    chromium.delete_all_cookies()
    page.open("/sign-in")
    page.tab_to("E-mail address").send_keys("robin@lindenhof.example")
    page.tab_to("Password").send_keys(PASSWORD)
    page.press("Sign in", to="Bookings")
    page.press("Help", to="Why do you look at this session?")
    look(page, "11-support-why")
    page.tab_to("Reason").send_keys("Alex called and cannot find the letter")
    page.press("Show the session", to="Session with Alex Beispiel")
    look(page, "13-support-session")
    page.open("/rearrange/support")
    look(page, "12-support")
    page.open("/rearrange/sessions")
    assert "This account gives no sessions here" in page.text
