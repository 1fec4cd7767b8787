"""What clients have written, in a real browser: by keyboard alone, on a phone, from the mail."""

from __future__ import annotations

import pytest

from tests.web.client_mails import answer, page_of, wish, words
from tests.web.stage import Stage
from tests.web.test_browser import Door, Page, chromium, door, page

__all__ = ["Door", "chromium", "door", "page"]  # fixtures, and what they are made of

pytestmark = [pytest.mark.chromium, pytest.mark.slow]


def test_a_practitioner_takes_an_answer_that_nothing_proves(page: Page, stage: Stage) -> None:
    page.open(page_of(stage, answer(stage, "DECLINED", vouched=False)))
    assert page.heading == "A mail says that Kim Noor declines"
    page.check()
    page.press("Take this as the client", to="Kim Noor has declined: what should happen?")
    page.check()
    page.press("Cancel the session", to="Cancel the session with Kim Noor?")
    page.check()
    page.press("Back", to="Kim Noor has declined")
    page.press("Keep the session as it is", to="Decided: the session stays as it is")
    page.check()


def test_a_practitioner_finds_a_wish_among_the_sessions_and_agrees(page: Page, stage: Stage) -> None:
    words(stage, "Hello, " + "averylongwordthatnobodycanbreak" * 20)
    wish(stage, stage.at(8, 16))
    page.open(stage.sign_in_link(stage.ada))
    page.press("Sign in now", to="Your week")
    page.check()
    page.press("Kim Noor", to="Session with Kim Noor")
    page.check()
    page.press("Decide about it", to="Kim Noor would like another time")
    page.check()
    page.press("Agree to this time", to="Move the session with Kim Noor?")
    page.check()
    page.press("Yes, move it and tell Kim Noor", to="Decided: the session moves to this time")
    page.check()
    assert stage.stored_session().when == stage.at(8, 16)
