"""A calendar that looks wrong waits until its practitioner says how to go on, by one click from the mail."""

from __future__ import annotations

import re
from uuid import uuid4

import pytest
import sqlalchemy as sa

from connector.domain.facts import CalendarResumed, QuestionKind
from connector.domain.offer import OfferState
from connector.domain.people import CLOCK
from connector.errors import MissingError, RefusedError
from connector.services.sync.breaker import PURPOSE, How
from connector.storage import questions, tables, timeline
from tests.web.desk import Desk, alert, later, lose
from tests.web.remote_changes import crowd, hand, is_link_of, paused_page, pull, settle, wipe


@pytest.fixture
def wiped(there: Desk) -> Desk:
    """A calendar with six sessions that is emptied at once, and so stopped."""
    crowd(there)
    wipe(there)
    assert there.calendar.paused == "emptied"
    return there


def test_the_letter_leads_to_what_is_wrong_since_when_and_how_it_can_go_on(wiped: Desk) -> None:
    assert is_link_of(wiped, "calendar_stopped", paused_page(wiped))
    text = wiped.stage.browser().get(paused_page(wiped)).text
    assert "“work” is stopped" in text
    assert "nothing of ours stands in it any more" in text
    assert "6 entries are gone" in text
    assert "Stopped on Monday, 2 March 2026, 10:00 (Central European Time, Berlin)" in text
    assert "No client has been told about this" in text
    assert "You are asked about each of the sessions once more before anybody is cancelled." in text
    assert text.count("<button") == 2
    assert "Kim" not in text


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_opening_the_page_decides_nothing(wiped: Desk, method: str) -> None:
    before = wiped.stage.everything()
    assert wiped.stage.browser().http.open(paused_page(wiped), method=method).status_code == 200
    assert wiped.stage.everything() == before


def test_one_click_puts_everything_back(wiped: Desk) -> None:
    browser, page = wiped.stage.browser(), paused_page(wiped)
    answer = browser.post(page, {"how": "restore"})
    assert (answer.status_code, answer.location) == (303, page)
    wiped.work()
    assert len(wiped.service.titles()) == 6
    text = browser.get(page).text
    assert "“work” is not stopped" in text
    assert "everything is put back" in text
    assert "Dr. Ada Weiß" in text
    before = wiped.stage.everything()
    assert browser.post(page, {"how": "restore"}, page="/signin").status_code == 303
    assert browser.post(page, {"how": "accept"}, page="/signin").status_code == 303
    assert wiped.stage.everything() == before


def _shown(wiped: Desk) -> dict[str, str]:
    match = re.search(r'name="shown" value="([^"]+)"', wiped.stage.browser().get(paused_page(wiped)).text)
    assert match
    return {"how": "accept", "shown": match[1]}


def test_meant_deletions_are_asked_about_one_by_one(there: Desk) -> None:
    crowd(there)
    offer = there.stage.offer(there.stage.at(40, 9), there.stage.at(40, 11))
    there.work()
    pull(there)
    wipe(there)
    text = there.stage.browser().get(paused_page(there)).text
    assert "2 offered times are taken back, and whoever was offered them is told." in text
    assert there.stage.browser().post(paused_page(there), _shown(there)).status_code == 303
    settle(there)
    with there.stage.runtime.database.read() as db:
        open_questions = questions.open_of_practitioner(db, there.stage.ada.id)
    assert {question.kind for question in open_questions.values()} == {QuestionKind.DELETED}
    assert len(open_questions) == 6
    assert there.stage.stored(offer).state is OfferState.WITHDRAWN


def test_nobody_accepts_more_than_they_were_shown(there: Desk) -> None:
    crowd(there)
    calendar = hand(there)
    for href in list(calendar.events)[:4]:
        calendar.delete(href)
    pull(there)
    assert there.calendar.paused == "shrunken"
    form, browser = _shown(there), there.stage.browser()
    later(there.stage, seconds=5)
    wipe(there)
    before = there.stage.everything()
    late = browser.post(paused_page(there), form)
    assert late.status_code == 409
    assert "More has changed" in alert(late)
    assert browser.post(paused_page(there), {"how": "accept"}).status_code == 409
    assert there.stage.everything() == before


def test_a_link_is_about_one_stop_and_decides_nothing_about_the_next(wiped: Desk) -> None:
    earlier, browser = paused_page(wiped), wiped.stage.browser()
    browser.post(earlier, {"how": "restore"})
    wiped.work()
    later(wiped.stage, seconds=90)
    pull(wiped)
    wipe(wiped)
    assert wiped.calendar.paused == "emptied"
    assert paused_page(wiped) != earlier
    before = wiped.stage.everything()
    text = browser.get(earlier).text
    assert "“work” was stopped again" in text
    assert "<form" not in text
    for form in ({"how": "restore"}, _shown(wiped)):
        assert browser.post(earlier, form, page="/signin").status_code == 409
    assert wiped.stage.everything() == before
    assert browser.post(paused_page(wiped), {"how": "restore"}).status_code == 303


