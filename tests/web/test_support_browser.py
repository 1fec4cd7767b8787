"""Support in a real browser, by keyboard alone: from signing in until a session is moved, and a calendar goes on."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from selenium import webdriver

from connector.domain.notice import PauseReason
from connector.storage import calendars
from tests.web.desk import Desk
from tests.web.pictures import keep_picture
from tests.web.remote_changes import begin
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


def look(page: Page, name: str) -> None:
    """Keep pictures at both sizes, and hold the page against what everybody needs."""
    for width in (DESK, PHONE):
        page.be(width)
        keep_picture(page.chromium, f"support-{name}-{width[0]}")
    page.check()


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
