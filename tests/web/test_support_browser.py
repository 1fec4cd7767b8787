"""Support in a real browser, by keyboard alone: from what a caller says to the answer in their name."""

from __future__ import annotations

import pytest
from selenium import webdriver
from selenium.webdriver.common.keys import Keys

from connector.domain.session import SessionState
from tests.web.pictures import keep_picture
from tests.web.presence import HostsUsers, hosted
from tests.web.stage import Stage
from tests.web.test_browser import PHONE, Door, Page, chromium, door

__all__ = ["Door", "chromium", "door"]  # fixtures, and what they are made of

pytestmark = [pytest.mark.chromium, pytest.mark.slow]

DESK = (1280, 800)


@pytest.fixture
def page(chromium: webdriver.Chrome, door: tuple[Door, str], stage: Stage) -> Page:
    serving, address = door
    serving.app = hosted(stage, HostsUsers(names_support=True, support_name="Robin Hale")).app
    found = Page(chromium, address)
    found.open("/support")
    return found


def look(page: Page, name: str) -> None:
    """Keep pictures at both sizes, and hold the page against what everybody needs."""
    for width in (DESK, PHONE):
        page.be(width)
        keep_picture(page.chromium, f"support-{name}-{width[0]}")
    page.check()


def test_support_finds_a_session_and_answers_for_its_client(page: Page, stage: Stage) -> None:
    offer = stage.offer()
    look(page, "1-find")
    page.tab_to("Name, e-mail address").send_keys("noor")
    page.press("Search", to="Find a session")
    look(page, "2-found")
    page.press("Kim Noor", to="Why do you look at this session?")
    look(page, "3-why")
    page.tab_to("Reason").send_keys("called, cannot open the mail")
    page.press("Show the session", to="Session with Kim Noor")
    look(page, "4-session")
    page.tab_to("Wednesday, 11 March").send_keys(Keys.SPACE)
    page.press("Answer for Kim Noor", to="Session with Kim Noor")
    assert "Done. The client and the practitioner are being told." in page.text
    assert stage.stored_session().when == offer.alternatives[0].when
    look(page, "5-answered")
    page.press("Cancel the booking", to="Cancel the booking for Kim Noor?")
    look(page, "6-cancel")
    page.press("Cancel the booking", to="Session with Kim Noor")
    assert stage.stored_session().state is SessionState.CANCELLED
    look(page, "7-cancelled")
