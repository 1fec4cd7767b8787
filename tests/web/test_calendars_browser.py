"""To a calendar service and back in a real browser, which holds every form against the page's own policy."""

from __future__ import annotations

import pytest
from selenium.webdriver.common.keys import Keys

from connector.domain.connection import ConnectionState
from connector.domain.unreadable import Unreadable
from connector.ports import UnreadEvent
from tests.web.desk import Desk
from tests.web.remote_changes import begin, hand, refresh_free_busy
from tests.web.services import GoogleService
from tests.web.stage import Stage
from tests.web.test_browser import Door, Page, chromium, door, page

__all__ = ["chromium", "door", "page"]  # fixtures

pytestmark = pytest.mark.chromium


def test_google_is_connected_and_disconnected_by_keyboard(
    page: Page,
    door: tuple[Door, str],
    stage: Stage,
    google: Desk,
) -> None:
    assert isinstance(google.service, GoogleService)
    google.service.fake.oauth.redirect_uri = f"{door[1]}/calendars/google/back"
    stage.runtime.network = google.service.fake.network
    page.open(stage.sign_in_link(stage.ada))
    page.press("Sign in", to="Your week")
    page.press("Calendars", to="Your calendars")
    page.check()
    page.press("Connect Google Calendar", to="Choose a calendar")
    page.check()
    page.tab_to("Kim Beispiel").send_keys(" ")
    page.press("Connect this calendar", to="Your calendars")
    assert "All well" in page.text
    page.tab_to("What this calendar shows of your clients").send_keys(Keys.ENTER)
    page.check()
    page.press("Disconnect", to="Disconnect “Kim Beispiel”?")
    page.check()
    page.press("Disconnect", to="Your calendars")
    assert "Being disconnected" in page.text
    assert google.connections[0].state is ConnectionState.DISCONNECTING


def test_what_could_not_be_read_is_seen_on_a_phone(page: Page, stage: Stage, there: Desk) -> None:
    begin(there)
    stage.draft(stage.at(9, 9))
    hand(there).unreadable = [
        UnreadEvent(href="/1.ics", reason=Unreadable.RULE, starts_at=stage.at(8, 12).span.start),
        UnreadEvent(href="/2.ics", reason=Unreadable.RULE, starts_at=stage.at(9, 12).span.start),
        UnreadEvent(href="/3.ics", reason=Unreadable.WITHHELD),
    ]
    refresh_free_busy(there)
    page.open(stage.sign_in_link(stage.ada))
    page.press("Sign in", to="Your week")
    page.press("Calendars", to="Your calendars")
    assert "In “work” 3 events could not be read" in page.text
    page.tab_to("What this calendar shows of your clients").send_keys(Keys.ENTER)
    page.check()
    page.open(f"/sessions/{stage.session.id}/offer/review")
    assert "“work” holds 3 events that could not be read" in page.text
    page.check()
