"""What practitioners are asked, answered in a real browser: by keyboard alone, on a phone, from the mail."""

from __future__ import annotations

import pytest
from selenium.webdriver.common.by import By

from connector.domain.facts import Answer
from tests.web.desk import Desk
from tests.web.remote_changes import (
    add_foreign,
    begin,
    conflict_page,
    crowd,
    open_question,
    page_of,
    paused_page,
    question_about_deletion,
    question_about_move,
    question_now,
    wipe,
)
from tests.web.stage import Stage
from tests.web.test_browser import Door, Page, chromium, door, page

__all__ = ["Door", "chromium", "door", "page"]  # fixtures, and what they are made of

pytestmark = pytest.mark.chromium


def test_a_practitioner_says_on_a_phone_that_the_client_has_agreed(page: Page, stage: Stage, there: Desk) -> None:
    question = question_about_move(there)
    page.open(page_of(stage, question))
    assert page.heading == "You moved the session with Kim Noor: please decide"
    page.check()
    page.press("Kim Noor has already agreed", to="Move the session with Kim Noor?")
    page.check()
    page.press("Back", to="You moved the session")
    page.press("Kim Noor has already agreed", to="Move the session with Kim Noor?")
    assert page.tab_to("Who agreed").get_attribute("value") == "Kim Noor"
    page.pick("agreed_at", "2026-03-02T09:30")
    page.press("Yes, move it and tell Kim Noor", to="Move the session with Kim Noor?")
    assert "How they told you: please fill this in." in page.text
    page.check()
    page.tab_to("How they told you").send_keys("by ph")
    assert question_now(stage, question).is_open
    page.press("Yes, move it and tell Kim Noor", to="Decided: Kim Noor has already agreed")
    page.check()
    assert stage.stored_session().when == question.moved_to
    assert question_now(stage, question).answer is Answer.AGREED


def test_a_practitioner_finds_the_question_among_the_sessions(page: Page, stage: Stage, there: Desk) -> None:
    question = question_about_deletion(there)
    page.open(stage.sign_in_link(stage.ada))
    page.press("Sign in now", to="Your week")
    page.check()
    page.press("You deleted this in your calendar", to="You deleted the session with Kim Noor")
    page.check()
    page.press("Cancel the session", to="Cancel the session with Kim Noor?")
    page.check()
    page.press("Back", to="You deleted the session with Kim Noor")
    page.press("Offer other times", to="Offer Kim Noor other times?")
    page.check()
    assert open_question(stage) == question
    page.press("Yes, choose other times", to="Offer alternatives")
    assert question_now(stage, question).answer is Answer.OFFER_OTHERS


def test_a_paused_calendar_goes_on_by_one_press(page: Page, stage: Stage, there: Desk) -> None:
    crowd(there)
    wipe(there)
    page.open(stage.sign_in_link(stage.ada))
    page.press("Sign in now", to="Your week")
    page.check()
    page.press("Decide how to go on", to="“work” is stopped")
    page.check()
    page.press("Put everything back", to="“work” is not stopped")
    page.check()
    assert there.calendar.paused is None


def test_every_other_new_page_can_be_used_by_everybody(page: Page, stage: Stage, there: Desk) -> None:
    begin(there)
    offer = stage.offer()
    add_foreign(there, offer.alternatives[0].when)
    page.open(stage.sign_in_link(stage.ada))
    page.press("Sign in now", to="Your week")
    own = f"/calendars/{there.connections[0].id}"
    for path in (conflict_page(there), paused_page(there), own, f"{own}/target", f"/sessions/{stage.session.id}"):
        page.open(path)
        page.check()
    page.open("/calendars")
    for summary in page.chromium.find_elements(By.TAG_NAME, "summary"):
        summary.click()
    page.check()
