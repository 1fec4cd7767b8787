"""What a page gains where scripts run: deadlines count down, and what is new is shown by itself, or offered."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from selenium.webdriver.common.by import By

from connector.domain.offer import Offer
from connector.domain.people import Actor, Role
from connector.services.scheduling import answers
from tests.web.pictures import keep_picture
from tests.web.stage import Stage
from tests.web.test_browser import Page, chromium, door, page

__all__ = ["chromium", "door", "page"]

pytestmark = [pytest.mark.chromium, pytest.mark.slow]


@pytest.fixture
def no_script(page: Page) -> Iterator[Page]:
    page.chromium.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    yield page
    page.chromium.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})


def reject(stage: Stage, offer: Offer) -> None:
    """Have the client answer an offer elsewhere."""
    with stage.runtime.database.begin() as db:
        by = Actor(role=Role.CLIENT, name=stage.kim.name)
        answers.reject(db, stage.runtime.policy, offer.id, by=by, now=stage.now)


def test_a_page_shows_by_itself_that_the_client_has_answered(page: Page, stage: Stage) -> None:
    offer = stage.offer()
    page.open(stage.sign_in_link(stage.ada))
    page.press("Sign in now", to="Your week")
    page.open(f"/?day={stage.at(9, 9).local.date()}")
    page.chromium.execute_script("document.querySelector('[data-left]').dataset.until = Date.now() + 50.5 * 60 * 1000")
    page.wait_for_text("held for 50 minutes more")
    page.chromium.execute_script("document.querySelector('[data-left]').dataset.until = Date.now() - 1")
    page.wait_for_text("no longer held")
    page.open(f"/sessions/{stage.session.id}")
    assert "Waiting for Kim Noor" in page.text
    assert "Tuesday, 3 March 2026, 10:00 (Central European Time, Berlin) (in 24 hours)." in page.text
    page.tab_to("Edit date/time")
    reject(stage, offer)
    page.wait_for_text("Nothing you offered suited Kim Noor")
    assert page.chromium.switch_to.active_element.accessible_name == "Edit date/time", "where the keyboard was"
    assert page.chromium.find_element(By.CSS_SELECTOR, ".unseen[role=status]").get_property("textContent") == (
        "This page shows the latest now."
    )
    keep_picture(page.chromium, "session-renewed")


def test_what_is_new_is_only_offered_while_somebody_fills_in_a_form(page: Page, stage: Stage) -> None:
    offer = stage.offer()
    page.open(stage.link(offer))
    page.chromium.execute_script(
        "document.querySelector('[data-state]').insertAdjacentHTML('beforeend', '<label>Note <input></label>')"
    )
    page.tab_to("Note").send_keys("half a sen")
    reject(stage, offer)
    page.wait_for_text("Something has changed here.")
    assert page.heading == "Please choose a time"
    keep_picture(page.chromium, "something-new")
    page.tab_to("Show the latest").click()
    page.wait_for("None of the times suited you")


def test_without_scripts_the_page_is_as_it_was_sent(no_script: Page, stage: Stage) -> None:
    offer = stage.offer()
    no_script.open(stage.link(offer))
    assert "Please answer before Tuesday, 3 March 2026, 10:00 (Central European Time, Berlin)." in no_script.text
    no_script.press("None of these times suits me", to="?")
    no_script.press("Yes, none of these times suits", to="None of the times suited you")
