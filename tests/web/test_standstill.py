"""What people see while a restored database waits to be put right."""

from __future__ import annotations

import pytest

from connector.domain.offer import Offer, OfferState
from connector.domain.people import CLOCK
from connector.services import standstill
from tests.web.desk import Desk
from tests.web.stage import Stage

OPEN = {
    "signin.mail",
    "signin.enter",
    "signin.leave",
    "signin.leave_everywhere",
    "signin.leave_elsewhere",
    "support_signin.mail",
    "support_signin.enter",
    "support_signin.leave",
    "calendars.reconnect",
}  # the last makes a calendar readable again
LATER = "Nothing is lost, and nothing was changed. Please try again later."


@pytest.fixture
def offer(stage: Stage) -> Offer:
    """An open offer; everything stands still since."""
    sent = stage.offer()
    with stage.runtime.database.begin() as db:
        standstill.begin(db, stage.runtime.policy, by=CLOCK, now=stage.now)
    return sent


def test_a_client_is_shown_nothing_that_may_be_out_of_date_and_can_answer_nothing(stage: Stage, offer: Offer) -> None:
    link, browser = stage.link(offer), stage.browser()
    for answer in (browser.get(link), browser.get(f"{link}/none")):
        assert (answer.status_code, LATER in answer.text) == (503, True)
    assert browser.post(f"{link}/none").status_code == 503
    assert stage.stored(offer).state is OfferState.OPEN


@pytest.mark.usefixtures("offer")
def test_a_practitioner_can_look_but_change_nothing(stage: Stage) -> None:
    browser = stage.signed_in()
    page = f"/sessions/{stage.session.id}"
    assert "set back to an earlier state" in browser.get(page).text
    answer = browser.post(f"{page}/cancel", page=f"{page}/cancel")
    assert (answer.status_code, LATER in answer.text) == (503, True)
    assert stage.stored_session().state.value == "booked"


@pytest.mark.usefixtures("offer")
def test_whatever_is_posted_is_refused_before_it_begins(stage: Stage) -> None:
    browser = stage.signed_in()
    before = stage.everything()
    posted = [rule for rule in stage.app.url_map.iter_rules() if "POST" in (rule.methods or ())]
    assert {rule.endpoint for rule in posted} > OPEN
    for rule in posted:
        if rule.endpoint not in OPEN:
            path = rule.rule
            for part in rule.arguments:
                path = path.replace(f"<uuid:{part}>", str(stage.session.id)).replace(f"<{part}>", "x")
            answer = browser.post(path, page="/signin")
            assert (answer.status_code, LATER in answer.text) == (503, True), rule.endpoint
    assert stage.everything() == before


def test_a_calendar_that_waits_for_the_decision_asks_its_practitioner_nothing(there: Desk) -> None:
    there.connect()
    with there.stage.runtime.database.begin() as db:
        standstill.begin(db, there.stage.runtime.policy, by=CLOCK, now=there.stage.now)
    ada = there.stage.signed_in()  # again: the restore has signed everybody out
    page = ada.get("/calendars").text
    assert "there is nothing for you to do" in page
    assert "Look and decide" not in page
    assert "Decide how to go on" not in ada.get("/sessions").text
