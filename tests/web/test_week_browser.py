"""The week in a real browser: by keyboard alone, on a phone and on a wide screen, without a script of ours."""

from __future__ import annotations

from datetime import timedelta

import pytest
from selenium.webdriver.common.by import By

from connector.domain.span import Span
from connector.ports import Busy
from connector.services.scheduling import answers
from connector.storage import busy
from tests.web.desk import Desk
from tests.web.pictures import keep_picture
from tests.web.remote_changes import begin
from tests.web.stage import Stage, add_client
from tests.web.test_browser import PHONE, Door, Page, chromium, door, page

__all__ = ["Door", "chromium", "door", "page"]  # fixtures, and what they are made of

pytestmark = [pytest.mark.chromium, pytest.mark.slow]

WIDE = (1280, 900)


def fill(stage: Stage, there: Desk) -> None:
    """Fill a week with all that can stand in it: two at once, over midnight, all day, and something that needs Ada."""
    begin(there)
    noa = add_client(stage)
    for days, hour in ((0, 13), (0, 16), (1, 10), (2, 9), (3, 12)):
        stage.book(stage.at(days, hour), client=noa if days % 2 else stage.kim)
    stage.offer(stage.at(1, 14), stage.at(2, 15), stage.at(8, 9))
    other = stage.book(stage.at(12, 9), client=noa)
    offer = stage.offer(stage.at(2, 17), session=other)
    with stage.runtime.database.begin() as db:
        answers.reject(db, stage.runtime.policy, offer.id, by=stage.by, now=stage.now)
    day = stage.at(1, 0).span.start
    spans = [
        Busy(span=Span.of(stage.at(1, 13).span.start, timedelta(hours=2))),
        Busy(span=Span.of(stage.at(1, 22).span.start, timedelta(hours=4))),
        Busy(span=Span.of(day + timedelta(days=3), timedelta(days=1))),
    ]
    with stage.runtime.database.begin() as db:
        busy.keep(db, there.calendar.id, spans, now=stage.now, until=stage.now + timedelta(days=60))


def test_the_week_is_used_on_a_phone_and_drawn_as_a_grid_where_there_is_room(
    page: Page, stage: Stage, there: Desk
) -> None:
    fill(stage, there)
    with page.without_scripts():
        page.open(stage.sign_in_link(stage.ada))
        page.press("Sign in now", to="Your week")
        keep_picture(page.chromium, "week-phone")
        page.check()
        headings = [one.text for one in page.chromium.find_elements(By.CSS_SELECTOR, ".week h3")]
        assert "Today" in headings[0]
        page.be(WIDE)
        keep_picture(page.chromium, "week-wide")
        page.check()
        days = page.chromium.find_elements(By.CSS_SELECTOR, ".week > .day")
        assert len({one.rect["y"] for one in days}) == 1, "beside each other"
        assert len({round(one.rect["x"]) for one in days}) == 7
        page.press("Next week", to="Your week")
        assert "This week" in page.text
        page.be(PHONE)
        page.press("Book a session", to="Book a session")
        page.check()
        keep_picture(page.chromium, "book-whom")
        page.press("Kim Noor", to="Book a session with Kim Noor")
        keep_picture(page.chromium, "book-when")
        page.check()
