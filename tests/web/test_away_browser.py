"""A day with five sessions that is rearranged by keyboard alone, without a script: every press is counted."""

from __future__ import annotations

import pytest
from selenium import webdriver

from tests.web.away import days, full_day
from tests.web.pictures import keep_picture
from tests.web.stage import Stage
from tests.web.test_browser import PHONE, Door, Page, chromium, door

__all__ = ["Door", "chromium", "door"]  # fixtures, and what they are made of

pytestmark = [pytest.mark.chromium, pytest.mark.slow]

DESK = (1280, 800)


def look(page: Page, name: str) -> None:
    """Keep pictures at both sizes, and hold the page against what everybody needs."""
    for width in (DESK, PHONE):
        page.be(width)
        keep_picture(page.chromium, f"away-{name}-{width[0]}")
    page.check()


@pytest.mark.long
def test_five_sessions_are_rearranged_by_keyboard(
    chromium: webdriver.Chrome, door: tuple[Door, str], stage: Stage
) -> None:
    serving, address = door
    serving.app = stage.app
    full_day(stage, 5)
    page = Page(chromium, address)
    page.open(stage.sign_in_link(stage.ada))
    page.press("Sign in now", to="")
    page.open("/away")
    look(page, "1-days")
    page.open(days(stage, 3))
    look(page, "2-sessions")
    page.taps = 0
    with page.without_scripts():
        page.press("Check all offers", to="Check all offers")
        page.press("Send all 5 offers", to="Away: other times for your sessions")
    print(f"{page.taps} presses from the sessions of a day until five offers are sent")
    assert page.taps == 2
    assert "5 offers are sent." in page.text
    look(page, "3-sent")
    page.open(days(stage, 3))
    page.tick("Replace that offer")
    page.press("Check all offers", to="Check all offers")
    look(page, "4-check")