def test_a_link_ends_after_thirty_days_and_who_is_signed_in_decides_all_the_same(wiped: Desk) -> None:
    page, browser = paused_page(wiped), wiped.stage.browser()
    later(wiped.stage, days=30)
    ended = browser.get(page)
    assert ended.status_code == 410
    assert "This link has ended" in ended.text
    assert "work" not in ended.text.partition("<main")[2]
    before = wiped.stage.everything()
    assert browser.post(page, {"how": "restore"}, page="/signin").status_code == 410
    assert wiped.stage.signed_in(wiped.stage.bob).get(page).status_code == 410
    ada = wiped.stage.signed_in()
    assert wiped.stage.everything()["calendars"] == before["calendars"]
    assert f'href="{page}"' in ada.get("/calendars").text
    assert ada.post(page, {"how": "restore"}).status_code == 303
    assert wiped.calendar.paused is None


def test_a_link_of_an_earlier_version_names_no_stop_and_decides_nothing(wiped: Desk) -> None:
    page = f"/stopped/{wiped.stage.runtime.seal.token(PURPOSE, wiped.calendar.id)}"
    browser = wiped.stage.browser()
    assert browser.get(page).status_code == 410
    assert browser.post(page, {"how": "restore"}, page="/signin").status_code == 410
    assert wiped.calendar.paused == "emptied"


@pytest.mark.parametrize("how", ["", "itself", "nonsense"])
def test_only_the_two_buttons_are_taken(wiped: Desk, how: str) -> None:
    before = wiped.stage.everything()
    assert wiped.stage.browser().post(paused_page(wiped), {"how": how}).status_code == 422
    assert wiped.stage.browser().http.post(paused_page(wiped), data={"how": "restore"}).status_code == 400
    assert wiped.stage.everything() == before


@pytest.mark.parametrize(
    ("error", "told"),
    [(MissingError("gone"), "it is not there any more"), (RefusedError("no"), "it may not be read any more")],
)
def test_a_calendar_that_cannot_be_read_is_tried_again(there: Desk, error: MissingError, told: str) -> None:
    crowd(there)
    hand(there).offline = error
    settle(there)
    browser, page = there.stage.browser(), paused_page(there)
    text = browser.get(page).text
    assert told in text
    assert "Try again" in text
    assert "I meant to delete them" not in text
    own = f"/calendars/{there.connections[0].id}"
    assert f'href="{own}/target"' in text
    assert f'href="{own}/reconnect"' in text
    assert browser.post(page, {"how": "accept"}).status_code == 409
    assert there.calendar.paused
    hand(there).offline = None
    assert browser.post(page, {"how": "restore"}).status_code == 303
    pull(there)
    assert there.calendar.paused is None


def test_lost_access_is_to_be_regained_first(wiped: Desk) -> None:
    lose(wiped)
    own = f"/calendars/{wiped.connections[0].id}"
    assert f'href="{own}/reconnect"' in wiped.stage.browser().get(paused_page(wiped)).text


def test_what_is_all_back_goes_on_by_itself_and_says_so(there: Desk) -> None:
    crowd(there)
    calendar = hand(there)
    events = dict(calendar.events)
    wipe(there)
    calendar.events.update(events)
    calendar.expire_tokens()
    pull(there)
    assert there.calendar.paused is None
    text = there.stage.browser().get(paused_page(there)).text
    assert "everything is there again" in text
    assert "automatically" in text


def test_another_calendar_of_the_same_name_is_not_told_of(there: Desk) -> None:
    there.connect()
    other = CalendarResumed(
        at=there.stage.now,
        by=CLOCK,
        connection_id=there.calendar.connection_id,
        calendar_id=uuid4(),
        calendar=there.calendar.name,
        how=How.ACCEPT,
    )
    with there.stage.runtime.database.begin() as db:
        timeline.append(db, there.stage.ada.id, [other])
    assert "There is nothing to decide." in there.stage.browser().get(paused_page(there)).text


def test_what_went_on_is_told_under_whatever_name_the_calendar_has_now(wiped: Desk) -> None:
    wiped.stage.browser().post(paused_page(wiped), {"how": "restore"})
    with wiped.stage.runtime.database.begin() as db:
        db.execute(sa.update(tables.calendars).values(name="practice"))
    text = wiped.stage.browser().get(paused_page(wiped)).text
    assert "“practice” is not stopped" in text
    assert "everything is put back" in text


def test_a_calendar_that_never_was_paused_has_nothing_to_decide(there: Desk) -> None:
    there.connect()
    assert "There is nothing to decide." in there.stage.browser().get(paused_page(there)).text


def test_a_strangers_link_reveals_nothing(wiped: Desk) -> None:
    seal = wiped.stage.runtime.seal
    for token in ("x", seal.token(PURPOSE, uuid4()), seal.token("question", wiped.calendar.id)):
        answer = wiped.stage.browser().get(f"/stopped/{token}")
        assert answer.status_code == 404
        assert "work" not in answer.text.replace("does not work", "")


def test_a_paused_calendar_is_loud_everywhere_and_leads_to_its_page(wiped: Desk) -> None:
    page, own = f'href="{paused_page(wiped)}"', f"/sessions/{wiped.stage.session.id}"
    draft = wiped.stage.draft(wiped.stage.at(9, 9))
    for path in ("/sessions", "/calendars", own, f"{own}/offer/review"):
        text = wiped.ada.get(path).text
        assert page in text, path
        assert "nothing of ours stands in it any more" in text, path
    refused = wiped.ada.post(f"{own}/offer/send", {"offer": str(draft.id)}, page=own)
    assert refused.status_code == 422
    assert "was stopped because it looks wrong" in alert(refused)
    wiped.stage.browser().post(paused_page(wiped), {"how": "restore"})
    for path in ("/sessions", "/calendars", own):
        assert page not in wiped.ada.get(path).text
