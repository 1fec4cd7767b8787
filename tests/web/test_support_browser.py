"""Support in a real browser, by keyboard alone: from what a caller says to what is done in their name."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from selenium import webdriver
from selenium.webdriver.common.keys import Keys

from connector.domain.notice import PauseReason
from connector.domain.session import SessionState
from connector.storage import calendars
from tests.web.desk import Desk
from tests.web.pictures import keep_picture
from tests.web.presence import HostsUsers, hosted
from tests.web.remote_changes import begin
from tests.web.stage import Stage
from tests.web.test_browser import PHONE, Door, Page, chromium, door

__all__ = ["Door", "chromium", "door"]  # fixtures, and what they are made of

pytestmark = [pytest.mark.chromium, pytest.mark.slow]

DESK = (1280, 800)


@pytest.fixture
def phone(chromium: webdriver.Chrome, door: tuple[Door, str], there: Desk) -> Iterator[Page]:
    """A telephone in a browser that runs no scripts, at an installation that signs people in itself."""
    serving, address = door
    serving.app = there.stage.app
    chromium.get("about:blank")
    chromium.delete_all_cookies()
    found = Page(chromium, address)
    found.be(PHONE)
    chromium.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    yield found
    chromium.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})


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


@pytest.mark.long
def test_support_signs_in_moves_a_session_and_has_a_calendar_go_on(phone: Page, there: Desk) -> None:
    begin(there)
    stage, offer = there.stage, there.stage.offer()
    with stage.runtime.database.begin() as db:
        calendars.pause(db, there.calendar.id, PauseReason.EMPTIED, count=3, now=stage.now)
    phone.open("/support")
    look(phone, "own-1-sign-in")
    phone.tab_to("Your e-mail address").send_keys("robin@example.org")
    phone.press("Mail me a link", to="Check your mailbox")
    look(phone, "own-2-mailed")
    phone.open(stage.support_link())
    look(phone, "own-3-enter")
    phone.press("Sign in now", to="Find a session")
    phone.tab_to("Name, e-mail address").send_keys(str(offer.id))
    phone.press("Search", to="Find a session")
    phone.press("Kim Noor", to="Why do you look at this session?")
    phone.tab_to("Reason").send_keys("called, wants Tuesday")
    phone.press("Show the session", to="Session with Kim Noor")
    look(phone, "own-4-session")
    phone.press("Have it go on", to="Session with Kim Noor")
    assert "Done. The calendar goes on" in phone.text
    phone.press("Enter an agreed time", to="Enter an agreed time")
    phone.pick("date", "2026-03-10")
    phone.pick("time", "16:00")
    phone.press("Save and tell both", to="Enter an agreed time")
    look(phone, "own-5-refused")
    assert "How they told you: please fill this in." in phone.text
    phone.tab_to("How they told you").send_keys("by ph")
    phone.press("Save and tell both", to="Session with Kim Noor")
    look(phone, "own-6-moved")
    assert stage.stored_session().when == stage.at(8, 16)
    phone.press("Sign out", to="Sign in as support")
    look(phone, "own-7-out")
