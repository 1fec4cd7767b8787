"""From a text to a moved session, on a phone of 360 pixels, by the link in it; with a code that comes by mail, too."""

from __future__ import annotations

from dataclasses import replace

import pytest
from selenium import webdriver
from selenium.webdriver.common.keys import Keys

from connector.domain.answering import AnswerPolicy
from connector.domain.people import Medium
from connector.language.offered import Languages
from connector.outbox.sms.texts import compose
from connector.storage.database import Database
from tests.conftest import Clock
from tests.web.stage import Stage, make_runtime, make_stage
from tests.web.test_browser import PHONE, Door, Page, chromium, door
from tests.web.texting import Answering, answering

__all__ = ["chromium", "door"]  # fixtures

pytestmark = [pytest.mark.chromium, pytest.mark.long]


@pytest.fixture
def phone(
    chromium: webdriver.Chrome, door: tuple[Door, str], sqlite_database: Database, sqlite_url: str, clock: Clock
) -> tuple[Page, Stage]:
    """A phone, and an installation that is reached at the address its texts name."""
    served, address = door
    stage = make_stage(make_runtime(sqlite_database, sqlite_url, clock, public_url=address), clock)
    served.app = stage.app
    chromium.get("about:blank")
    chromium.delete_all_cookies()
    page = Page(chromium, address)
    page.be(PHONE)
    return page, stage


def follow_text(page: Page, here: Answering) -> None:
    """Open the link of the last text, as it stands in it."""
    text = [one for one in here.post.taken if one.medium is Medium.SMS][-1]
    page.chromium.get(compose(text, languages=Languages()).rpartition(" ")[2])


def test_a_client_chooses_by_the_link_in_a_text(phone: tuple[Page, Stage]) -> None:
    page, stage = phone
    here = answering(stage, locale="de")
    stage.runtime.policy = replace(stage.runtime.policy, answers=AnswerPolicy.LINK)
    follow_text(page, here)
    assert page.heading == "Bitte wählen Sie eine Zeit"
    page.check()
    page.press("Diese Zeit wählen", nth=2, to="Termin auf diese Zeit verlegen?")
    page.check()
    page.press("Ja, diese Zeit nehmen", to="Ihre neue Zeit ist gebucht")
    page.check()

    stage.mail()
    assert here.is_moved
    assert {one.medium for one in here.post.taken if one.notice.kind == "accepted"} == set(Medium)
    follow_text_again = [one for one in here.post.taken if one.medium is Medium.SMS and one.link][-1]
    page.chromium.get(str(follow_text_again.link))
    assert page.heading == "Ihre neue Zeit ist gebucht"


def test_a_client_answers_with_a_code_that_came_by_mail(phone: tuple[Page, Stage]) -> None:
    page, stage = phone
    here = answering(stage)
    follow_text(page, here)
    page.press("None of these times suits me", to="None of these times suits you?")
    page.check()
    page.press("Send me a code", to="None of these times suits you?")
    stage.mail()
    page.check()
    [code] = here.post.codes(Medium.EMAIL)

    page.tab_to("The code that was sent to you").send_keys(here.other(code))
    page.press("Yes, none of these times suits", to="None of these times suits you?")
    assert "4 tries are left" in page.text
    page.check()
    page.tab_to("The code that was sent to you").send_keys(Keys.CONTROL, "a", Keys.NULL, code)
    page.press("Yes, none of these times suits", to="None of the times suited you")
    page.check()
